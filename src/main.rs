//! Options → settings → telemetry → app → exit code.

fn main() {}

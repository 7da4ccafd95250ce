//! The log with its reload handle, the metrics registry, and chains of errors.

pub mod error_chain;
pub mod log;
pub mod metrics;

//! Log with a reload handle; the metrics registry.

pub mod log;
pub mod metrics;

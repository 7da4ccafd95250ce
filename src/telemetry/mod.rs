//! Log with a reload handle; the metrics registry.

pub mod error_chain;
pub mod log;
pub mod metrics;

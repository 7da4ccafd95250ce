//! The metrics registry and its instruments; each part registers its own.

mod histogram;

mod instruments;
pub mod label;
mod polled_gauge;

pub mod process;
mod registry;
mod text_format;

pub use histogram::{Histogram, HistogramFamily};

pub use instruments::{Counter, CounterFamily, Gauge, GaugeGuard, StateGauge};
pub use label::{LabeledCounters, MetricLabel};
pub use polled_gauge::GaugeReader;

pub use registry::{MetricsError, MetricsRegistry};
pub use text_format::{CompatMetric, write_compat, write_family};

/// Content type of the Prometheus text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

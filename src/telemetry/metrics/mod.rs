//! The numbers an operator watches: registered where they arise, rendered in one place.

mod histogram;

mod instruments;
pub mod label;
mod measured;

pub mod process;
mod registry;

pub use histogram::{Histogram, HistogramFamily};

pub use instruments::{Counter, CounterFamily, Gauge, Guard, State};
pub use label::{Counters, Label};
pub use measured::Reading;

pub use registry::{Metrics, MetricsError};

/// Content type of the Prometheus text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

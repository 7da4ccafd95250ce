//! The numbers an operator watches: registered where they arise, rendered in one place.

mod auth;
mod front;
mod histogram;
mod hub;
mod instruments;
mod label;
mod measured;
mod observe;
mod observers;
mod original;
mod page;
mod process;
mod registry;
mod source;
mod store;

pub use auth::{AuthMetrics, CheckVerdict, LoginOutcome};
pub use front::{FrontMetrics, Refusal};
pub use histogram::{Histogram, HistogramFamily};
pub use hub::{HubMetrics, SessionEnd, SessionRefusal};
pub use instruments::{Counter, CounterFamily, Gauge, Guard, State};
pub use label::{Counters, Label};
pub use measured::Reading;
pub use observers::{Names, Observers};
pub use original::Snapshot;
pub use page::{Original, Page};
pub use registry::{Metrics, MetricsError};
pub use source::SourceMetrics;
pub use store::{Query, StoreMetrics};

/// Content type of the Prometheus text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

//! TODO purpose.

mod condition;
mod dependency_record;
mod queue_gauge;
mod render;
mod report;
mod time_format;
pub use condition::DependencyState;
pub use dependency_record::DependencyRecord;
pub use queue_gauge::QueueGauge;
pub use render::{DependencyReport, HealthReport};
pub use report::{HealthRegistry, ServiceDependency, WallClock};
pub use time_format::{format_duration, rfc3339};

//! What the daemon depends on, whether it is ready, and how full its queues are.

mod dependency_record;
mod dependency_state;
mod queue_gauge;
mod render;
mod report;
mod time_format;
pub use dependency_record::DependencyRecord;
pub use dependency_state::DependencyState;
pub use queue_gauge::QueueGauge;
pub use render::{DependencyReport, HealthReport};
pub use report::{HealthRegistry, ServiceDependency, WallClock};
pub use time_format::{format_duration, rfc3339};

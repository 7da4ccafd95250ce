//! TODO purpose.

pub mod condition;
mod dependency_record;
mod queue;
mod render;
mod report;
mod time_format;
pub use dependency_record::Record;
pub use queue::Queue;
pub use render::{Line, Report};
pub use report::{Clock, Dependency, Health};
pub use time_format::{lasting, rfc3339};

//! What the daemon knows of itself: whether what it depends on is there, and whether it can do its
//! job.

mod condition;
mod health;
mod report;
mod time;

pub use condition::{Condition, Record};
pub use health::{Clock, Dependency, Health};
pub use report::{Line, Report};
pub use time::{lasting, rfc3339};

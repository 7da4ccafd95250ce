//! What the daemon knows of itself: whether what it depends on is there, whether it can do its job,
//! how full its queues are.

mod condition;
mod health;
mod queue;
mod report;
mod time;
pub mod view;

pub use condition::{Condition, Record};
pub use health::{Clock, Dependency, Health};
pub use queue::Queue;
pub use report::{Line, Report};
pub use time::{lasting, rfc3339};

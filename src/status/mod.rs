//! What the daemon knows of itself: whether what it depends on is there, whether it can do its job,
//! how full its queues are.

mod condition;
mod health;
mod history;
mod play;
mod queue;
mod report;
mod sampler;
mod time;
pub mod view;

pub use crate::condition::Condition;
pub use condition::Record;
pub use health::{Clock, Dependency, Health};
pub use play::{Act, Actor, Offer, Play};
pub use queue::Queue;
pub use report::{Line, Report};
pub use sampler::Sampler;
pub use time::{lasting, rfc3339};

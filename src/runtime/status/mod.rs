//! What the daemon knows of itself: whether what it depends on is there, whether it can do its job,
//! how full its queues are.

mod history;
mod play;

mod sampler;

pub mod view;

pub use crate::health::condition::Condition;

pub use play::{Act, Actor, Offer, Play};

pub use sampler::Sampler;

//! What the daemon knows of itself: whether what it depends on is there, whether it can do its job,
//! how full its queues are.

mod demo_controls;
mod history;

mod sampler;

pub mod metrics_view;

pub use demo_controls::{DemoAction, DemoActionHandler, DemoControls, DemoUser};

pub use sampler::StatusSampler;

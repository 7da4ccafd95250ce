//! The data of the status page and of `notify_push metrics`: samples, history, formatted figures.

mod demo_controls;
mod history;

mod sampler;

pub mod metrics_view;

pub use demo_controls::{DemoAction, DemoActionHandler, DemoControls, DemoUser};

pub use sampler::StatusSampler;

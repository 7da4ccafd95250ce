//! Signals, drain, tracked tasks, service-manager notification.

mod tasks;

pub use tasks::Tasks;

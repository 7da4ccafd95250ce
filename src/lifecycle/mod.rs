//! Signals, drain, tracked tasks, service-manager notification.

mod activation;
mod panics;
mod run;
mod service;
mod shutdown;
mod signals;
mod tasks;
mod watchdog;

pub use activation::{Activation, ActivationError};
pub use panics::log_panics;
pub use run::{Exit, Reload, run};
pub use service::{NotifyError, ServiceManager};
pub use shutdown::Shutdown;
pub use signals::{Signal, Signals};
pub use tasks::Tasks;
pub use watchdog::feed_watchdog;

//! The process's life cycle: signals, tracked tasks, phases of the shutdown, service manager.

mod panics;
mod run;
mod service_manager;
mod shutdown;
mod signals;
mod socket_activation;
mod tasks;
mod watchdog;

pub use panics::log_panics;
pub use run::{ExitReason, ReloadHandler, run};
pub use service_manager::{ServiceManager, ServiceManagerError};
pub use shutdown::ShutdownSequence;
pub use signals::{ProcessSignal, SignalStream};
pub use socket_activation::{SocketActivation, SocketActivationError};
pub use tasks::TaskGroup;
pub use watchdog::feed_watchdog;

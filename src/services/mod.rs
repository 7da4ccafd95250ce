//! The services: one folder and one line of [`kinds`] each, and the interface to the daemon.

mod context;
pub mod gauges;
#[cfg(feature = "nextcloud")]
pub mod nextcloud;
#[cfg(feature = "phorge")]
pub mod phorge;
mod service;
mod service_metrics;
pub mod sessions;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use crate::{client::ByteStream, health::WallClock};
pub use context::{ServiceContext, ShutdownPhases, spawn_until_stopped};
pub use service::{
    CompatMetricsReader, ListenerAudience, ProgramInvocation, RunningService, SelfProbe,
    SelfProbeError, SelfTest, SelfTestTask, Service, ServiceCommandError, ServiceCommands,
    ServiceInput, ServiceListener, ServiceReload, ServiceStartError, SessionSummary, Sessions,
};
pub use service_metrics::{MetricLabelNames, ServiceMetrics};

use crate::config::ServiceKind;

/// A configured service of any kind.
pub type BoxedService = Box<dyn Service>;

/// The registry: one line per kind in this build. A daemon without a services file serves the first.
pub fn kinds() -> Vec<ServiceKind<'static, BoxedService>> {
    vec![
        #[cfg(feature = "nextcloud")]
        nextcloud::KIND,
        #[cfg(feature = "phorge")]
        phorge::KIND,
        #[cfg(feature = "webhook")]
        webhook::KIND,
    ]
}

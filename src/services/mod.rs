//! The systems we push for: one folder and one line of [`kinds`] each.

mod service_metrics;
pub use service_metrics::{MetricLabelNames, ServiceMetrics};
mod context;
pub mod gauges;
#[cfg(feature = "nextcloud")]
pub mod nextcloud;
#[cfg(feature = "phorge")]
pub mod phorge;
mod service;
pub mod sessions;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use crate::client::ByteStream;
pub use crate::health::WallClock;
pub use context::{ServiceContext, TaskGroups, spawn_until_stopped};
pub use service::{
    ActionError, ListenerAudience, ProgramInvocation, RunningService, SelfProbe, SelfProbeError,
    Service, ServiceListener, ServiceReload, ServiceStartError,
};

use crate::config::ServiceKind;

/// A host whose settings are known.
pub type BoxedService = Box<dyn Service>;

/// The registry: a line for each kind that this build has. The first is what a daemon without a file of
/// hosts serves.
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

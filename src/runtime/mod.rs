//! The one place where the parts meet.

pub mod admin;
pub mod health_routes;
pub mod metrics_page;
pub mod settings;
pub mod status;
pub use metrics_page::{CompatSnapshotFn, MetricsPage};

mod certificates;
mod daemon;
mod listeners;
mod reload;
mod routes;
mod self_probe;

pub use daemon::Daemon;
pub use reload::{ConfigReader, ReloadedConfig};

use crate::{
    config::{ServiceEntry, ServiceName},
    lifecycle::{ExitReason, ServiceManager, SignalStream},
    runtime::{settings::DaemonSettings, status::DemoControls},
    services,
    services::{BoxedService, WallClock},
    telemetry::log::LogControl,
};

/// What comes from outside the program: the environment, so that all within gets it as a value.
pub struct RuntimeEnvironment {
    /// The log.
    pub log: LogControl,
    /// Who started us.
    pub manager: ServiceManager,
    /// The time of day.
    pub clock: WallClock,
    /// Chance, for jitter.
    pub rng: fastrand::Rng,
    /// Processors, for how much is done at once.
    pub cores: usize,
    /// In a demo, what visitors of its page can do.
    pub play: Option<DemoControls>,
}

/// Why the daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonStartError {
    /// See [`crate::server::ListenError`].
    #[error(transparent)]
    Listen(#[from] crate::server::ListenError),
    /// See [`crate::server::TlsError`].
    #[error(transparent)]
    Tls(#[from] crate::server::TlsError),
    /// See [`crate::telemetry::metrics::MetricsError`].
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::metrics::MetricsError),
    /// The only host.
    #[error(transparent)]
    Host(#[from] services::ServiceStartError),
    /// One of several hosts.
    #[error("host {0} can't start")]
    NamedHost(ServiceName, #[source] services::ServiceStartError),
    /// Two hosts that could not be kept apart.
    #[error(
        "hosts {0} and {1} listen to the same Redis, {2}. Redis publishes to all its databases, so \
         each host would hear the other's changes and even its log-in tickets. Give each Nextcloud a \
         Redis of its own (another port, socket or server) in 'redis' of its config.php"
    )]
    SharedRedis(ServiceName, ServiceName, String),
    /// The system refuses signal handlers.
    #[error("the system refuses signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the daemon until it is told to end; SIGHUP has it read its settings again.
///
/// # Errors
/// [`DaemonStartError`]: nothing has been served then.
pub async fn serve(
    settings: DaemonSettings,
    hosts: Vec<ServiceEntry<BoxedService>>,
    environment: RuntimeEnvironment,
    reload_settings: ConfigReader,
) -> Result<ExitReason, DaemonStartError> {
    let signals = SignalStream::listen().map_err(DaemonStartError::Signals)?;
    let daemon = Daemon::start(&settings, hosts, environment).await?;
    Ok(daemon.rereading(reload_settings).run(signals).await)
}

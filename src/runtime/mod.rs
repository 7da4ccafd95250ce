//! The daemon: wires settings, services and listeners together, reloads, and answers its operator.

pub mod admin;
pub mod health_routes;
pub mod metrics_page;
pub mod settings;
pub mod status;
pub use metrics_page::MetricsPage;

mod certificates;
mod daemon;
mod listeners;
mod probe_endpoint;
mod reload;
mod routes;
mod self_probe;
mod started_service;

pub use daemon::Daemon;
pub use reload::{ConfigReader, ReadConfig, ReloadedConfig};

use crate::{
    config::{ServiceEntry, ServiceName},
    lifecycle::{ExitReason, ServiceManager, SignalStream},
    runtime::{settings::DaemonSettings, status::DemoControls},
    services,
    services::{BoxedService, WallClock},
    telemetry::log::LogControl,
};

/// What comes from outside the process, as values.
pub struct RuntimeEnvironment {
    /// The log's reload handle.
    pub log: LogControl,
    /// The service manager that started us.
    pub manager: ServiceManager,
    /// The time of day.
    pub clock: WallClock,
    /// Random numbers, for jitter.
    pub rng: fastrand::Rng,
    /// The number of processors.
    pub cores: usize,
    /// The controls of a demo's status page.
    pub play: Option<DemoControls>,
}

/// Why the daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonStartError {
    /// A listener can't be bound.
    #[error(transparent)]
    Listen(#[from] crate::server::ListenError),
    /// A certificate can't be used.
    #[error(transparent)]
    Tls(#[from] crate::server::TlsError),
    /// A metric is registered twice.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::metrics::MetricsError),
    /// The only service.
    #[error(transparent)]
    Service(#[from] services::ServiceStartError),
    /// One of several services.
    #[error("service {0} can't start")]
    NamedService(ServiceName, #[source] services::ServiceStartError),
    /// Two services with the same input.
    #[error(
        "services {0} and {1} use the same {kind}, {address}: each would receive the other's messages. \
         {remedy}", kind = .2.kind, address = .2.address, remedy = .2.remedy
    )]
    SharedInput(ServiceName, ServiceName, services::ServiceInput),
    /// The system refuses signal handlers.
    #[error("the system refuses signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the daemon until a signal ends it; SIGHUP reloads the configuration.
///
/// # Errors
/// [`DaemonStartError`]: nothing has been served then.
pub async fn serve(
    settings: DaemonSettings,
    services: Vec<ServiceEntry<BoxedService>>,
    environment: RuntimeEnvironment,
    config_reader: ConfigReader,
) -> Result<ExitReason, DaemonStartError> {
    let signals = SignalStream::listen().map_err(DaemonStartError::Signals)?;
    let daemon = Daemon::start(&settings, services, environment).await?;
    Ok(daemon.with_config_reader(config_reader).run(signals).await)
}

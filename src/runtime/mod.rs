//! The one place where the parts meet.

pub mod admin;
pub mod health_routes;
pub mod metrics_page;
pub mod settings;
pub mod status;
pub use metrics_page::{Original, Page};

mod certificates;
mod daemon;
mod listeners;
mod probe;
mod reload;
mod routes;

pub use daemon::Daemon;
pub use reload::{Fresh, Reread};

use crate::{
    config::{Entry, HostName},
    lifecycle::{Exit, ServiceManager, Signals},
    runtime::{settings::Settings, status::Play},
    services,
    services::{Boxed, Clock},
    telemetry::log::LogControl,
};

/// What comes from outside the program: the rim, so that all within gets it as a value.
pub struct Rim {
    /// The log.
    pub log: LogControl,
    /// Who started us.
    pub manager: ServiceManager,
    /// The time of day.
    pub clock: Clock,
    /// Chance, for jitter.
    pub rng: fastrand::Rng,
    /// Processors, for how much is done at once.
    pub cores: usize,
    /// In a demo, what visitors of its page can do.
    pub play: Option<Play>,
}

/// Why the daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
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
    Host(#[from] services::StartError),
    /// One of several hosts.
    #[error("host {0} can't start")]
    NamedHost(HostName, #[source] services::StartError),
    /// Two hosts that could not be kept apart.
    #[error(
        "hosts {0} and {1} listen to the same Redis, {2}. Redis publishes to all its databases, so \
         each host would hear the other's changes and even its log-in tickets. Give each Nextcloud a \
         Redis of its own (another port, socket or server) in 'redis' of its config.php"
    )]
    SameSource(HostName, HostName, String),
    /// The system refuses signal handlers.
    #[error("the system refuses signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the daemon until it is told to end; SIGHUP has it read its settings again.
///
/// # Errors
/// [`StartError`]: nothing has been served then.
pub async fn serve(
    settings: Settings,
    hosts: Vec<Entry<Boxed>>,
    rim: Rim,
    reread: Reread,
) -> Result<Exit, StartError> {
    let signals = Signals::listen().map_err(StartError::Signals)?;
    let daemon = Daemon::start(&settings, hosts, rim).await?;
    Ok(daemon.rereading(reread).run(signals).await)
}

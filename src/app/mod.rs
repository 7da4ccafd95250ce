//! The one place where the parts meet.

mod daemon;
mod gauges;
mod listeners;
mod nextcloud;
mod probe;

pub use daemon::{Daemon, Feed};

use crate::{
    config::Settings,
    hosts::nextcloud::accounts::Clock,
    lifecycle::{Exit, ServiceManager, Signals},
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
}

/// Why the daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// See [`crate::front::ListenError`].
    #[error(transparent)]
    Listen(#[from] crate::front::ListenError),
    /// See [`crate::front::TlsError`].
    #[error(transparent)]
    Tls(#[from] crate::front::TlsError),
    /// See [`crate::store::StoreError`].
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// See [`crate::telemetry::metrics::MetricsError`].
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::metrics::MetricsError),
    /// The system refuses an event queue, a signal handler or random numbers.
    #[error("the system refuses {0}")]
    System(&'static str, #[source] std::io::Error),
}

/// Runs the daemon until it is told to end.
///
/// # Errors
/// [`StartError`]: nothing has been served then.
pub async fn serve(settings: Settings, rim: Rim) -> Result<Exit, StartError> {
    let signals = Signals::listen().map_err(|error| StartError::System("signals", error))?;
    Ok(Daemon::start(&settings, rim, Feed::Redis).await?.run(signals).await)
}

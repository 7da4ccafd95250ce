//! The one place where the parts meet.

mod listeners;
mod nextcloud;

use crate::{
    config::Settings,
    hosts::nextcloud::{accounts::Clock, channels::CHANNELS, dialect::TOPIC_SPECS},
    lifecycle::{self, Exit, ServiceManager, Shutdown, Signals, Tasks},
    telemetry::{
        log::LogControl,
        metrics::{Names, Observers},
    },
};
use listeners::Listeners;
use nextcloud::NextcloudParts;
use std::time::Duration;

/// The names of those who decide log-ins, as metrics know them.
const METHODS: &[&str] = &["ticket", "database", "nextcloud"];
/// How long listeners and sources may take to end; sessions get the grace period of the settings.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Beyond the grace period, for clients that don't answer a close frame.
const GOODBYE: Duration = Duration::from_secs(5);

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

/// The groups that end one after the other.
struct Groups {
    listeners: Tasks,
    sources: Tasks,
    sessions: Tasks,
}

/// Runs the daemon until it is told to end.
///
/// # Errors
/// [`StartError`]: nothing has been served then.
pub async fn serve(settings: Settings, rim: Rim) -> Result<Exit, StartError> {
    let signals = Signals::listen().map_err(|error| StartError::System("signals", error))?;
    let listeners = Listeners::bind(&settings).await?;
    let observers = Observers::register(Names {
        version: env!("CARGO_PKG_VERSION"),
        topics: &TOPIC_SPECS.map(|topic| topic.name),
        channels: CHANNELS,
        methods: METHODS,
    })?;
    let tasks = Tasks::default();
    let groups =
        Groups { listeners: tasks.group(), sources: tasks.group(), sessions: tasks.group() };
    let Rim { log, manager, clock, rng, cores } = rim;
    let grace = settings.grace;
    let parts = NextcloudParts { settings: &settings, observers, log, clock, rng, cores };
    let nextcloud = parts.start(&groups)?;
    let certificates = listeners.serve(&nextcloud, &settings, &groups.listeners);
    let shutdown = Shutdown::default()
        .then("listeners", groups.listeners, BRIEFLY)
        .then("sources", groups.sources, BRIEFLY)
        .then("sessions", groups.sessions, grace + GOODBYE);
    let reload = || certificates.reload();
    Ok(lifecycle::run(&tasks, signals, &manager, shutdown, reload).await)
}

//! A daemon from its first listener to its last goodbye.

use super::{
    Rim, StartError,
    listeners::{Certificates, Listeners},
    nextcloud::NextcloudParts,
    probe::Probe,
};
use crate::{
    config::Settings,
    front::Local,
    hosts::nextcloud::{channels::CHANNELS, dialect::TOPIC_SPECS},
    lifecycle::{self, Exit, ServiceManager, Shutdown, Signal, Tasks, feed_watchdog},
    source::Delivery,
    telemetry::metrics::{Names, Observers},
};
use futures_util::Stream;
use std::time::Duration;
use tokio::sync::mpsc;

/// The names of those who decide log-ins, as metrics know them.
const METHODS: &[&str] = &["ticket", "database", "nextcloud"];
/// How long listeners and sources may take to end; sessions get the drain time of the settings.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Beyond the drain time, for clients that don't answer a close frame.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where messages come from.
#[derive(Debug)]
pub enum Feed {
    /// Redis, as the settings say.
    Redis,
    /// Whoever holds the other end ([`crate::source::memory`]); the settings' Redis is never asked.
    Memory(mpsc::Receiver<Delivery>),
}

/// A daemon that serves its clients.
pub struct Daemon {
    tasks: Tasks,
    shutdown: Shutdown,
    certificates: Certificates,
    manager: ServiceManager,
    local: Local,
    probe: Probe,
}

/// The groups that end one after the other.
pub(super) struct Groups {
    pub(super) listeners: Tasks,
    pub(super) sources: Tasks,
    pub(super) sessions: Tasks,
}

impl Daemon {
    /// Binds, puts everything together and serves.
    ///
    /// # Errors
    /// [`StartError`]: nothing has been served then.
    pub async fn start(settings: &Settings, rim: Rim, feed: Feed) -> Result<Self, StartError> {
        let Rim { log, mut manager, clock, rng, cores } = rim;
        let listeners = Listeners::bind(settings, manager.take_sockets()).await?;
        let local = listeners.local()?;
        let observers = Observers::register(Names {
            version: env!("CARGO_PKG_VERSION"),
            topics: &TOPIC_SPECS.map(|topic| topic.name),
            channels: CHANNELS,
            methods: METHODS,
        })?;
        let tasks = Tasks::default();
        let groups =
            Groups { listeners: tasks.group(), sources: tasks.group(), sessions: tasks.group() };
        let parts = NextcloudParts { settings, observers, log, clock, rng, cores };
        let mut chance = parts.rng.clone();
        let nextcloud = parts.start(&groups, feed)?;
        let certificates = listeners.serve(&nextcloud, settings, &groups.listeners);
        let probe = nextcloud.probe(local.clone(), settings.listen.tls.is_some(), chance.fork());
        let drain = settings.drain_time + GOODBYE;
        let shutdown = Shutdown::within(2 * BRIEFLY + drain)
            .then("listeners", groups.listeners, BRIEFLY)
            .then("sources", groups.sources, BRIEFLY)
            .then("sessions", groups.sessions, drain);
        Ok(Self { tasks, shutdown, certificates, manager, local, probe })
    }

    /// Where clients connect.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// Goes on until a signal asks it to end, and ends in order.
    pub async fn run(self, signals: impl Stream<Item = Signal> + Unpin) -> Exit {
        let Self { tasks, shutdown, certificates, manager, probe, .. } = self;
        let reload = || certificates.reload();
        let stop = tasks.stopping().clone();
        tokio::select! {
            exit = lifecycle::run(&tasks, signals, &manager, shutdown, reload) => exit,
            // Fed until the very end: a daemon that sees its clients off is not hung.
            () = feed_watchdog(&manager, || probe.go(), stop) => Exit::Clean,
        }
    }
}

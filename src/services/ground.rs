//! What the daemon gives a host to stand on.

use super::StartError;
use crate::{
    config::{HostName, Place},
    health::Clock,
    lifecycle::Tasks,
    push::hub::{Hub, HubSettings},
    telemetry::{log, log::LogControl},
};
use std::{future::Future, time::Duration};
use tracing::Span;

/// Shards of a hub at most; each is one task.
const MAX_SHARDS: usize = 8;

/// What a host begins with.
pub struct Ground {
    /// What it is called, where it has a name.
    pub name: Option<HostName>,
    /// Which of the shared listener's requests are its own.
    pub place: Place,
    /// Where its tasks run.
    pub groups: Groups,
    /// The log.
    pub log: LogControl,
    /// The time of day.
    pub clock: Clock,
    /// Chance, for jitter.
    pub rng: fastrand::Rng,
    /// Processors, for how much is done at once.
    pub cores: usize,
    /// Over how long the clients' close frames are spread at the end.
    pub drain_time: Duration,
}

impl Ground {
    /// How many shards a hub has here.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.cores.clamp(1, MAX_SHARDS)).unwrap_or(1)
    }

    /// Starts the host's hub among the sessions.
    ///
    /// # Errors
    /// [`StartError::System`].
    pub fn start_hub(&mut self, settings: HubSettings) -> Result<Hub, StartError> {
        Hub::start(settings, &self.groups.sessions, &mut self.rng)
            .map_err(|error| StartError::System("an event queue", error))
    }
}

/// Groups of tasks, which end one after the other. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    /// What takes connections in.
    pub listeners: Tasks,
    /// What hears of changes and looks after sessions.
    pub sources: Tasks,
    /// The sessions.
    pub sessions: Tasks,
}

impl Groups {
    /// The same, for what one host does: its name stands in each line that is logged meanwhile. A
    /// host without a name is the only one, and needs none.
    #[must_use]
    pub fn of(&self, name: Option<&HostName>) -> Self {
        let span = name.map_or_else(Span::none, log::of_host);
        let Self { listeners, sources, sessions } = self;
        Self {
            listeners: listeners.within(span.clone()),
            sources: sources.within(span.clone()),
            sessions: sessions.within(span),
        }
    }
}

/// A core task that has no end of its own.
pub fn until_stopped(
    tasks: &Tasks,
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let stop = tasks.stopping().clone();
    tasks.core(name, async move {
        stop.run_until_cancelled(work).await;
    });
}

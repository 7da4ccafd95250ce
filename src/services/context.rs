//! What the daemon gives a host to stand on.

use super::ServiceStartError;
use crate::{
    config::{ServiceName, ServiceRoute},
    health::WallClock,
    lifecycle::TaskGroup,
    push::hub::{Hub, HubSettings},
    telemetry::{log, log::LogControl},
};
use std::{future::Future, time::Duration};
use tracing::Span;

/// Shards of a hub at most; each is one task.
const MAX_SHARDS: usize = 8;

/// What a host begins with.
pub struct ServiceContext {
    /// What it is called, where it has a name.
    pub name: Option<ServiceName>,
    /// Which of the shared listener's requests are its own.
    pub place: ServiceRoute,
    /// Where its tasks run.
    pub groups: TaskGroups,
    /// The log.
    pub log: LogControl,
    /// The time of day.
    pub clock: WallClock,
    /// Chance, for jitter.
    pub rng: fastrand::Rng,
    /// Processors, for how much is done at once.
    pub cores: usize,
    /// Over how long the clients' close frames are spread at the end.
    pub drain_time: Duration,
}

impl ServiceContext {
    /// How many shards a hub has here.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.cores.clamp(1, MAX_SHARDS)).unwrap_or(1)
    }

    /// Starts the host's hub among the sessions.
    ///
    /// # Errors
    /// [`ServiceStartError::System`].
    pub fn start_hub(&mut self, settings: HubSettings) -> Result<Hub, ServiceStartError> {
        Hub::start(settings, &self.groups.sessions, &mut self.rng)
            .map_err(|error| ServiceStartError::System("an event queue", error))
    }
}

/// Groups of tasks, which end one after the other. Cheap to clone.
#[derive(Clone)]
pub struct TaskGroups {
    /// What takes connections in.
    pub listeners: TaskGroup,
    /// What hears of changes and looks after sessions.
    pub sources: TaskGroup,
    /// The sessions.
    pub sessions: TaskGroup,
}

impl TaskGroups {
    /// The same, for what one host does: its name stands in each line that is logged meanwhile. A
    /// host without a name is the only one, and needs none.
    #[must_use]
    pub fn of(&self, name: Option<&ServiceName>) -> Self {
        let span = name.map_or_else(Span::none, log::service_span);
        let Self { listeners, sources, sessions } = self;
        Self {
            listeners: listeners.within(span.clone()),
            sources: sources.within(span.clone()),
            sessions: sessions.within(span),
        }
    }
}

/// A core task that has no end of its own.
pub fn spawn_until_stopped(
    tasks: &TaskGroup,
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let stop = tasks.stopping().clone();
    tasks.core(name, async move {
        stop.run_until_cancelled(work).await;
    });
}

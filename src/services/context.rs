//! What the daemon gives a service to start with.

use super::ServiceStartError;
use crate::{
    config::{ServiceName, ServiceRoute},
    health::WallClock,
    lifecycle::TaskGroup,
    push::hub::{BacklogMemory, Hub, HubSettings},
    telemetry::{log, log::LogControl},
};
use std::{future::Future, time::Duration};
use tracing::Span;

/// A hub has at most this many shards; each is one task.
const MAX_SHARDS: usize = 8;

/// Everything a service needs to start.
pub struct ServiceContext {
    /// Its name, if the configuration gives one.
    pub name: Option<ServiceName>,
    /// Which requests of the shared listener belong to it.
    pub route: ServiceRoute,
    /// Where its tasks run.
    pub phases: ShutdownPhases,
    /// The log's reload handle.
    pub log: LogControl,
    /// The time of day.
    pub clock: WallClock,
    /// Random numbers, for jitter.
    pub rng: fastrand::Rng,
    /// The number of processors.
    pub cores: usize,
    /// The limit on its sessions where the configuration sets none: its share of the file descriptors.
    pub max_sessions: usize,
    /// What the slow clients of all services may let wait.
    pub backlog_memory: BacklogMemory,
    /// Over how long close frames are spread at shutdown.
    pub drain_time: Duration,
}

impl ServiceContext {
    /// The number of shards of a hub.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.cores.clamp(1, MAX_SHARDS)).unwrap_or(1)
    }

    /// Starts the service's hub in the last phase.
    ///
    /// # Errors
    /// [`ServiceStartError::System`].
    pub fn start_hub(&mut self, settings: HubSettings) -> Result<Hub, ServiceStartError> {
        let memory = self.backlog_memory.clone();
        let hub = Hub::start(settings, memory, &self.phases.work, &mut self.rng)
            .map_err(|error| ServiceStartError::System("an event queue", error))?;
        hub.connection_count().set_share(self.max_sessions);
        Ok(hub)
    }
}

/// Groups of tasks that stop one after the other at shutdown. Cheap to clone.
#[derive(Clone)]
pub struct ShutdownPhases {
    /// Accepts connections: stops first.
    pub accept: TaskGroup,
    /// Consumes messages and checks sessions: stops second.
    pub consume: TaskGroup,
    /// Finishes accepted work and closes sessions: stops last, within the drain time.
    pub work: TaskGroup,
}

impl ShutdownPhases {
    /// The same phases for one service: its name is in every line that its tasks log. An unnamed
    /// service is the only one and needs none.
    #[must_use]
    pub fn of(&self, name: Option<&ServiceName>) -> Self {
        let span = name.map_or_else(Span::none, log::service_span);
        let Self { accept, consume, work } = self;
        Self {
            accept: accept.within(span.clone()),
            consume: consume.within(span.clone()),
            work: work.within(span),
        }
    }
}

/// Spawns a core task that runs until its group stops.
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

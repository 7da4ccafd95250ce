//! What the daemon gives a host to stand on.

use crate::{
    config::{HostName, Place},
    lifecycle::Tasks,
    status::Clock,
    telemetry::log::LogControl,
};
use std::{future::Future, time::Duration};

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

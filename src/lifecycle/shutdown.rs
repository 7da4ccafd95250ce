//! Stops groups of tasks one after the other, each within its time.

use super::TaskGroup;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The phases of a shutdown in order: accept no connections, consume no messages, finish the work and
/// close the sessions.
pub struct ShutdownSequence {
    total: Duration,
    phases: Vec<ShutdownPhase>,
}

struct ShutdownPhase {
    name: &'static str,
    tasks: TaskGroup,
    at_most: Duration,
}

impl ShutdownSequence {
    /// All phases together take no longer than `total`.
    pub fn within(total: Duration) -> Self {
        Self { total, phases: Vec::new() }
    }

    /// The longest duration of all phases.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// Adds a phase: this group ([`TaskGroup::group`]) is stopped and waited for, `at_most` this long and
    /// never beyond the total.
    #[must_use]
    pub fn then(mut self, name: &'static str, tasks: TaskGroup, at_most: Duration) -> Self {
        self.phases.push(ShutdownPhase { name, tasks, at_most });
        self
    }

    /// Runs the phases. Returns those that did not finish in time; they end with the
    /// process.
    pub async fn run(self) -> Vec<&'static str> {
        let end = Instant::now() + self.total;
        let mut late = Vec::new();
        for ShutdownPhase { name, tasks, at_most } in self.phases {
            tasks.stopping().cancel();
            let deadline = end.min(Instant::now() + at_most);
            if timeout_at(deadline, tasks.ended()).await.is_err() {
                tracing::warn!(phase = name, "did not finish in time");
                late.push(name);
            }
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::{ShutdownSequence, TaskGroup};
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tokio::time::{Instant, sleep};

    const SECOND: Duration = Duration::from_secs(1);
    const TOTAL: Duration = Duration::from_secs(9);

    #[tokio::test(start_paused = true)]
    async fn a_phase_begins_when_the_one_before_has_ended() {
        let tasks = TaskGroup::default();
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut shutdown = ShutdownSequence::within(TOTAL);
        for name in ["listeners", "sources", "sessions"] {
            let (group, told) = (tasks.group(), Arc::clone(&told));
            let stop = group.stopping().clone();
            group.core(name, async move {
                stop.cancelled().await;
                told.lock().unwrap().push((name, "stopping"));
                sleep(SECOND).await;
                told.lock().unwrap().push((name, "ended"));
            });
            shutdown = shutdown.then(name, group, 2 * SECOND);
        }
        assert_eq!(shutdown.run().await, [""; 0]);
        let names = ["listeners", "sources", "sessions"];
        let expected: Vec<_> =
            names.iter().flat_map(|name| [(*name, "stopping"), (*name, "ended")]).collect();
        assert_eq!(*told.lock().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_hangs_delays_the_others_only_so_long() {
        let (hung, good) = (TaskGroup::default(), TaskGroup::default());
        hung.spawn(std::future::pending::<()>());
        let begun = Instant::now();
        let shutdown =
            ShutdownSequence::within(TOTAL).then("hung", hung, SECOND).then("good", good, SECOND);
        assert_eq!(shutdown.run().await, ["hung"]);
        assert_eq!(begun.elapsed(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_is_bounded_whatever_the_phases_ask_for() {
        let mut shutdown = ShutdownSequence::within(TOTAL);
        for name in ["a", "b", "c"] {
            let tasks = TaskGroup::default();
            tasks.spawn(std::future::pending::<()>());
            shutdown = shutdown.then(name, tasks, 5 * SECOND);
        }
        let begun = Instant::now();
        assert_eq!(shutdown.run().await, ["a", "b", "c"]);
        assert_eq!(begun.elapsed(), TOTAL);
    }
}

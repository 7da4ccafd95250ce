//! Spawns and tracks all tasks; a core task that exits ends the process.

use std::{future::Future, sync::Arc};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};

/// Handle to all tasks of the process (or of one test). Cheap to clone.
#[derive(Clone)]
pub struct TaskGroup {
    tracker: TaskTracker,
    stop: CancellationToken,
    death: Arc<CoreTaskExit>,
    span: Span,
}

impl Default for TaskGroup {
    fn default() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            death: Arc::default(),
            span: Span::none(),
        }
    }
}

#[derive(Default)]
struct CoreTaskExit {
    of: std::sync::OnceLock<&'static str>,
    happened: Notify,
}

impl TaskGroup {
    /// A group that stops apart from the others, for a shutdown in order: it has its own
    /// [`TaskGroup::stopping`] and [`TaskGroup::ended`]; the exit of one of its core tasks is reported to
    /// all. When `self` stops, so does the group.
    #[must_use]
    pub fn group(&self) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: self.stop.child_token(),
            death: Arc::clone(&self.death),
            span: self.span.clone(),
        }
    }

    /// The same group; tasks spawned through this handle log within a span.
    #[must_use]
    pub fn within(&self, span: Span) -> Self {
        Self { span, ..self.clone() }
    }

    /// Spawns a task that may end or panic alone: one connection, one login.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(future).instrument(self.span.clone()))
    }

    /// Spawns a task that the process needs: it runs until [`TaskGroup::stopping`]. If it ends or panics
    /// before, [`TaskGroup::death`] reports it and the process ends with an error.
    pub fn core<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let body = self.spawn(future);
        let (death, stop) = (Arc::clone(&self.death), self.stop.clone());
        self.spawn(async move {
            let ended = body.await;
            if !stop.is_cancelled() || ended.is_err() {
                // Only the first exit is reported: others follow from it.
                let _ = death.of.set(name);
                death.happened.notify_one();
            }
        });
    }

    /// Cancelled when the group stops; every long-lived task watches it.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Resolves with the name of the first core task that exited; pending otherwise.
    pub async fn death(&self) -> &'static str {
        loop {
            if let Some(name) = self.death.of.get() {
                return name;
            }
            self.death.happened.notified().await;
        }
    }

    /// Resolves when every task has ended; call [`CancellationToken::cancel`] on
    /// [`TaskGroup::stopping`] before, and bound the wait.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::TaskGroup;

    #[tokio::test]
    async fn a_panic_in_a_core_task_is_reported_by_name() {
        let tasks = TaskGroup::default();
        tasks.core("source", async { panic!("boom") });
        assert_eq!(tasks.death().await, "source");
    }

    #[tokio::test]
    async fn a_group_stops_alone_but_its_deaths_concern_everybody() {
        let tasks = TaskGroup::default();
        let (first, second) = (tasks.group(), tasks.group());
        let stop = first.stopping().clone();
        first.core("listener", async move { stop.cancelled().await });
        first.stopping().cancel();
        first.ended().await;
        assert!(tasks.death.of.get().is_none() && !second.stopping().is_cancelled());
        second.core("source", async {});
        assert_eq!(tasks.death().await, "source");
        tasks.stopping().cancel();
        assert!(second.stopping().is_cancelled());
    }

    #[tokio::test]
    async fn a_core_task_that_ends_after_stop_is_no_death() {
        let tasks = TaskGroup::default();
        let stop = tasks.stopping().clone();
        tasks.core("hub", async move { stop.cancelled().await });
        tasks.stopping().cancel();
        tasks.ended().await;
        assert!(tasks.death.of.get().is_none());
    }
}

//! Runs the process from READY to its exit code.

use super::{ProcessSignal, ServiceManager, ShutdownSequence, TaskGroup};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use std::time::Duration;
use tokio::time::timeout;

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// A signal ended it, and everything stopped in order.
    Clean,
    /// A second signal ended it at once, without waiting.
    Immediately(ProcessSignal),
    /// The core task of this name ended or panicked.
    CoreTaskFailed(&'static str),
}

impl ExitReason {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::CoreTaskFailed(_) => 1,
            Self::Immediately(signal) => signal.exit_code(),
        }
    }
}

/// What SIGHUP reloads.
pub trait ReloadHandler: Send {
    /// Reloads and returns a summary of one line.
    fn reload(&mut self) -> BoxFuture<'_, String>;
}

// A reload reads a few files; one that hangs must not block SIGTERM.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends READY, waits for the end, and shuts down.
///
/// SIGHUP calls `reload`. The first SIGTERM or SIGINT, or the death of a core task, starts
/// `shutdown`; a second one cuts it short. After [`ExitReason::Immediately`] the caller must not wait for the
/// runtime's blocking threads.
pub async fn run<S>(
    tasks: &TaskGroup,
    mut signals: S,
    manager: &ServiceManager,
    shutdown: ShutdownSequence,
    reload: &mut dyn ReloadHandler,
) -> ExitReason
where
    S: Stream<Item = ProcessSignal> + Unpin,
{
    manager.ready();
    let end = wait_for_shutdown(tasks, &mut signals, manager, reload).await;
    manager.stopping(shutdown.total());
    tokio::select! {
        late = shutdown.run() => {
            tracing::info!(?late, "stopped");
            end
        }
        signal = wait_for_termination(&mut signals) => {
            tracing::warn!(?signal, "second signal; exiting at once");
            if end == ExitReason::Clean { ExitReason::Immediately(signal) } else { end }
        }
    }
}

async fn wait_for_shutdown<S>(
    tasks: &TaskGroup,
    signals: &mut S,
    manager: &ServiceManager,
    reload: &mut dyn ReloadHandler,
) -> ExitReason
where
    S: Stream<Item = ProcessSignal> + Unpin,
{
    loop {
        let signal = tokio::select! {
            name = tasks.death() => {
                tracing::error!(task = name, "core task exited; shutting down");
                return ExitReason::CoreTaskFailed(name);
            }
            signal = next(signals) => signal,
        };
        if signal != ProcessSignal::Hangup {
            tracing::info!(?signal, "shutting down");
            return ExitReason::Clean;
        }
        manager.reloading();
        let summary = timeout(RELOAD_TIMEOUT, reload.reload()).await.unwrap_or_else(|_| {
            tracing::error!(
                "reading the settings again took too long: what the log doesn't call changed stays \
                 as it was, certificates too"
            );
            "reading the settings again took too long: not all of it was taken in".to_owned()
        });
        manager.status(&summary);
        manager.ready();
    }
}

async fn wait_for_termination(
    signals: &mut (impl Stream<Item = ProcessSignal> + Unpin),
) -> ProcessSignal {
    loop {
        match next(signals).await {
            ProcessSignal::Hangup => {}
            signal => return signal,
        }
    }
}

// The end of the signal stream is no reason to stop.
async fn next(signals: &mut (impl Stream<Item = ProcessSignal> + Unpin)) -> ProcessSignal {
    match signals.next().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BoxFuture, ExitReason, ProcessSignal, ReloadHandler, ServiceManager, ShutdownSequence,
        TaskGroup, run,
    };
    use futures_util::stream;
    use std::time::Duration;
    use tokio::time::Instant;

    fn hanging() -> ShutdownSequence {
        let tasks = TaskGroup::default();
        tasks.spawn(std::future::pending::<()>());
        ShutdownSequence::within(Duration::from_secs(9)).then("hung", tasks, Duration::from_secs(3))
    }

    #[derive(Default)]
    struct CountingReload {
        reloads: u32,
        hangs: bool,
    }

    impl ReloadHandler for CountingReload {
        fn reload(&mut self) -> BoxFuture<'_, String> {
            self.reloads += 1;
            let hangs = self.hangs;
            Box::pin(
                async move { if hangs { std::future::pending().await } else { String::new() } },
            )
        }
    }

    async fn life(
        tasks: &TaskGroup,
        signals: &[ProcessSignal],
        shutdown: ShutdownSequence,
    ) -> (ExitReason, u32) {
        let mut counted = CountingReload::default();
        let signals = stream::iter(signals.to_vec());
        let exit = run(tasks, signals, &ServiceManager::default(), shutdown, &mut counted).await;
        (exit, counted.reloads)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_ends_in_order_and_the_exit_is_clean() {
        let begun = Instant::now();
        let (exit, _) = life(&TaskGroup::default(), &[ProcessSignal::Terminate], hanging()).await;
        assert_eq!((exit, exit.code()), (ExitReason::Clean, 0));
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_signal_ends_at_once() {
        let begun = Instant::now();
        let signals = [ProcessSignal::Terminate, ProcessSignal::Hangup, ProcessSignal::Interrupt];
        let (exit, _) = life(&TaskGroup::default(), &signals, hanging()).await;
        assert_eq!((exit, exit.code()), (ExitReason::Immediately(ProcessSignal::Interrupt), 130));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hangup_reloads_and_ends_nothing() {
        let signals = [ProcessSignal::Hangup, ProcessSignal::Hangup, ProcessSignal::Interrupt];
        let (exit, reloads) =
            life(&TaskGroup::default(), &signals, ShutdownSequence::within(Duration::from_secs(9)))
                .await;
        assert_eq!((exit, reloads), (ExitReason::Clean, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_death_of_a_core_task_ends_the_process_with_an_error() {
        let tasks = TaskGroup::default();
        tasks.group().core("source", async { panic!("boom") });
        let (exit, _) = life(&tasks, &[], ShutdownSequence::within(Duration::from_secs(9))).await;
        assert_eq!((exit, exit.code()), (ExitReason::CoreTaskFailed("source"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_stays_the_reason_when_a_signal_cuts_the_end_short() {
        let (tasks, begun) = (TaskGroup::default(), Instant::now());
        tasks.core("source", async {});
        tasks.death().await;
        let manager = ServiceManager::default();
        let signals = Box::pin(stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ProcessSignal::Terminate
        }));
        let exit = run(&tasks, signals, &manager, hanging(), &mut CountingReload::default()).await;
        assert_eq!((exit, begun.elapsed().as_secs()), (ExitReason::CoreTaskFailed("source"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_that_hangs_does_not_keep_the_process_from_ending() {
        let signals = stream::iter([ProcessSignal::Hangup, ProcessSignal::Terminate]);
        let (tasks, manager) = (TaskGroup::default(), ServiceManager::default());
        let mut hanging = CountingReload { hangs: true, ..CountingReload::default() };
        let shutdown = ShutdownSequence::within(Duration::from_secs(9));
        let exit = run(&tasks, signals, &manager, shutdown, &mut hanging).await;
        assert_eq!(exit, ExitReason::Clean);
    }
}

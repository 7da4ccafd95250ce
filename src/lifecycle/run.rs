//! The life of the process from READY to its exit code.

use super::{ServiceManager, Shutdown, Signal, Tasks};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use std::time::Duration;
use tokio::time::timeout;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Asked to, and done in order.
    Clean,
    /// Asked a second time while still at it: at once, without waiting for anything.
    AtOnce(Signal),
    /// A core task of this name ended or panicked.
    Death(&'static str),
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Death(_) => 1,
            Self::AtOnce(signal) => signal.exit_code(),
        }
    }
}

/// Whatever is read again on SIGHUP.
pub trait Reload: Send {
    /// Reads it and takes it in; says in one line what came of it.
    fn reload(&mut self) -> BoxFuture<'_, String>;
}

// A reload reads a few files; one that hangs may not keep the process from hearing SIGTERM.
const RELOAD_AT_MOST: Duration = Duration::from_secs(5);

/// Says READY, then waits for the end and brings it about.
///
/// SIGHUP calls `reload`. The first SIGTERM or SIGINT, or the death of a core task, starts
/// `shutdown`; a second one cuts it short. After [`Exit::AtOnce`] the caller must not wait for the
/// runtime's blocking threads.
pub async fn run<S>(
    tasks: &Tasks,
    mut signals: S,
    manager: &ServiceManager,
    shutdown: Shutdown,
    reload: &mut dyn Reload,
) -> Exit
where
    S: Stream<Item = Signal> + Unpin,
{
    manager.ready();
    let end = until_the_end(tasks, &mut signals, manager, reload).await;
    manager.stopping(shutdown.total());
    tokio::select! {
        late = shutdown.run() => {
            tracing::info!(?late, "ended");
            end
        }
        signal = asked_to_end(&mut signals) => {
            tracing::warn!(?signal, "asked while ending: ending at once");
            if end == Exit::Clean { Exit::AtOnce(signal) } else { end }
        }
    }
}

async fn until_the_end<S>(
    tasks: &Tasks,
    signals: &mut S,
    manager: &ServiceManager,
    reload: &mut dyn Reload,
) -> Exit
where
    S: Stream<Item = Signal> + Unpin,
{
    loop {
        let signal = tokio::select! {
            name = tasks.death() => {
                tracing::error!(part = name, "a part this daemon can't do without has died: ending");
                return Exit::Death(name);
            }
            signal = next(signals) => signal,
        };
        if signal != Signal::Hangup {
            tracing::info!(?signal, "asked to end");
            return Exit::Clean;
        }
        manager.reloading();
        let told = timeout(RELOAD_AT_MOST, reload.reload()).await.unwrap_or_else(|_| {
            tracing::error!(
                "reading the settings again took too long: what the log doesn't call changed stays \
                 as it was, certificates too"
            );
            "reading the settings again took too long: not all of it was taken in".to_owned()
        });
        manager.status(&told);
        manager.ready();
    }
}

async fn asked_to_end(signals: &mut (impl Stream<Item = Signal> + Unpin)) -> Signal {
    loop {
        match next(signals).await {
            Signal::Hangup => {}
            signal => return signal,
        }
    }
}

// A stream of signals that ends has nothing more to say; that is no reason to end.
async fn next(signals: &mut (impl Stream<Item = Signal> + Unpin)) -> Signal {
    match signals.next().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::{BoxFuture, Exit, Reload, ServiceManager, Shutdown, Signal, Tasks, run};
    use futures_util::stream;
    use std::time::Duration;
    use tokio::time::Instant;

    fn hanging() -> Shutdown {
        let tasks = Tasks::default();
        tasks.spawn(std::future::pending::<()>());
        Shutdown::within(Duration::from_secs(9)).then("hung", tasks, Duration::from_secs(3))
    }

    #[derive(Default)]
    struct Counted {
        reloads: u32,
        hangs: bool,
    }

    impl Reload for Counted {
        fn reload(&mut self) -> BoxFuture<'_, String> {
            self.reloads += 1;
            let hangs = self.hangs;
            Box::pin(
                async move { if hangs { std::future::pending().await } else { String::new() } },
            )
        }
    }

    async fn life(tasks: &Tasks, signals: &[Signal], shutdown: Shutdown) -> (Exit, u32) {
        let mut counted = Counted::default();
        let signals = stream::iter(signals.to_vec());
        let exit = run(tasks, signals, &ServiceManager::default(), shutdown, &mut counted).await;
        (exit, counted.reloads)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_ends_in_order_and_the_exit_is_clean() {
        let begun = Instant::now();
        let (exit, _) = life(&Tasks::default(), &[Signal::Terminate], hanging()).await;
        assert_eq!((exit, exit.code()), (Exit::Clean, 0));
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_signal_ends_at_once() {
        let begun = Instant::now();
        let signals = [Signal::Terminate, Signal::Hangup, Signal::Interrupt];
        let (exit, _) = life(&Tasks::default(), &signals, hanging()).await;
        assert_eq!((exit, exit.code()), (Exit::AtOnce(Signal::Interrupt), 130));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hangup_reloads_and_ends_nothing() {
        let signals = [Signal::Hangup, Signal::Hangup, Signal::Interrupt];
        let (exit, reloads) =
            life(&Tasks::default(), &signals, Shutdown::within(Duration::from_secs(9))).await;
        assert_eq!((exit, reloads), (Exit::Clean, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_death_of_a_core_task_ends_the_process_with_an_error() {
        let tasks = Tasks::default();
        tasks.group().core("source", async { panic!("boom") });
        let (exit, _) = life(&tasks, &[], Shutdown::within(Duration::from_secs(9))).await;
        assert_eq!((exit, exit.code()), (Exit::Death("source"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_stays_the_reason_when_a_signal_cuts_the_end_short() {
        let (tasks, begun) = (Tasks::default(), Instant::now());
        tasks.core("source", async {});
        tasks.death().await;
        let manager = ServiceManager::default();
        let signals = Box::pin(stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Signal::Terminate
        }));
        let exit = run(&tasks, signals, &manager, hanging(), &mut Counted::default()).await;
        assert_eq!((exit, begun.elapsed().as_secs()), (Exit::Death("source"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_that_hangs_does_not_keep_the_process_from_ending() {
        let signals = stream::iter([Signal::Hangup, Signal::Terminate]);
        let (tasks, manager) = (Tasks::default(), ServiceManager::default());
        let mut hanging = Counted { hangs: true, ..Counted::default() };
        let shutdown = Shutdown::within(Duration::from_secs(9));
        let exit = run(&tasks, signals, &manager, shutdown, &mut hanging).await;
        assert_eq!(exit, Exit::Clean);
    }
}

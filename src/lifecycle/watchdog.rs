//! Notifies the service manager's watchdog while the daemon's self-test succeeds.

use super::ServiceManager;
use std::{fmt::Display, future::Future, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Tests and notifies until `stop`. Without a watchdog no test runs.
///
/// `probe` takes the path of a client: through the listener and the event path and back. While it
/// succeeds, the manager is notified at half its interval. A probe that fails or takes longer than a
/// quarter of the interval sends nothing and is retried after an eighth: one failure is tolerated, a
/// hung daemon is restarted.
pub async fn feed_watchdog<P, F, E>(manager: &ServiceManager, mut probe: P, stop: CancellationToken)
where
    P: FnMut() -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let Some(interval) = manager.watchdog() else { return stop.cancelled().await };
    loop {
        let begun = Instant::now();
        let pause = if works(probe(), interval / 4).await {
            manager.alive();
            interval / 2
        } else {
            interval / 8
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(begun + pause) => {}
        }
    }
}

async fn works<E: Display>(probe: impl Future<Output = Result<(), E>>, at_most: Duration) -> bool {
    match timeout(at_most, probe).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::error!(%error, "self-test failed"),
        Err(_) => tracing::error!(?at_most, "self-test timed out"),
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{ServiceManager, feed_watchdog};
    use std::{
        cell::{Cell, RefCell},
        os::unix::net::UnixDatagram,
        time::Duration,
    };
    use tokio::time::{Instant, timeout};
    use tokio_util::sync::CancellationToken;

    struct FakeServiceManager {
        socket: UnixDatagram,
        client: ServiceManager,
        _folder: tempfile::TempDir,
    }

    impl FakeServiceManager {
        fn with_watchdog(usec: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            let variable = |name: &str| match name {
                "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
                "WATCHDOG_USEC" => Some(usec.into()),
                _ => None,
            };
            let client = ServiceManager::from_environment(variable, 1).unwrap();
            Self { socket, client, _folder: folder }
        }

        fn keep_alives(&self) -> usize {
            let mut buffer = [0; 64];
            let heard = || self.socket.recv(&mut buffer).ok().map(|length| length == 10);
            std::iter::from_fn(heard).filter(|alive| *alive).count()
        }
    }

    async fn run_for<F: Future>(seconds: u64, future: F) {
        assert!(timeout(Duration::from_secs(seconds), future).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_works_is_fed_for_at_half_the_interval() {
        let manager = FakeServiceManager::with_watchdog("20000000");
        let probe = async || Ok::<_, &str>(());
        run_for(35, feed_watchdog(&manager.client, probe, CancellationToken::new())).await;
        assert_eq!(manager.keep_alives(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_hangs_is_not_fed_for() {
        let manager = FakeServiceManager::with_watchdog("20000000");
        let probe = || std::future::pending::<Result<(), &str>>();
        run_for(100, feed_watchdog(&manager.client, probe, CancellationToken::new())).await;
        assert_eq!(manager.keep_alives(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_hiccup_leaves_no_gap_as_long_as_the_interval() {
        let manager = FakeServiceManager::with_watchdog("16000000");
        let (turn, good) = (Cell::new(0), RefCell::new(Vec::new()));
        let begun = Instant::now();
        let probe = async || {
            turn.set(turn.get() + 1);
            if turn.get() == 2 {
                return Err("refused");
            }
            good.borrow_mut().push(begun.elapsed().as_secs());
            Ok(())
        };
        run_for(20, feed_watchdog(&manager.client, probe, CancellationToken::new())).await;
        assert_eq!(*good.borrow(), [0, 10, 18]);
        assert_eq!(manager.keep_alives(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_when_told_to_with_and_without_a_watchdog() {
        for manager in
            [FakeServiceManager::with_watchdog("1000000").client, ServiceManager::default()]
        {
            let stop = CancellationToken::new();
            let probe = async || Ok::<_, &str>(());
            let feeding = feed_watchdog(&manager, probe, stop.clone());
            tokio::join!(feeding, async { stop.cancel() });
        }
    }
}

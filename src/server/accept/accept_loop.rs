//! The accept loop, which survives a lack of descriptors.

use rustix::io::Errno;
use std::{future::Future, io, time::Duration};

/// Delays when descriptors or memory run out: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Passes on accepted connections. A lack of resources is logged once, when it begins; meanwhile the
/// clients wait in the backlog.
pub(super) async fn accept_loop<T, F>(accept: impl Fn() -> F, admit: impl Fn(T))
where
    F: Future<Output = io::Result<T>>,
{
    let mut pause = None;
    loop {
        match accept().await {
            Ok(accepted) => {
                if pause.take().is_some() {
                    tracing::info!("accepting clients again");
                }
                admit(accepted);
            }
            Err(error) if exhausted(&error) => {
                if pause.is_none() {
                    tracing::warn!(%error, "cannot accept clients; is the descriptor limit too low?");
                }
                let next = pause.map_or(FIRST_PAUSE, |pause: Duration| (pause * 2).min(LAST_PAUSE));
                pause = Some(next);
                tokio::time::sleep(next).await;
            }
            // The client closed between its connect and our accept: accept(2).
            Err(error) => {
                tracing::debug!(%error, "client disconnected before it was accepted");
                // In case the cause is another one, let other tasks run.
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Whether an immediate retry would fail again.
fn exhausted(error: &io::Error) -> bool {
    let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::{Duration, Errno, accept_loop, io};
    use std::cell::RefCell;
    use tokio::time::{Instant, timeout};

    /// Accepts what the script says, one entry a call; then nobody comes.
    async fn run(script: Vec<Result<u32, Errno>>) -> Vec<(u32, Duration)> {
        let (start, script) = (Instant::now(), RefCell::new(script.into_iter()));
        let admitted = RefCell::new(Vec::new());
        let accept = || async {
            let next = script.borrow_mut().next();
            match next {
                Some(Ok(client)) => Ok(client),
                Some(Err(code)) => Err(io::Error::from_raw_os_error(code.raw_os_error())),
                None => std::future::pending().await,
            }
        };
        let admit = |client| admitted.borrow_mut().push((client, start.elapsed()));
        let never = timeout(Duration::from_secs(3600), accept_loop(accept, admit)).await;
        assert!(never.is_err());
        admitted.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_it_waits_ever_longer_and_recovers() {
        let mut script = vec![Err(Errno::MFILE); 5];
        script.extend([Ok(1), Err(Errno::NFILE), Ok(2)]);
        // 10 + 20 + 40 + 80 + 160 ms, then afresh. tokio's clock ticks in milliseconds.
        let millis: Vec<_> = run(script).await.iter().map(|(_, at)| at.as_millis()).collect();
        assert!((310..320).contains(&millis[0]), "{millis:?}");
        assert!((320..335).contains(&millis[1]), "{millis:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_is_longer_than_a_second() {
        let mut script = vec![Err(Errno::NOBUFS); 20];
        script.push(Ok(1));
        let waited = run(script).await[0].1;
        assert!(waited > Duration::from_secs(13) && waited < Duration::from_secs(15), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_gave_up_delays_nobody() {
        let script = vec![Err(Errno::CONNABORTED), Ok(1), Err(Errno::PERM), Ok(2)];
        assert_eq!(run(script).await, [(1, Duration::ZERO), (2, Duration::ZERO)]);
    }
}

//! Reconnect delays: exponential, with jitter, reset only after a healthy minute.

use std::time::Duration;
use tokio::time::Instant;

/// The first delay is at most this.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// The longest delay. An attempt costs one refused connection, while every second of delay is a second
/// of lost events; twenty daemons that wait 5 to 10 s make two or three attempts a second.
pub const MAX_DELAY: Duration = Duration::from_secs(10);

/// A connection that lasted this long was healthy: the next loss starts over with `FIRST_DELAY`. After a
/// shorter one the delays keep growing, so that a server which accepts and drops connections isn't
/// overloaded.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// The delays between connection attempts. Time and randomness are passed in.
#[derive(Debug)]
pub struct ReconnectBackoff {
    rng: fastrand::Rng,
    failures: u32,
    since: Option<Instant>,
}

impl ReconnectBackoff {
    /// Starts with the first delay.
    pub fn new(rng: fastrand::Rng) -> Self {
        Self { rng, failures: 0, since: None }
    }

    /// The attempt succeeded.
    pub fn connected(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// The attempt failed or the connection was lost: how long to wait now. Between half of the step
    /// and all of it, so that many daemons don't reconnect at the same instant.
    pub fn wait(&mut self, now: Instant) -> Duration {
        if self.since.take().is_some_and(|since| now.duration_since(since) >= HEALTHY_AFTER) {
            self.failures = 0;
        }
        let step = FIRST_DELAY.saturating_mul(1 << self.failures.min(16)).min(MAX_DELAY);
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(0.5 + self.rng.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_DELAY, HEALTHY_AFTER, MAX_DELAY, ReconnectBackoff};
    use std::time::Duration;
    use tokio::time::Instant;

    fn backoff() -> ReconnectBackoff {
        ReconnectBackoff::new(fastrand::Rng::with_seed(7))
    }

    #[test]
    fn grows_to_its_limit_and_stays_there_jittered() {
        let (mut backoff, now) = (backoff(), Instant::now());
        let first = backoff.wait(now);
        assert!(first >= FIRST_DELAY / 2 && first <= FIRST_DELAY, "{first:?}");
        let waits: Vec<Duration> = (0..100).map(|_| backoff.wait(now)).collect();
        assert!(waits.iter().all(|wait| *wait <= MAX_DELAY));
        assert!(waits[10..].iter().all(|wait| *wait >= MAX_DELAY / 2));
        assert!(waits[10..].iter().any(|wait| *wait != waits[10]), "no jitter");
    }

    #[test]
    fn two_daemons_wait_differently() {
        let now = Instant::now();
        let mut other = ReconnectBackoff::new(fastrand::Rng::with_seed(8));
        assert_ne!(backoff().wait(now), other.wait(now));
    }

    #[test]
    fn a_connection_lost_at_once_resets_nothing() {
        let (mut backoff, now) = (backoff(), Instant::now());
        for _ in 0..20 {
            backoff.connected(now);
            backoff.wait(now + Duration::from_secs(1));
        }
        backoff.connected(now);
        assert!(backoff.wait(now + HEALTHY_AFTER - Duration::from_millis(1)) >= MAX_DELAY / 2);
    }

    #[test]
    fn a_healthy_minute_starts_over() {
        let (mut backoff, now) = (backoff(), Instant::now());
        for _ in 0..20 {
            backoff.wait(now);
        }
        backoff.connected(now);
        assert!(backoff.wait(now + HEALTHY_AFTER) <= FIRST_DELAY);
    }

    #[test]
    fn delays_after_a_healthy_time_grow_again() {
        let (mut backoff, now) = (backoff(), Instant::now());
        backoff.connected(now);
        backoff.wait(now + HEALTHY_AFTER);
        for _ in 0..10 {
            backoff.wait(now + HEALTHY_AFTER * 2);
        }
        assert!(backoff.wait(now + HEALTHY_AFTER * 9) >= MAX_DELAY / 2);
    }
}

//! Limits how often the same message is logged: at once, then once per interval.

use std::{collections::HashMap, hash::Hash, time::Duration};
use tokio::time::Instant;

/// Keys that are remembered. A further key within the interval isn't logged, so that a stream of
/// ever different messages can't fill the log.
const MAX_KEYS: usize = 32;

/// When each message was last logged. Time is passed in.
#[derive(Debug)]
pub struct LogLimiter<K> {
    interval: Duration,
    logged: HashMap<K, Instant>,
}

impl<K: Eq + Hash> LogLimiter<K> {
    /// Lets each key through once per `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, logged: HashMap::new() }
    }

    /// Whether to log the message with this key now.
    pub fn should_log(&mut self, key: K, now: Instant) -> bool {
        let interval = self.interval;
        self.logged.retain(|_, at| now.saturating_duration_since(*at) < interval);
        if self.logged.contains_key(&key) || self.logged.len() >= MAX_KEYS {
            return false;
        }
        self.logged.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{LogLimiter, MAX_KEYS};
    use std::time::Duration;
    use tokio::time::Instant;

    const INTERVAL: Duration = Duration::from_secs(60);

    #[test]
    fn a_message_is_logged_at_once_and_then_once_per_interval() {
        let (mut limiter, start) = (LogLimiter::new(INTERVAL), Instant::now());
        let logged = (0..180).filter(|s| limiter.should_log((), start + Duration::from_secs(*s)));
        assert_eq!(logged.collect::<Vec<u64>>(), [0, 60, 120]);
    }

    #[test]
    fn another_message_is_logged_beside_it() {
        let (mut limiter, now) = (LogLimiter::new(INTERVAL), Instant::now());
        assert!(limiter.should_log("no table", now));
        assert!(limiter.should_log("no right", now));
        assert!(!limiter.should_log("no table", now + INTERVAL / 2));
    }

    #[test]
    fn ever_different_messages_are_bounded() {
        let (mut limiter, now) = (LogLimiter::new(INTERVAL), Instant::now());
        assert_eq!((0..100).filter(|n| limiter.should_log(*n, now)).count(), MAX_KEYS);
    }
}

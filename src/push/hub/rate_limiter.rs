//! The push rate: the clients of one fan-out are notified one after another, so that they don't all send
//! their requests to the service in the same instant.

use crate::push::session::Millis;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many clients are notified of one change at once.
pub const AT_ONCE: usize = 100;

/// Assigns times for notifications: all fan-outs share one rate.
///
/// A session takes a slot only when a topic begins to wait, so there is at most one for each connection
/// and topic at any time: no client waits longer than `connections × topics / rate` seconds.
#[derive(Debug)]
pub struct RateLimiter {
    /// Microseconds between two slots; 0: no limit.
    gap: AtomicU64,
    /// The last slot assigned, in microseconds since the hub's epoch.
    last: AtomicU64,
}

/// How many clients one change was sent to so far.
#[derive(Debug, Default)]
pub struct FanOut(AtomicUsize);

impl RateLimiter {
    /// A limiter for `rate` slots per second; 0: no limit.
    pub fn new(rate: u32) -> Self {
        Self { gap: AtomicU64::new(gap(rate)), last: AtomicU64::new(0) }
    }

    /// Changes the rate; assigned slots stay as they are.
    pub fn set_rate(&self, rate: u32) {
        self.gap.store(gap(rate), Ordering::Relaxed);
    }

    /// When one more client of `fan_out` may be notified; `None`: as soon as the notice is due.
    pub fn slot(&self, fan_out: &FanOut, due: Millis) -> Option<Millis> {
        let gap = self.gap.load(Ordering::Relaxed);
        if gap == 0 || fan_out.0.fetch_add(1, Ordering::Relaxed) < AT_ONCE {
            return None;
        }
        let earliest = due.saturating_mul(1000);
        let next = |last: u64| Some(last.max(earliest) + gap);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let slot = last.unwrap_or(0).max(earliest) + gap;
        Some(slot / 1000)
    }
}

fn gap(rate: u32) -> u64 {
    1_000_000_u64.checked_div(u64::from(rate)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, FanOut, RateLimiter};

    #[test]
    fn a_hundred_at_once_and_then_the_rate() {
        let (rate_limiter, fan_out) = (RateLimiter::new(1000), FanOut::default());
        for _ in 0..AT_ONCE {
            assert_eq!(rate_limiter.slot(&fan_out, 100), None);
        }
        let slots: Vec<_> = (0..5).map(|_| rate_limiter.slot(&fan_out, 100).unwrap()).collect();
        assert_eq!(slots, [101, 102, 103, 104, 105]);
    }

    #[test]
    fn two_fan_outs_share_the_rate() {
        let rate_limiter = RateLimiter::new(500);
        let fan_outs = [FanOut::default(), FanOut::default()];
        let slots: Vec<_> =
            (0..2 * AT_ONCE + 4).filter_map(|n| rate_limiter.slot(&fan_outs[n % 2], 0)).collect();
        assert_eq!(slots, [2, 4, 6, 8]);
    }

    #[test]
    fn a_changed_rate_applies_from_the_next_slot_on() {
        let (rate_limiter, fan_out) = (RateLimiter::new(1000), FanOut::default());
        assert_eq!(
            (0..=AT_ONCE).filter_map(|_| rate_limiter.slot(&fan_out, 0)).collect::<Vec<_>>(),
            [1]
        );
        rate_limiter.set_rate(100);
        assert_eq!(rate_limiter.slot(&fan_out, 0), Some(11));
    }

    #[test]
    fn zero_is_no_limit() {
        let (rate_limiter, fan_out) = (RateLimiter::new(0), FanOut::default());
        assert!((0..1000).all(|_| rate_limiter.slot(&fan_out, 0).is_none()));
    }
}

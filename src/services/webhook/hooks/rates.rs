//! Rate limits of hooks: a token bucket for each.

use crate::services::webhook::store::HookKey;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Maximum buckets. At the limit full buckets are removed; if none is full, calls of further hooks
/// are refused.
const MOST: usize = 65_536;
/// Minimum interval between two removals of full buckets, since each scans all of them.
const SWEEP: Duration = Duration::from_secs(1);
/// Period of the rate.
const MINUTE: Duration = Duration::from_secs(60);

/// Counts calls, also of unknown hooks, so that a caller can't distinguish them. The clock is
/// passed in.
#[derive(Debug)]
pub struct HookRateLimiter {
    per_minute: u32,
    buckets: HashMap<HookKey, HookTokenBucket>,
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct HookTokenBucket {
    /// When the bucket is full again: each call moves it by its share of a minute.
    full_at: Instant,
}

impl HookRateLimiter {
    /// Allows `per_minute` calls of each hook, and as many at once after a quiet minute.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute.max(1), buckets: HashMap::new(), swept: None }
    }

    /// Changes the rate.
    pub fn allow(&mut self, per_minute: u32) {
        self.per_minute = per_minute.max(1);
    }

    /// Counts a call. False: the limit is exceeded, and the call isn't counted.
    pub fn take(&mut self, hook: HookKey, now: Instant) -> bool {
        if self.buckets.len() >= MOST && !self.buckets.contains_key(&hook) {
            if self.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP) {
                return false;
            }
            self.swept = Some(now);
            self.buckets.retain(|_, bucket| bucket.full_at > now);
            if self.buckets.len() >= MOST {
                return false;
            }
        }
        let bucket = self.buckets.entry(hook).or_insert(HookTokenBucket { full_at: now });
        let full_at = bucket.full_at.max(now) + MINUTE / self.per_minute;
        let fits = full_at <= now + MINUTE;
        if fits {
            bucket.full_at = full_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::{HookKey, HookRateLimiter, MINUTE, MOST};
    use tokio::time::Instant;

    fn key(number: usize) -> HookKey {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        HookKey(key)
    }

    #[tokio::test(start_paused = true)]
    async fn a_minutes_calls_at_once_and_then_at_the_rate() {
        let (mut rates, now) = (HookRateLimiter::new(60), Instant::now());
        assert_eq!((0..100).filter(|_| rates.take(key(1), now)).count(), 60);
        assert!(rates.take(key(2), now), "others notice nothing");
        let later = now + MINUTE / 6;
        assert_eq!((0..100).filter(|_| rates.take(key(1), later)).count(), 10);
        let much_later = later + 10 * MINUTE;
        assert_eq!((0..100).filter(|_| rates.take(key(1), much_later)).count(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_guesses_is_bounded_and_ends() {
        let (mut rates, now) = (HookRateLimiter::new(60), Instant::now());
        assert_eq!((0..2 * MOST).filter(|number| rates.take(key(*number), now)).count(), MOST);
        assert!(rates.take(key(3 * MOST), now + MINUTE));
        assert_eq!(rates.buckets.len(), 1);
    }
}

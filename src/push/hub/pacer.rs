//! A crowd is told one after another, so that it doesn't ask the host in the same instant.

use crate::push::session::Millis;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// So many connections may be told of one change at once.
pub const AT_ONCE: usize = 100;

/// Hands out times to tell: the members of all crowds share one rate.
///
/// A session takes a slot only when a topic begins to wait, so at most one for each connection and
/// topic is out at any time: nobody waits longer than `connections × topics / rate` seconds.
#[derive(Debug)]
pub struct Pacer {
    /// Microseconds between two slots; 0: no limit.
    gap: AtomicU64,
    /// The last slot handed out, in microseconds since the hub's epoch.
    last: AtomicU64,
}

/// One change's crowd: who was told of it so far.
#[derive(Debug, Default)]
pub struct Crowd(AtomicUsize);

impl Pacer {
    /// `rate`: slots a second; 0 for no limit.
    pub fn new(rate: u32) -> Self {
        Self { gap: AtomicU64::new(gap(rate)), last: AtomicU64::new(0) }
    }

    /// Another rate from now on; slots handed out stay as they are.
    pub fn set_rate(&self, rate: u32) {
        self.gap.store(gap(rate), Ordering::Relaxed);
    }

    /// When one more member of `crowd` may be told; `None`: whenever it is due.
    pub fn slot(&self, crowd: &Crowd, due: Millis) -> Option<Millis> {
        let gap = self.gap.load(Ordering::Relaxed);
        if gap == 0 || crowd.0.fetch_add(1, Ordering::Relaxed) < AT_ONCE {
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
    use super::{AT_ONCE, Crowd, Pacer};

    #[test]
    fn a_hundred_at_once_then_the_rate() {
        let (pacer, crowd) = (Pacer::new(1000), Crowd::default());
        for _ in 0..AT_ONCE {
            assert_eq!(pacer.slot(&crowd, 100), None);
        }
        let slots: Vec<_> = (0..5).map(|_| pacer.slot(&crowd, 100).unwrap()).collect();
        assert_eq!(slots, [101, 102, 103, 104, 105]);
    }

    #[test]
    fn two_crowds_share_the_rate() {
        let pacer = Pacer::new(500);
        let crowds = [Crowd::default(), Crowd::default()];
        let slots: Vec<_> =
            (0..2 * AT_ONCE + 4).filter_map(|n| pacer.slot(&crowds[n % 2], 0)).collect();
        assert_eq!(slots, [2, 4, 6, 8]);
    }

    #[test]
    fn another_rate_holds_from_the_next_slot_on() {
        let (pacer, crowd) = (Pacer::new(1000), Crowd::default());
        assert_eq!((0..=AT_ONCE).filter_map(|_| pacer.slot(&crowd, 0)).collect::<Vec<_>>(), [1]);
        pacer.set_rate(100);
        assert_eq!(pacer.slot(&crowd, 0), Some(11));
    }

    #[test]
    fn zero_is_no_limit() {
        let (pacer, crowd) = (Pacer::new(0), Crowd::default());
        assert!((0..1000).all(|_| pacer.slot(&crowd, 0).is_none()));
    }
}

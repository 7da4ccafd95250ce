//! Limits how often a client may ask for a replay.

use crate::push::session::Millis;
use std::collections::HashMap;

/// Replays that a client may ask for in a second.
const REPLAYS: u8 = 8;
const SECOND: Millis = 1000;

/// Counts the replays of each client in the current second.
#[derive(Debug, Default)]
pub struct ReplayLimiter(HashMap<u32, (Millis, u8)>);

impl ReplayLimiter {
    /// Whether the client may have another replay now.
    pub(super) fn allows(&mut self, client: u32, now: Millis) -> bool {
        let (second, count) = self.0.entry(client).or_default();
        if *second != now / SECOND {
            (*second, *count) = (now / SECOND, 0);
        }
        *count = count.saturating_add(1);
        *count <= REPLAYS
    }

    /// The client has left.
    pub(super) fn forget(&mut self, client: u32) {
        self.0.remove(&client);
        if self.0.capacity() > 64 + 8 * self.0.len() {
            self.0.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReplayLimiter;

    #[test]
    fn a_client_has_so_many_replays_in_a_second() {
        let mut limiter = ReplayLimiter::default();
        let mut allowed = |now| (0..20).filter(|_| limiter.allows(1, now)).count();
        assert_eq!((allowed(500), allowed(999), allowed(1000)), (8, 0, 8));
        limiter.forget(1);
        assert!(limiter.allows(1, 1000) && limiter.0.len() == 1);
    }
}

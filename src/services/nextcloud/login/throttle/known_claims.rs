//! Claims that were right recently, in two sets that rotate, so that dropping old ones costs nothing.

use crate::services::nextcloud::login::ClaimFingerprint;
use std::{collections::HashSet, time::Duration};
use tokio::time::Instant;

/// How long a claim is known at least; at most it is known twice as long.
pub const RIGHT_CLAIM_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The most recent claims that are known at least; at most twice as many are kept.
pub const MAX_KNOWN: usize = 65_536;

/// Claims known to be right, by half of their fingerprint: keyed and 64 bits long, so that a second
/// claim with the same half can't be found; and it would only gain one check. The clock is passed
/// in.
#[derive(Debug)]
pub(super) struct KnownClaims {
    young: HashSet<u64>,
    old: HashSet<u64>,
    /// When the sets rotated last.
    since: Instant,
}

impl KnownClaims {
    /// A set without claims.
    pub(super) fn new(start: Instant) -> Self {
        Self { young: HashSet::new(), old: HashSet::new(), since: start }
    }

    /// Whether this claim was right recently.
    pub(super) fn contains(&self, claim: &ClaimFingerprint, now: Instant) -> bool {
        let key = key(claim);
        match self.rotations_due(now) {
            0 => self.young.contains(&key) || self.old.contains(&key),
            1 => self.young.contains(&key),
            _ => false,
        }
    }

    /// Adds a claim that was just found right.
    pub(super) fn insert(&mut self, claim: &ClaimFingerprint, now: Instant) {
        self.rotate(now);
        let key = key(claim);
        if self.young.insert(key) {
            self.old.remove(&key);
        }
    }

    /// Removes a claim that is no longer right.
    pub(super) fn remove(&mut self, claim: &ClaimFingerprint) {
        let key = key(claim);
        self.young.remove(&key);
        self.old.remove(&key);
    }

    fn rotate(&mut self, now: Instant) {
        let due = self.rotations_due(now);
        if due == 0 && self.young.len() < MAX_KNOWN {
            return;
        }
        let young = std::mem::take(&mut self.young);
        self.old = if due <= 1 { young } else { HashSet::new() };
        self.since = if due == 0 { now } else { self.since + RIGHT_CLAIM_LIFETIME * due };
    }

    fn rotations_due(&self, now: Instant) -> u32 {
        let days =
            now.saturating_duration_since(self.since).as_secs() / RIGHT_CLAIM_LIFETIME.as_secs();
        u32::try_from(days).unwrap_or(u32::MAX)
    }

    /// The number of claims that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

fn key(claim: &ClaimFingerprint) -> u64 {
    let mut half = [0; 8];
    half.copy_from_slice(&claim[..8]);
    u64::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::{KnownClaims, MAX_KNOWN, RIGHT_CLAIM_LIFETIME};
    use crate::services::nextcloud::login::ClaimFingerprint;
    use proptest::prelude::*;
    use std::{collections::HashMap, time::Duration};
    use tokio::time::Instant;

    fn claim(number: u64) -> ClaimFingerprint {
        let mut claim = ClaimFingerprint::default();
        claim[..8].copy_from_slice(&number.to_le_bytes());
        claim
    }

    #[test]
    fn the_youngest_are_known_and_no_more_than_twice_as_many_are_kept() {
        let now = Instant::now();
        let mut known = KnownClaims::new(now);
        let many = 5 * MAX_KNOWN as u64 + 7;
        for number in 0..many {
            known.insert(&claim(number), now);
            assert!(known.len() <= 2 * MAX_KNOWN);
        }
        assert!((many - MAX_KNOWN as u64..many).all(|number| known.contains(&claim(number), now)));
        assert!(!known.contains(&claim(0), now));
    }

    #[test]
    fn old_claims_are_dropped_and_their_memory_is_released() {
        let now = Instant::now();
        let mut known = KnownClaims::new(now);
        for number in 0..20_000 {
            known.insert(&claim(number), now);
        }
        known.insert(&claim(1), now + 2 * RIGHT_CLAIM_LIFETIME);
        assert_eq!(known.len(), 1);
        assert!(known.young.capacity() + known.old.capacity() < 100);
    }

    proptest! {
        /// Compares with a plain list of when each claim was right: known for one to two days.
        #[test]
        fn agrees_with_a_list(steps in prop::collection::vec((0u8..5, 0u64..4, 0u64..20), 0..300)) {
            let mut now = Instant::now();
            let (mut known, mut right) = (KnownClaims::new(now), HashMap::new());
            for (step, number, hours) in steps {
                match step {
                    0 => now += Duration::from_secs(hours * 3600),
                    1 => {
                        known.remove(&claim(number));
                        right.remove(&number);
                    }
                    _ => {
                        known.insert(&claim(number), now);
                        right.insert(number, now);
                    }
                }
                for number in 0..4 {
                    let known = known.contains(&claim(number), now);
                    match right.get(&number).map(|at| now.duration_since(*at)) {
                        Some(age) if age < RIGHT_CLAIM_LIFETIME => prop_assert!(known),
                        Some(age) if age < 2 * RIGHT_CLAIM_LIFETIME => (),
                        _ => prop_assert!(!known),
                    }
                }
                prop_assert!(known.len() <= 4);
            }
        }
    }
}

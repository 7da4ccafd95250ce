//! Delays and refuses login attempts after failures, before a hash is computed or Nextcloud is
//! asked. The clock is passed in.

mod failures;
mod known_claims;

pub use failures::{MAX_COUNTED, MAX_KEYS, WINDOW};
pub use known_claims::{MAX_KNOWN, RIGHT_CLAIM_LIFETIME};

use super::ClaimFingerprint;
use crate::{server::client_address::ClientNetwork, services::nextcloud::recent_map::RecentMap};
use failures::FailureLog;
use known_claims::KnownClaims;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Failures that a network may have within [`WINDOW`]; after that it is refused until the first of
/// them is half an hour old. Nextcloud refuses after one more.
pub const MAX_FAILURES: usize = 10;

/// The delay after the first failure; each further failure doubles it up to the last. The same as
/// Nextcloud's.
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LAST_DELAY: Duration = Duration::from_secs(25);

/// A name that fails from many networks is delayed from the 10th failure on, up to this long.
const NAME_FAILURE_LIMIT: usize = 10;
const MAX_NAME_DELAY: Duration = Duration::from_secs(5);

/// Attempts of one network that may wait out a delay at once, and attempts on one name where
/// networks can't be distinguished; further ones are refused.
const MAX_DELAYED: usize = 64;
const MAX_DELAYED_LOCAL: usize = 4;

/// How long a wrong claim is answered from memory, and a suspected one counts only once.
const WRONG_CLAIM_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Claims that are remembered for [`WRONG_CLAIM_LIFETIME`]; the oldest is dropped first.
const MAX_CLAIMS: usize = 65_536;

/// What identifies an attempt; it holds no password.
#[derive(Debug, Clone, Copy)]
pub struct AttemptKey {
    /// The network it comes from.
    pub network: ClientNetwork,
    /// A keyed digest of the user name: the same for `Alice`, ` alice` and `alice`.
    pub name: u64,
    /// A keyed digest of user name, password and network.
    pub claim: ClaimFingerprint,
}

/// What to do with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleDecision {
    /// Check the password now.
    Allow,
    /// Check it after this delay. [`Throttle::delay_ended`] must be called at its end.
    Wait(Duration),
    /// It was wrong within the last minutes, so it is rejected without a check.
    KnownWrong,
    /// Don't check it; the client may come back after this time.
    Refuse(Duration),
}

/// The rules, at least as strict as Nextcloud's own (`specs/nextcloud.md` section 7):
///
/// 1. A claim (user name and password from one network) that was right within the last day (or two)
///    is always checked: its client needs no guessing. So a neighbour behind the same address that
///    fails all the time doesn't lock known clients out.
/// 2. A claim that was wrong within the last five minutes is rejected without a check and counts no
///    further, since nothing was guessed: a client that loops with an old password neither costs a
///    hash nor locks its neighbours out. A success of the same user from the same network ends that.
/// 3. A *network* with failures waits longer with each and is refused from [`MAX_FAILURES`] on,
///    right passwords included, as with Nextcloud. Other networks are not affected.
/// 4. A *name* is only delayed: after ten failures from anywhere, attempts on it wait up to five
///    seconds. It is never refused; otherwise anybody could lock a user out by failing in the user's
///    name. (The user's own known claims don't wait, by rule 1.)
/// 5. Where networks can't be distinguished ([`ClientNetwork::Local`]), no attempt is refused for
///    what other clients may have done: the delays of rule 3 are counted by name, and at most four
///    attempts on one name wait at once.
///
/// A failure is an attempt that was rejected, and one that was not decided although a check found
/// the password wrong or didn't know the user ([`Throttle::suspected`]). A success takes back the
/// failures under the same name from the same network, as in Nextcloud, unless the claim was known
/// to be right before: a client that reconnects all the time gives no other client new tries.
#[derive(Debug)]
pub struct Throttle {
    max_failures: usize,
    networks: FailureLog<ThrottleKey>,
    names: FailureLog<u64>,
    wrong: RecentMap<ClaimFingerprint, Instant>,
    suspected: RecentMap<ClaimFingerprint, ()>,
    right: KnownClaims,
    /// Wrong claims of this user from this network are checked again if they are older than this.
    cleared: RecentMap<(ClientNetwork, u64), Instant>,
    delayed: HashMap<ThrottleKey, usize>,
}

/// What the failures of rule 3 are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum ThrottleKey {
    Network(ClientNetwork),
    LocalName(u64),
}

impl AttemptKey {
    fn counted(&self) -> ThrottleKey {
        match self.network {
            ClientNetwork::Local => ThrottleKey::LocalName(self.name),
            network @ ClientNetwork::Network(_) => ThrottleKey::Network(network),
        }
    }

    /// Enough to distinguish the names of one network.
    fn tag(&self) -> u32 {
        u32::try_from(self.name & u64::from(u32::MAX)).unwrap_or_default()
    }
}

impl Throttle {
    /// A throttle without failures. `max_failures` is [`MAX_FAILURES`] unless Nextcloud's
    /// `auth.bruteforce.max-attempts` says otherwise; at least one.
    pub fn new(max_failures: usize, start: Instant) -> Self {
        Self {
            max_failures: max_failures.clamp(1, MAX_COUNTED),
            networks: FailureLog::new(start),
            names: FailureLog::new(start),
            wrong: RecentMap::new(MAX_CLAIMS, WRONG_CLAIM_LIFETIME),
            suspected: RecentMap::new(MAX_CLAIMS, WRONG_CLAIM_LIFETIME),
            right: KnownClaims::new(start),
            cleared: RecentMap::new(MAX_CLAIMS, WRONG_CLAIM_LIFETIME),
            delayed: HashMap::new(),
        }
    }

    /// Sets how many failures are allowed from now on, at least one; counted failures stay.
    pub fn set_max_failures(&mut self, max_failures: usize) {
        self.max_failures = max_failures.clamp(1, MAX_COUNTED);
    }

    /// Decides what to do with an attempt.
    pub fn rule(&mut self, attempt: &AttemptKey, now: Instant) -> ThrottleDecision {
        self.tidy(now);
        if self.right.contains(&attempt.claim, now) {
            return ThrottleDecision::Allow;
        }
        if self.is_known_wrong(attempt, now) {
            return ThrottleDecision::KnownWrong;
        }
        if let Some(later) = self.refused_until(attempt.network, now) {
            return ThrottleDecision::Refuse(later.duration_since(now));
        }
        let failures = self.networks.count(attempt.counted(), now);
        let delay = delay(failures).max(name_delay(self.names.count(attempt.name, now)));
        if delay.is_zero() {
            return ThrottleDecision::Allow;
        }
        let most = match attempt.counted() {
            ThrottleKey::Network(_) => MAX_DELAYED,
            ThrottleKey::LocalName(_) => MAX_DELAYED_LOCAL,
        };
        let delayed = self.delayed.entry(attempt.counted()).or_default();
        if *delayed >= most {
            return ThrottleDecision::Refuse(delay);
        }
        *delayed += 1;
        ThrottleDecision::Wait(delay)
    }

    /// A delay imposed by [`Throttle::rule`] is over, or its client has disconnected.
    pub fn delay_ended(&mut self, attempt: &AttemptKey) {
        if let Some(delayed) = self.delayed.get_mut(&attempt.counted()) {
            *delayed -= 1;
            if *delayed == 0 {
                self.delayed.remove(&attempt.counted());
            }
        }
    }

    /// Whether attempts from a network are checked; asked again for attempts that waited in a queue
    /// while others from there failed.
    pub fn allows(&self, network: ClientNetwork, now: Instant) -> bool {
        self.refused_until(network, now).is_none()
    }

    /// The attempt was rejected.
    pub fn failed(&mut self, attempt: &AttemptKey, now: Instant) {
        self.right.remove(&attempt.claim);
        self.wrong.insert(attempt.claim, now, now);
        if self.suspected.take(&attempt.claim, now).is_none() {
            self.count(attempt, now);
        }
    }

    /// A check speaks against the attempt, but the attempt is not decided (yet). It counts like a
    /// failure, the same claim only once, and is not answered from memory: it may be right.
    pub fn suspected(&mut self, attempt: &AttemptKey, now: Instant) {
        let counted = self.suspected.get(&attempt.claim, now).is_some()
            || self.wrong.get(&attempt.claim, now).is_some();
        if !counted {
            self.suspected.insert(attempt.claim, (), now);
            self.count(attempt, now);
        }
    }

    /// The attempt was accepted.
    pub fn succeeded(&mut self, attempt: &AttemptKey, now: Instant) {
        if self.suspected.take(&attempt.claim, now).is_some() {
            self.networks.take_back(attempt.counted(), attempt.tag());
            self.names.take_back(attempt.name, attempt.tag());
        }
        if self.right.contains(&attempt.claim, now) {
            return self.right.insert(&attempt.claim, now);
        }
        self.right.insert(&attempt.claim, now);
        // A user without failures has no wrong claims to check again.
        if self.networks.forgive(attempt.counted(), attempt.tag()) {
            self.cleared.insert((attempt.network, attempt.name), now, now);
        }
    }

    fn count(&mut self, attempt: &AttemptKey, now: Instant) {
        self.networks.add(attempt.counted(), attempt.tag(), now);
        self.names.add(attempt.name, attempt.tag(), now);
    }

    /// Drops what counts no more, so that a flood of failures leaves nothing behind.
    fn tidy(&mut self, now: Instant) {
        self.wrong.tidy(now);
        self.suspected.tidy(now);
        self.cleared.tidy(now);
        self.networks.tidy(now);
        self.names.tidy(now);
    }

    fn is_known_wrong(&self, attempt: &AttemptKey, now: Instant) -> bool {
        let Some(at) = self.wrong.get(&attempt.claim, now) else { return false };
        self.cleared.get(&(attempt.network, attempt.name), now).is_none_or(|cleared| cleared < at)
    }

    fn refused_until(&self, network: ClientNetwork, now: Instant) -> Option<Instant> {
        if network == ClientNetwork::Local {
            return None;
        }
        self.networks.below(self.max_failures, ThrottleKey::Network(network), now)
    }
}

/// The delay after so many failures: 0.2 s, 0.4 s, 0.8 s … 25 s.
fn delay(failures: usize) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let factor = u32::try_from(doublings).ok().and_then(|n| 1u32.checked_shl(n));
    factor.and_then(|factor| FIRST_DELAY.checked_mul(factor)).unwrap_or(LAST_DELAY).min(LAST_DELAY)
}

fn name_delay(failures: usize) -> Duration {
    delay((failures + 1).saturating_sub(NAME_FAILURE_LIMIT)).min(MAX_NAME_DELAY)
}

#[cfg(test)]
mod tests;

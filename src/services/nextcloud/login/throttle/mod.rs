//! Who failed to log in lately waits or is sent away, before any hash is computed or host asked.
//! Pure: the clock is passed in.

mod failures;
mod known_claims;

pub use failures::{MAX_COUNTED, MAX_KEYS, WINDOW};
pub use known_claims::{MAX_KNOWN, RIGHT_CLAIM_LIFETIME};

use super::ClaimFingerprint;
use crate::{config::recent_map::RecentMap, server::client_address::ClientNetwork};
use failures::FailureLog;
use known_claims::KnownClaims;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// How many failures a network may have within [`WINDOW`]; then it is refused until the first of
/// them is half an hour old. Nextcloud refuses after one more.
pub const MAX_FAILURES: usize = 10;

/// After the first failure an attempt waits this long; doubled with each, up to the last. The same
/// as Nextcloud's.
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LAST_DELAY: Duration = Duration::from_secs(25);

/// A name that fails from all over: from the 10th failure on attempts wait, this long at most.
const NAME_FAILURE_LIMIT: usize = 10;
const MAX_NAME_DELAY: Duration = Duration::from_secs(5);

/// How many attempts of one network may wait out a delay at once, and how many on one name when
/// nobody can tell where they come from; beyond, they are sent away.
const MAX_DELAYED: usize = 64;
const MAX_DELAYED_LOCAL: usize = 4;

/// How long a wrong claim is answered from memory, and how many are remembered.
const WRONG_CLAIM_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// See above; the oldest goes first.
const MAX_CLAIMS: usize = 65_536;

/// What is known of an attempt: no password in it.
#[derive(Debug, Clone, Copy)]
pub struct AttemptKey {
    /// Where it comes from.
    pub origin: ClientNetwork,
    /// The user name, as a keyed digest: `Alice`, ` alice` and `alice` are one.
    pub name: u64,
    /// User name, password and origin, as a keyed digest.
    pub claim: ClaimFingerprint,
}

/// What to do with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleDecision {
    /// Look at it.
    Allow,
    /// Look at it after this delay. [`Throttle::waited`] has to be told when it is over.
    Wait(Duration),
    /// It was wrong a moment ago and is wrong now.
    KnownWrong,
    /// Don't look at it; come back after that time.
    Refuse(Duration),
}

/// The rules, at least as strict as Nextcloud's own (`specs/nextcloud.md` section 7):
///
/// 1. A claim (user name and password from one network) that was right within the last day (or two) passes:
///    it is looked at again in full, and whoever has it needs no guessing. So a neighbour behind the
///    same address who fails all the time doesn't lock out those who are known.
/// 2. A claim that was wrong within the last five minutes is wrong without being looked at and
///    counts no further, since nothing was guessed: a client that loops with an old password neither
///    costs a hash nor locks its neighbours out. A success of the same user from the same network
///    ends that.
/// 3. A *network* with failures waits longer with each and is refused from [`MAX_FAILURES`] on, right
///    passwords included, as Nextcloud does. Other networks notice nothing.
/// 4. A *name* only slows down, whoever asks: after ten failures from anywhere, attempts on it wait
///    up to five seconds. It never refuses: else a unauthenticated_client could lock a user out by failing in the
///    user's name. (The user's own known claims don't even wait, by rule 1.)
/// 5. Where networks can't be told apart ([`ClientNetwork::Local`]) nobody is refused for what others may
///    have done: the delays of rule 3 are counted by name, and no more than four attempts on one
///    name wait at once.
///
/// A failure is what the chain refused; "try later" is none. A success takes back the failures under
/// the same name from the same network, as in Nextcloud, unless the claim was known to be right
/// before: a client that reconnects all the time gives nobody new tries.
#[derive(Debug)]
pub struct Throttle {
    max_failures: usize,
    networks: FailureLog<ThrottleKey>,
    names: FailureLog<u64>,
    wrong: RecentMap<ClaimFingerprint, Instant>,
    right: KnownClaims,
    /// Since when wrong claims of this user from there count as looked at again.
    cleared: RecentMap<(ClientNetwork, u64), Instant>,
    delayed: HashMap<ThrottleKey, usize>,
}

/// What rule 3 counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum ThrottleKey {
    Network(ClientNetwork),
    LocalName(u64),
}

impl AttemptKey {
    fn counted(&self) -> ThrottleKey {
        match self.origin {
            ClientNetwork::Local => ThrottleKey::LocalName(self.name),
            network @ ClientNetwork::Network(_) => ThrottleKey::Network(network),
        }
    }

    /// Enough to tell names of one network apart.
    fn tag(&self) -> u32 {
        u32::try_from(self.name & u64::from(u32::MAX)).unwrap_or_default()
    }
}

impl Throttle {
    /// With nobody's failures. `max_failures` is [`MAX_FAILURES`] unless Nextcloud's
    /// `auth.bruteforce.max-attempts` says otherwise; at least one.
    pub fn new(max_failures: usize, start: Instant) -> Self {
        Self {
            max_failures: max_failures.clamp(1, MAX_COUNTED),
            networks: FailureLog::new(start),
            names: FailureLog::new(start),
            wrong: RecentMap::new(MAX_CLAIMS, WRONG_CLAIM_LIFETIME),
            right: KnownClaims::new(start),
            cleared: RecentMap::new(MAX_CLAIMS, WRONG_CLAIM_LIFETIME),
            delayed: HashMap::new(),
        }
    }

    /// Other failures are allowed from now on, at least one; those counted stay.
    pub fn allow(&mut self, max_failures: usize) {
        self.max_failures = max_failures.clamp(1, MAX_COUNTED);
    }

    /// What to do with an attempt.
    pub fn rule(&mut self, who: &AttemptKey, now: Instant) -> ThrottleDecision {
        self.tidy(now);
        if self.right.contains(&who.claim, now) {
            return ThrottleDecision::Allow;
        }
        if self.is_known_wrong(who, now) {
            return ThrottleDecision::KnownWrong;
        }
        if let Some(later) = self.refused_until(who.origin, now) {
            return ThrottleDecision::Refuse(later.duration_since(now));
        }
        let failures = self.networks.count(who.counted(), now);
        let delay = delay(failures).max(name_delay(self.names.count(who.name, now)));
        if delay.is_zero() {
            return ThrottleDecision::Allow;
        }
        let most = match who.counted() {
            ThrottleKey::Network(_) => MAX_DELAYED,
            ThrottleKey::LocalName(_) => MAX_DELAYED_LOCAL,
        };
        let delayed = self.delayed.entry(who.counted()).or_default();
        if *delayed >= most {
            return ThrottleDecision::Refuse(delay);
        }
        *delayed += 1;
        ThrottleDecision::Wait(delay)
    }

    /// A delay that [`Throttle::rule`] imposed is over, or the client has left meanwhile.
    pub fn waited(&mut self, who: &AttemptKey) {
        if let Some(delayed) = self.delayed.get_mut(&who.counted()) {
            *delayed -= 1;
            if *delayed == 0 {
                self.delayed.remove(&who.counted());
            }
        }
    }

    /// Whether attempts from there are looked at at all; for those that waited in a queue while
    /// others from there failed.
    pub fn allows(&self, origin: ClientNetwork, now: Instant) -> bool {
        self.refused_until(origin, now).is_none()
    }

    /// The attempt was refused by whoever decides.
    pub fn failed(&mut self, who: &AttemptKey, now: Instant) {
        self.right.remove(&who.claim);
        self.wrong.insert(who.claim, now, now);
        self.networks.add(who.counted(), who.tag(), now);
        self.names.add(who.name, who.tag(), now);
    }

    /// The client was let in.
    pub fn succeeded(&mut self, who: &AttemptKey, now: Instant) {
        if self.right.contains(&who.claim, now) {
            return self.right.insert(&who.claim, now);
        }
        self.right.insert(&who.claim, now);
        // Who never failed has no wrong claims to look at again.
        if self.networks.forgive(who.counted(), who.tag()) {
            self.cleared.insert((who.origin, who.name), now, now);
        }
    }

    /// A flood of failures leaves nothing behind for longer than it counts.
    fn tidy(&mut self, now: Instant) {
        self.wrong.tidy(now);
        self.cleared.tidy(now);
        self.networks.tidy(now);
        self.names.tidy(now);
    }

    fn is_known_wrong(&self, who: &AttemptKey, now: Instant) -> bool {
        let Some(at) = self.wrong.get(&who.claim, now) else { return false };
        self.cleared.get(&(who.origin, who.name), now).is_none_or(|cleared| cleared < at)
    }

    fn refused_until(&self, origin: ClientNetwork, now: Instant) -> Option<Instant> {
        if origin == ClientNetwork::Local {
            return None;
        }
        self.networks.below(self.max_failures, ThrottleKey::Network(origin), now)
    }
}

/// 0.2 s, 0.4 s, 0.8 s … 25 s.
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

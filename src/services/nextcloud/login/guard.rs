//! The throttle at work in front of the chain.

use super::{
    AuthDecision, ClaimFingerprinter,
    throttle::{AttemptKey, Throttle, ThrottleDecision},
};
use crate::{
    push::LoginAttempt,
    server::client_address::{ClientAddressResolver, ClientNetwork, StillAllowed},
};
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long a client that loops with the same wrong password waits for each "no".
const REPEATED_WRONG_DELAY: Duration = Duration::from_secs(2);

/// Keeps those away who failed too often. Cheap to clone.
#[derive(Clone)]
pub struct LoginGuard {
    throttle: Arc<Mutex<Throttle>>,
    origins: ClientAddressResolver,
    fingerprints: Arc<ClaimFingerprinter>,
}

impl LoginGuard {
    /// `origins` tells networks apart, `fingerprints` recognizes claims.
    pub fn new(
        throttle: Throttle,
        origins: ClientAddressResolver,
        fingerprints: ClaimFingerprinter,
    ) -> Self {
        let (throttle, fingerprints) = (Arc::new(Mutex::new(throttle)), Arc::new(fingerprints));
        Self { throttle, origins, fingerprints }
    }

    /// How many failures a network may have from now on.
    pub fn allow(&self, max_failures: usize) {
        self.lock().allow(max_failures);
    }

    /// For the queues behind: whether an attempt from there is still to be looked at when its turn
    /// comes.
    pub fn still_allowed(&self) -> StillAllowed {
        let throttle = Arc::clone(&self.throttle);
        Arc::new(move |origin: ClientNetwork| lock(&throttle).allows(origin, Instant::now()))
    }

    /// Lets `decide` look at the attempt, now, later or not at all, and learns from the outcome.
    ///
    /// A ticket (empty user name) is never held up and never counts: it can't be guessed, and one
    /// that came too late is no sign of an attack.
    pub(super) async fn pass<F>(&self, attempt: &LoginAttempt, decide: F) -> AuthDecision
    where
        F: Future<Output = AuthDecision>,
    {
        if attempt.credentials.user.is_empty() {
            return decide.await;
        }
        let who = self.attempt_key(attempt);
        let ruling = self.lock().rule(&who, Instant::now());
        match ruling {
            ThrottleDecision::Allow => (),
            ThrottleDecision::Wait(delay) => {
                self.delay_attempt(&who, delay).await;
                if !self.lock().allows(who.origin, Instant::now()) {
                    return AuthDecision::Throttled { retry_after: delay };
                }
            }
            ThrottleDecision::KnownWrong => {
                sleep(REPEATED_WRONG_DELAY).await;
                return AuthDecision::Refused;
            }
            ThrottleDecision::Refuse(retry_after) => {
                tracing::debug!(origin = ?who.origin, ?retry_after, "a log-in was not looked at");
                return AuthDecision::Throttled { retry_after };
            }
        }
        let outcome = decide.await;
        self.learn(&who, &outcome);
        outcome
    }

    fn attempt_key(&self, attempt: &LoginAttempt) -> AttemptKey {
        let origin = self.origins.of(&attempt.peer);
        AttemptKey {
            origin,
            name: self.fingerprints.name(&attempt.credentials.user),
            claim: self.fingerprints.of(origin, &attempt.credentials),
        }
    }

    async fn delay_attempt(&self, who: &AttemptKey, delay: Duration) {
        let _until_dropped = DelayedAttempt { guard: self, who };
        sleep(delay).await;
    }

    fn learn(&self, who: &AttemptKey, outcome: &AuthDecision) {
        match outcome {
            AuthDecision::Accepted(_) => self.lock().succeeded(who, Instant::now()),
            AuthDecision::Refused => self.lock().failed(who, Instant::now()),
            AuthDecision::TryLater | AuthDecision::Throttled { .. } => (),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }
}

fn lock(throttle: &Mutex<Throttle>) -> MutexGuard<'_, Throttle> {
    throttle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that waits out a delay; over when dropped, also by a client that leaves.
struct DelayedAttempt<'a> {
    guard: &'a LoginGuard,
    who: &'a AttemptKey,
}

impl Drop for DelayedAttempt<'_> {
    fn drop(&mut self) {
        self.guard.lock().waited(self.who);
    }
}

#[cfg(test)]
mod tests;

//! The throttle at work in front of the chain.

use super::{
    Attempt, Fingerprints, Outcome,
    throttle::{Claimant, Ruling, Throttle},
};
use crate::server::client_address::{Origin, Origins, Welcome};
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long a client that loops with the same wrong password waits for each "no".
const KNOWN_WRONG_DELAY: Duration = Duration::from_secs(2);

/// Keeps those away who failed too often. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    throttle: Arc<Mutex<Throttle>>,
    origins: Origins,
    fingerprints: Arc<Fingerprints>,
}

impl Guard {
    /// `origins` tells networks apart, `fingerprints` recognizes claims.
    pub fn new(throttle: Throttle, origins: Origins, fingerprints: Fingerprints) -> Self {
        let (throttle, fingerprints) = (Arc::new(Mutex::new(throttle)), Arc::new(fingerprints));
        Self { throttle, origins, fingerprints }
    }

    /// How many failures a network may have from now on.
    pub fn allow(&self, max_failures: usize) {
        self.lock().allow(max_failures);
    }

    /// For the queues behind: whether an attempt from there is still to be looked at when its turn
    /// comes.
    pub fn welcome(&self) -> Welcome {
        let throttle = Arc::clone(&self.throttle);
        Arc::new(move |origin: Origin| lock(&throttle).welcomes(origin, Instant::now()))
    }

    /// Lets `decide` look at the attempt, now, later or not at all, and learns from the outcome.
    ///
    /// A ticket (empty user name) is never held up and never counts: it can't be guessed, and one
    /// that came too late is no sign of an attack.
    pub(super) async fn pass<F>(&self, attempt: &Attempt, decide: F) -> Outcome
    where
        F: Future<Output = Outcome>,
    {
        if attempt.credentials.user.is_empty() {
            return decide.await;
        }
        let who = self.claimant(attempt);
        let ruling = self.lock().rule(&who, Instant::now());
        match ruling {
            Ruling::Go => (),
            Ruling::Wait(delay) => {
                self.hold_up(&who, delay).await;
                if !self.lock().welcomes(who.origin, Instant::now()) {
                    return Outcome::Throttled { retry_after: delay };
                }
            }
            Ruling::KnownWrong => {
                sleep(KNOWN_WRONG_DELAY).await;
                return Outcome::Refused;
            }
            Ruling::Refuse(retry_after) => {
                tracing::debug!(origin = ?who.origin, ?retry_after, "a log-in was not looked at");
                return Outcome::Throttled { retry_after };
            }
        }
        let outcome = decide.await;
        self.learn(&who, &outcome);
        outcome
    }

    fn claimant(&self, attempt: &Attempt) -> Claimant {
        let origin = self.origins.of(&attempt.peer);
        Claimant {
            origin,
            name: self.fingerprints.name(&attempt.credentials.user),
            claim: self.fingerprints.of(origin, &attempt.credentials),
        }
    }

    async fn hold_up(&self, who: &Claimant, delay: Duration) {
        let _until_dropped = Delayed { guard: self, who };
        sleep(delay).await;
    }

    fn learn(&self, who: &Claimant, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted(_) => self.lock().succeeded(who, Instant::now()),
            Outcome::Refused => self.lock().failed(who, Instant::now()),
            Outcome::TryLater | Outcome::Throttled { .. } => (),
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
struct Delayed<'a> {
    guard: &'a Guard,
    who: &'a Claimant,
}

impl Drop for Delayed<'_> {
    fn drop(&mut self) {
        self.guard.lock().waited(self.who);
    }
}

#[cfg(test)]
mod tests;

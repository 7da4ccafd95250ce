//! The throttle in front of the chain of authenticators.

use super::{
    AttemptRecord, ClaimFingerprinter,
    throttle::{AttemptKey, Throttle, ThrottleDecision},
};
use crate::{
    push::{AuthenticatedClient, LoginAttempt, LoginResult},
    server::client_address::{ClientAddressResolver, ClientNetwork, StillAllowed},
};
use parking_lot::Mutex;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// How long a client that loops with the same wrong password waits for each rejection.
const REPEATED_WRONG_DELAY: Duration = Duration::from_secs(2);

/// Delays or refuses attempts from networks that failed too often. Cheap to clone.
#[derive(Clone)]
pub struct LoginGuard {
    throttle: Arc<Mutex<Throttle>>,
    addresses: ClientAddressResolver,
    fingerprints: Arc<ClaimFingerprinter>,
}

impl LoginGuard {
    /// `addresses` distinguishes networks, `fingerprints` recognizes claims.
    pub fn new(
        throttle: Throttle,
        addresses: ClientAddressResolver,
        fingerprints: ClaimFingerprinter,
    ) -> Self {
        let (throttle, fingerprints) = (Arc::new(Mutex::new(throttle)), Arc::new(fingerprints));
        Self { throttle, addresses, fingerprints }
    }

    /// Sets how many failures a network may have from now on.
    pub fn set_max_failures(&self, max_failures: usize) {
        self.throttle.lock().set_max_failures(max_failures);
    }

    /// For the queues behind the guard: whether an attempt from a network may still be checked when
    /// its turn comes.
    pub fn still_allowed(&self) -> StillAllowed {
        let throttle = Arc::clone(&self.throttle);
        Arc::new(move |network: ClientNetwork| throttle.lock().allows(network, Instant::now()))
    }

    /// Runs `decide` now, after a delay or not at all, and counts the result.
    ///
    /// A ticket (empty user name) is neither delayed nor counted: it can't be guessed, and a ticket
    /// that arrives too late is no sign of an attack.
    pub(super) async fn pass<F>(
        &self,
        attempt: &LoginAttempt,
        decide: impl FnOnce(AttemptRecord) -> F,
    ) -> LoginResult<AuthenticatedClient>
    where
        F: Future<Output = LoginResult<AuthenticatedClient>>,
    {
        if attempt.credentials.user.is_empty() {
            return decide(AttemptRecord::default()).await;
        }
        let key = self.attempt_key(attempt);
        let ruling = self.throttle.lock().rule(&key, Instant::now());
        match ruling {
            ThrottleDecision::Allow => (),
            ThrottleDecision::Wait(delay) => {
                self.delay_attempt(&key, delay).await;
                if !self.throttle.lock().allows(key.network, Instant::now()) {
                    return LoginResult::Throttled;
                }
            }
            ThrottleDecision::KnownWrong => {
                sleep(REPEATED_WRONG_DELAY).await;
                return LoginResult::Rejected;
            }
            ThrottleDecision::Refuse(retry_after) => {
                tracing::debug!(network = ?key.network, ?retry_after, "login throttled");
                return LoginResult::Throttled;
            }
        }
        let record = AttemptRecord::reporting(Arc::clone(&self.throttle), key);
        let open_attempt = OpenAttempt(record.clone());
        let result = decide(record).await;
        self.count(&key, &open_attempt.0, &result);
        result
    }

    fn attempt_key(&self, attempt: &LoginAttempt) -> AttemptKey {
        let network = self.addresses.of(&attempt.peer);
        AttemptKey {
            network,
            name: self.fingerprints.name(&attempt.credentials.user),
            claim: self.fingerprints.of(network, &attempt.credentials),
        }
    }

    async fn delay_attempt(&self, key: &AttemptKey, delay: Duration) {
        let _until_dropped = DelayedAttempt { guard: self, key };
        sleep(delay).await;
    }

    fn count(
        &self,
        key: &AttemptKey,
        record: &AttemptRecord,
        result: &LoginResult<AuthenticatedClient>,
    ) {
        match result {
            LoginResult::Accepted(_) => self.throttle.lock().succeeded(key, Instant::now()),
            LoginResult::Rejected => self.throttle.lock().failed(key, Instant::now()),
            _ => return,
        }
        record.decided();
    }
}

/// An attempt whose client waits. Dropped when the client has its result or disconnects.
struct OpenAttempt(AttemptRecord);

impl Drop for OpenAttempt {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An attempt that waits out a delay; dropped when the delay is over or the client disconnects.
struct DelayedAttempt<'a> {
    guard: &'a LoginGuard,
    key: &'a AttemptKey,
}

impl Drop for DelayedAttempt<'_> {
    fn drop(&mut self) {
        self.guard.throttle.lock().delay_ended(self.key);
    }
}

#[cfg(test)]
mod tests;

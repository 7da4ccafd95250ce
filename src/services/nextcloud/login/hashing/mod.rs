//! Verifies passwords on a bounded pool of threads with a bounded, fair queue.

mod check;

pub use check::{
    MAX_BCRYPT_COST, MAX_HASH, MAX_MEMORY_KIB, MAX_PARALLELISM, MAX_PASSWORD, MAX_WORK_KIB,
    UnusableHash, check,
};

use super::{AttemptRecord, fair_queue::FairQueue};
use crate::{
    config::secret::Secret,
    server::{
        client_address::{ClientAddressResolver, ClientNetwork, StillAllowed},
        peer::ConnectionPeer,
    },
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::oneshot;

/// A hash at PHP's default cost that no password is known to fit: checked when there is no such
/// user, so that "no such user" takes as long as "wrong password".
pub const DUMMY: &str = "$argon2id$v=19$m=65536,t=4,p=1$6MLMHtFYccnGw+p8zWl8lA$JWd+csMXWhJxDFt2c9nvFNz3/jYaypdO1TX2OQv29bc";

/// Checks that may wait in all; then the latest of the network with the most waiting checks gives
/// way ([`PasswordCheckError::Busy`]).
pub const MAX_WAITING: usize = 64;

/// Checks that may wait for one client network; further ones are [`PasswordCheckError::Busy`].
pub const MAX_WAITING_PER_CLIENT: usize = 8;

/// Why a password was not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordCheckError {
    /// Too many checks wait, or the client may no longer try: "try again later".
    #[error("too many passwords wait to be checked")]
    Busy,
    /// The stored hash can't be used: another authenticator has to decide.
    #[error(transparent)]
    Unusable(#[from] UnusableHash),
}

/// The pool. Cheap to clone. Checks run on at most `at_once` of tokio's blocking threads; each holds
/// the memory of one hash only while it runs.
#[derive(Clone)]
pub struct HashingPool {
    shared: Arc<HashingPoolState>,
}

struct HashingPoolState {
    addresses: ClientAddressResolver,
    still_allowed: StillAllowed,
    at_once: usize,
    queue: Mutex<HashingQueue>,
}

#[derive(Default)]
struct HashingQueue {
    jobs: FairQueue<ClientNetwork, HashingJob>,
    next: u64,
    running: usize,
}

struct HashingJob {
    hash: String,
    password: Secret,
    network: ClientNetwork,
    record: AttemptRecord,
    reply: oneshot::Sender<Result<bool, PasswordCheckError>>,
}

impl HashingPool {
    /// A pool that checks `at_once` passwords at a time, at least one; `cores - 1` leaves a core for
    /// delivery. `addresses` distinguishes networks.
    pub fn new(
        at_once: usize,
        addresses: ClientAddressResolver,
        still_allowed: StillAllowed,
    ) -> Self {
        let queue = Mutex::default();
        Self {
            shared: Arc::new(HashingPoolState {
                addresses,
                still_allowed,
                at_once: at_once.max(1),
                queue,
            }),
        }
    }

    /// Whether `password` fits `hash` (see [`check()`]), for a client at `peer`. Waits for its turn;
    /// a caller that stops waiting gives its turn up. A password that doesn't fit is noted in
    /// `record`, also when the caller has stopped waiting meanwhile.
    ///
    /// # Errors
    /// [`PasswordCheckError`]; neither says anything about the password.
    pub async fn verify(
        &self,
        hash: &str,
        password: &Secret,
        peer: &ConnectionPeer,
        record: AttemptRecord,
    ) -> Result<bool, PasswordCheckError> {
        let network = self.shared.addresses.of(peer);
        let (reply, answer) = oneshot::channel();
        let job = HashingJob {
            hash: hash.to_owned(),
            password: password.clone(),
            network,
            record,
            reply,
        };
        if self.shared.enqueue(job)? {
            let shared = Arc::clone(&self.shared);
            // A dropped handle detaches; `running` bounds how many there are.
            drop(tokio::task::spawn_blocking(move || shared.work()));
        }
        // A job that gave way, or whose check panicked, drops its sender.
        answer.await.unwrap_or(Err(PasswordCheckError::Busy))
    }

    /// The number of waiting checks.
    pub fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }
}

impl HashingPoolState {
    /// Queues the job; returns true when a worker has to be started for it.
    fn enqueue(&self, job: HashingJob) -> Result<bool, PasswordCheckError> {
        let mut queue = self.lock();
        let per_client = queue.jobs.len_of(job.network);
        // Clients behind a proxy that forwards no address look alike: only the total limits them.
        if per_client >= MAX_WAITING_PER_CLIENT && job.network != ClientNetwork::Local {
            return Err(PasswordCheckError::Busy);
        }
        if queue.jobs.len() >= MAX_WAITING
            && queue.jobs.evict_from_longest(per_client + 1).is_none()
        {
            return Err(PasswordCheckError::Busy);
        }
        let number = queue.next;
        queue.next += 1;
        queue.jobs.push(job.network, number, job);
        let start = queue.running < self.at_once;
        queue.running += usize::from(start);
        Ok(start)
    }

    /// Works the queue off.
    fn work(&self) {
        while let Some(job) = self.next() {
            if job.reply.is_closed() {
                continue;
            }
            // A panic must not cost the pool a worker.
            let result = catch_unwind(AssertUnwindSafe(|| self.decide(&job)));
            // The caller may have stopped waiting meanwhile.
            let _ = job.reply.send(result.unwrap_or(Err(PasswordCheckError::Busy)));
        }
    }

    fn decide(&self, job: &HashingJob) -> Result<bool, PasswordCheckError> {
        if !(self.still_allowed)(job.network) {
            return Err(PasswordCheckError::Busy);
        }
        let fits = check(&job.hash, job.password.expose())?;
        if !fits {
            job.record.comparison_failed();
        }
        Ok(fits)
    }

    /// The next job. Without one the worker ends under the same lock, so that no job is queued for a
    /// worker that is just ending.
    fn next(&self) -> Option<HashingJob> {
        let mut queue = self.lock();
        let job = queue.jobs.pop().map(|(_, job)| job);
        queue.running -= usize::from(job.is_none());
        job
    }

    fn lock(&self) -> MutexGuard<'_, HashingQueue> {
        self.queue.lock()
    }
}

#[cfg(test)]
mod tests;

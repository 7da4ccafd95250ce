//! Password verification on a bounded pool with a bounded, fair queue.

mod check;

pub use check::{
    MAX_BCRYPT_COST, MAX_HASH, MAX_MEMORY_KIB, MAX_PARALLELISM, MAX_PASSWORD, MAX_WORK_KIB,
    UnusableHash, check,
};

use super::fair_queue::FairQueue;
use crate::{
    config::secret::Secret,
    server::{
        client_address::{ClientAddressResolver, ClientNetwork, StillAllowed},
        peer::ConnectionPeer,
    },
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// A hash at PHP's default cost that no password is known to fit: checked when there is no such
/// user, so that "no such user" takes as long as "wrong password".
pub const DUMMY: &str = "$argon2id$v=19$m=65536,t=4,p=1$6MLMHtFYccnGw+p8zWl8lA$JWd+csMXWhJxDFt2c9nvFNz3/jYaypdO1TX2OQv29bc";

/// How many checks may wait in all; beyond, the longest lane's latest gives way ([`PasswordCheckError::Busy`]).
pub const MAX_WAITING: usize = 64;

/// How many checks may wait for one client network; beyond, [`PasswordCheckError::Busy`].
pub const MAX_WAITING_PER_CLIENT: usize = 8;

/// Why a password was not checked.
///
/// [`Busy`]: Uncheckable::Busy
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordCheckError {
    /// Too many others wait, or the client may no longer try: "try again later".
    #[error("too many passwords wait to be checked")]
    Busy,
    /// The stored hash can't be used: somebody else has to decide.
    #[error(transparent)]
    Unusable(#[from] UnusableHash),
}

/// The pool. Cheap to clone. Each check runs on tokio's blocking threads, at most `at_once` of them,
/// each holding the memory of one hash only while it runs.
#[derive(Clone)]
pub struct HashingPool {
    shared: Arc<HashingPoolState>,
}

struct HashingPoolState {
    origins: ClientAddressResolver,
    still_allowed: StillAllowed,
    at_once: usize,
    queue: Mutex<HashingQueue>,
}

#[derive(Default)]
struct HashingQueue {
    lanes: FairQueue<ClientNetwork, HashingJob>,
    next: u64,
    running: usize,
}

struct HashingJob {
    hash: String,
    password: Secret,
    origin: ClientNetwork,
    reply: oneshot::Sender<Result<bool, PasswordCheckError>>,
}

impl HashingPool {
    /// A pool that checks `at_once` passwords at a time, at least one; `cores - 1` leaves a core for
    /// delivery. `origins` tells clients apart.
    pub fn new(
        at_once: usize,
        origins: ClientAddressResolver,
        still_allowed: StillAllowed,
    ) -> Self {
        let queue = Mutex::default();
        Self {
            shared: Arc::new(HashingPoolState {
                origins,
                still_allowed,
                at_once: at_once.max(1),
                queue,
            }),
        }
    }

    /// Whether `password` fits `hash` (see [`check()`]), for a client at `peer`. Waits for its turn;
    /// a caller that stops waiting gives its turn up.
    ///
    /// # Errors
    /// [`PasswordCheckError`]; neither says anything about the password.
    pub async fn verify(
        &self,
        hash: &str,
        password: &Secret,
        peer: &ConnectionPeer,
    ) -> Result<bool, PasswordCheckError> {
        let origin = self.shared.origins.of(peer);
        let (reply, answer) = oneshot::channel();
        let job = HashingJob { hash: hash.to_owned(), password: password.clone(), origin, reply };
        if self.shared.enqueue(job)? {
            let shared = Arc::clone(&self.shared);
            // A dropped handle detaches; `running` bounds how many there are.
            drop(tokio::task::spawn_blocking(move || shared.work()));
        }
        // A job that gave way, or whose check panicked, drops its sender.
        answer.await.unwrap_or(Err(PasswordCheckError::Busy))
    }

    /// How many checks wait now.
    pub fn waiting(&self) -> usize {
        self.shared.lock().lanes.len()
    }
}

impl HashingPoolState {
    /// Puts the job in its lane; true when a worker has to be started for it.
    fn enqueue(&self, job: HashingJob) -> Result<bool, PasswordCheckError> {
        let mut queue = self.lock();
        let per_client = queue.lanes.len_of(job.origin);
        // Those behind a proxy that names nobody can't be told apart: only the total binds them.
        if per_client >= MAX_WAITING_PER_CLIENT && job.origin != ClientNetwork::Local {
            return Err(PasswordCheckError::Busy);
        }
        if queue.lanes.len() >= MAX_WAITING
            && queue.lanes.evict_from_longest(per_client + 1).is_none()
        {
            return Err(PasswordCheckError::Busy);
        }
        let number = queue.next;
        queue.next += 1;
        queue.lanes.push(job.origin, number, job);
        let start = queue.running < self.at_once;
        queue.running += usize::from(start);
        Ok(start)
    }

    /// Checks what waits until nothing does.
    fn work(&self) {
        while let Some(job) = self.next() {
            if job.reply.is_closed() {
                continue;
            }
            // A panic must not cost the pool a worker.
            let verdict = catch_unwind(AssertUnwindSafe(|| self.decide(&job)));
            // Whoever asked may have left meanwhile.
            let _ = job.reply.send(verdict.unwrap_or(Err(PasswordCheckError::Busy)));
        }
    }

    fn decide(&self, job: &HashingJob) -> Result<bool, PasswordCheckError> {
        if !(self.still_allowed)(job.origin) {
            return Err(PasswordCheckError::Busy);
        }
        Ok(check(&job.hash, job.password.expose())?)
    }

    /// The next job; without one the worker has left, in the same breath, so that no job is put
    /// into the queue of a worker that is just leaving.
    fn next(&self) -> Option<HashingJob> {
        let mut queue = self.lock();
        let job = queue.lanes.pop().map(|(_, job)| job);
        queue.running -= usize::from(job.is_none());
        job
    }

    fn lock(&self) -> MutexGuard<'_, HashingQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

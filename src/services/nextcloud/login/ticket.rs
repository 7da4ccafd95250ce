//! One-time tickets: Nextcloud vouches for a user with a token that is good for one login within
//! seconds.

use super::{AttemptRecord, Authenticator};
use crate::{
    config::secret::Secret,
    push::{
        AuthDecision, AuthMethod, AuthenticatedClient, LoginAttempt, TicketOwner,
        recipient::Recipient,
    },
    services::nextcloud::{channels::is_anonymous, recent_map::RecentMap},
};
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// How long a ticket is valid: `specs/nextcloud.md` section 2.
pub const LIFETIME: Duration = Duration::from_secs(15);

/// Tickets that are kept; then the oldest is dropped.
pub const MAX_TICKETS: usize = 100_000;

/// How long a client waits for a ticket whose event has not arrived yet: section 9.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// Clients that may wait for tickets; further ones read "try again later" at once.
pub const MAX_WAITING: usize = 1024;

/// Tokens are looked up by their digest, so that the time tells nothing about existing tokens.
type TicketDigest = [u8; 32];

/// The valid tickets. Cheap to clone: the event side issues them, the login side redeems them.
#[derive(Clone, Default)]
pub struct TicketStore {
    waiters: Arc<Mutex<TicketWaiters>>,
}

struct TicketWaiters {
    valid: RecentMap<TicketDigest, Recipient>,
    waiting: HashMap<TicketDigest, Vec<(u64, oneshot::Sender<Recipient>)>>,
    next: u64,
    total_waiting: usize,
}

impl Default for TicketWaiters {
    fn default() -> Self {
        let valid = RecentMap::new(MAX_TICKETS, LIFETIME);
        Self { valid, waiting: HashMap::new(), next: 0, total_waiting: 0 }
    }
}

impl TicketStore {
    /// Makes the token valid for one login as `user` within [`LIFETIME`]. A client that already
    /// waits for it gets it at once.
    pub fn issue(&self, user: Recipient, token: &Secret, now: Instant) {
        let key = digest(token);
        let mut waiters = self.lock();
        if let Some(user) = waiters.deliver(key, user) {
            waiters.valid.insert(key, user, now);
        }
    }

    /// Redeems a ticket and returns its user if it is valid. Waits up to [`MAX_WAIT`] for a ticket
    /// that has not arrived yet.
    ///
    /// # Errors
    /// [`TooManyWaiters`] when too many clients wait already.
    pub async fn redeem(
        &self,
        token: &Secret,
        now: Instant,
    ) -> Result<Option<Recipient>, TooManyWaiters> {
        let (mut arrival, _waiter) = match self.lock().take_or_enqueue(digest(token), now)? {
            TicketLookup::Now(user) => return Ok(Some(user)),
            TicketLookup::Wait(number, key, arrival) => {
                (arrival, TicketWaiter { tickets: self, number, key })
            }
        };
        match timeout(MAX_WAIT, &mut arrival).await {
            Ok(user) => Ok(user.ok()),
            // It may have arrived in the same instant.
            Err(_) => Ok(arrival.try_recv().ok()),
        }
    }

    /// The number of tickets kept now, including some that have expired.
    pub fn kept(&self) -> usize {
        self.lock().valid.len()
    }

    fn lock(&self) -> MutexGuard<'_, TicketWaiters> {
        self.waiters.lock()
    }
}

/// Too many clients wait for tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many clients wait for tickets that have not arrived")]
pub struct TooManyWaiters;

enum TicketLookup {
    Now(Recipient),
    Wait(u64, TicketDigest, oneshot::Receiver<Recipient>),
}

impl TicketWaiters {
    /// Gives the ticket to a client that waits for it; returns the user if no client does.
    fn deliver(&mut self, key: TicketDigest, mut user: Recipient) -> Option<Recipient> {
        let clients = self.waiting.remove(&key).unwrap_or_default();
        // Those behind the first get nothing, and wait no longer either.
        self.total_waiting -= clients.len();
        for (_, client) in clients {
            match client.send(user) {
                Ok(()) => return None,
                // That client has just disconnected.
                Err(back) => user = back,
            }
        }
        Some(user)
    }

    fn take_or_enqueue(
        &mut self,
        key: TicketDigest,
        now: Instant,
    ) -> Result<TicketLookup, TooManyWaiters> {
        if let Some(user) = self.valid.take(&key, now) {
            return Ok(TicketLookup::Now(user));
        }
        if self.total_waiting >= MAX_WAITING {
            return Err(TooManyWaiters);
        }
        let (client, arrival) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.total_waiting += 1;
        self.waiting.entry(key).or_default().push((number, client));
        Ok(TicketLookup::Wait(number, key, arrival))
    }

    fn leave(&mut self, key: TicketDigest, number: u64) {
        let Some(clients) = self.waiting.get_mut(&key) else { return };
        let before = clients.len();
        clients.retain(|(other, _)| *other != number);
        self.total_waiting -= before - clients.len();
        if clients.is_empty() {
            self.waiting.remove(&key);
        }
    }
}

/// A place among the waiting clients; given up when dropped.
struct TicketWaiter<'a> {
    tickets: &'a TicketStore,
    number: u64,
    key: TicketDigest,
}

impl Drop for TicketWaiter<'_> {
    fn drop(&mut self) {
        self.tickets.lock().leave(self.key, self.number);
    }
}

fn digest(token: &Secret) -> TicketDigest {
    Sha256::digest(token.expose().as_bytes()).into()
}

/// Finds the users of tickets, so that their sessions can be closed when the users are deleted.
pub trait TicketOwnerDirectory: Send + Sync {
    /// Where this user is found now. The time must be bounded.
    fn owner<'a>(&'a self, user: &'a Recipient) -> BoxFuture<'a, TicketOwner>;
}

/// Accepts clients with a ticket: an empty user name and the token as password. Abstains where
/// there is a user name.
pub struct TicketAuthenticator {
    /// The valid tickets.
    pub tickets: TicketStore,
    /// Finds their users; `None` without a database.
    pub owners: Option<Arc<dyn TicketOwnerDirectory>>,
}

impl TicketAuthenticator {
    async fn accept(&self, recipient: Recipient) -> AuthDecision {
        if is_anonymous(&recipient) {
            // A session without a user has no account that could be disabled.
            let auth_method = AuthMethod::Open;
            return AuthDecision::Accept(AuthenticatedClient { recipient, auth_method });
        }
        let owner = match &self.owners {
            Some(owners) => owners.owner(&recipient).await,
            None => TicketOwner::Unknown,
        };
        let auth_method = AuthMethod::Ticket(owner);
        AuthDecision::Accept(AuthenticatedClient { recipient, auth_method })
    }
}

impl Authenticator for TicketAuthenticator {
    fn name(&self) -> &'static str {
        "ticket"
    }

    fn check<'a>(
        &'a self,
        attempt: &'a LoginAttempt,
        _: &'a AttemptRecord,
    ) -> BoxFuture<'a, AuthDecision> {
        async move {
            if !attempt.credentials.user.is_empty() {
                return AuthDecision::Abstain;
            }
            match self.tickets.redeem(&attempt.credentials.password, Instant::now()).await {
                Ok(Some(recipient)) => self.accept(recipient).await,
                Ok(None) => AuthDecision::Reject,
                Err(TooManyWaiters) => AuthDecision::Unavailable,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;

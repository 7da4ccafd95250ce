//! Tickets: a host vouches for a user with a token that lets one client in, once, within seconds.

use super::{Admission, Attempt, Authenticator, Grounds, Verdict};
use crate::{
    config::{recent_map::Recent, secret::Secret},
    push::recipient::Recipient,
};
use futures_util::{FutureExt, future::BoxFuture};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// How long a ticket is good: `specs/nextcloud.md` section 2.
pub const LIFETIME: Duration = Duration::from_secs(15);

/// How many tickets are kept; beyond, the oldest goes.
pub const MAX_TICKETS: usize = 100_000;

/// How long a client waits for a ticket whose event is still on its way: section 9.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// How many clients may wait so; beyond, they hear "try again later" at once.
pub const MAX_WAITING: usize = 1024;

/// A token is looked up by its digest: how long that takes says nothing about tokens that exist.
type Key = [u8; 32];

/// The tickets that are good now. Cheap to clone: the event side issues, the log-in side takes.
#[derive(Clone, Default)]
pub struct Tickets {
    desk: Arc<Mutex<Desk>>,
}

struct Desk {
    good: Recent<Key, Recipient>,
    waiting: HashMap<Key, Vec<(u64, oneshot::Sender<Recipient>)>>,
    next: u64,
    waiting_in_all: usize,
}

impl Default for Desk {
    fn default() -> Self {
        let good = Recent::new(MAX_TICKETS, LIFETIME);
        Self { good, waiting: HashMap::new(), next: 0, waiting_in_all: 0 }
    }
}

impl Tickets {
    /// Makes the token good for one log-in as `user` within [`LIFETIME`]. A client that already
    /// waits for it gets it at once.
    pub fn issue(&self, user: Recipient, token: &Secret, now: Instant) {
        let key = digest(token);
        let mut desk = self.lock();
        if let Some(user) = desk.hand_over(key, user) {
            desk.good.insert(key, user, now);
        }
    }

    /// Uses a ticket up: who it is for, if it is good. Waits up to [`MAX_WAIT`] for a ticket that
    /// is not there yet.
    ///
    /// # Errors
    /// [`Crowded`] when too many wait already.
    pub async fn redeem(&self, token: &Secret, now: Instant) -> Result<Option<Recipient>, Crowded> {
        let (mut arrival, _place) = match self.lock().take_or_wait(digest(token), now)? {
            Taken::Now(user) => return Ok(Some(user)),
            Taken::Wait(number, key, arrival) => (arrival, Place { tickets: self, number, key }),
        };
        match timeout(MAX_WAIT, &mut arrival).await {
            Ok(user) => Ok(user.ok()),
            // It may have come in the same instant.
            Err(_) => Ok(arrival.try_recv().ok()),
        }
    }

    /// How many tickets are kept now; those that have ended may be among them for a while.
    pub fn kept(&self) -> usize {
        self.lock().good.len()
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Too many clients wait for tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many clients wait for tickets that have not arrived")]
pub struct Crowded;

enum Taken {
    Now(Recipient),
    Wait(u64, Key, oneshot::Receiver<Recipient>),
}

impl Desk {
    /// Gives the ticket to a client that waits for it; gives the user back when there is none.
    fn hand_over(&mut self, key: Key, mut user: Recipient) -> Option<Recipient> {
        for (_, client) in self.waiting.remove(&key).into_iter().flatten() {
            self.waiting_in_all -= 1;
            match client.send(user) {
                Ok(()) => return None,
                // That one has just left.
                Err(back) => user = back,
            }
        }
        Some(user)
    }

    fn take_or_wait(&mut self, key: Key, now: Instant) -> Result<Taken, Crowded> {
        if let Some(user) = self.good.take(&key, now) {
            return Ok(Taken::Now(user));
        }
        if self.waiting_in_all >= MAX_WAITING {
            return Err(Crowded);
        }
        let (client, arrival) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.waiting_in_all += 1;
        self.waiting.entry(key).or_default().push((number, client));
        Ok(Taken::Wait(number, key, arrival))
    }

    fn leave(&mut self, key: Key, number: u64) {
        let Some(clients) = self.waiting.get_mut(&key) else { return };
        let before = clients.len();
        clients.retain(|(other, _)| *other != number);
        self.waiting_in_all -= before - clients.len();
        if clients.is_empty() {
            self.waiting.remove(&key);
        }
    }
}

/// A place among those who wait; left when dropped.
struct Place<'a> {
    tickets: &'a Tickets,
    number: u64,
    key: Key,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.tickets.lock().leave(self.key, self.number);
    }
}

fn digest(token: &Secret) -> Key {
    Sha256::digest(token.expose().as_bytes()).into()
}

/// Lets in whoever brings a ticket: an empty user name and the token as password. With a user name
/// it is not a ticket, and others decide.
pub struct TicketAuthenticator(pub Tickets);

impl Authenticator for TicketAuthenticator {
    fn name(&self) -> &'static str {
        "ticket"
    }

    fn check<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Verdict> {
        async move {
            if !attempt.credentials.user.is_empty() {
                return Verdict::Abstain;
            }
            match self.0.redeem(&attempt.credentials.password, Instant::now()).await {
                Ok(Some(recipient)) => {
                    Verdict::Accept(Admission { recipient, grounds: Grounds::Ticket })
                }
                Ok(None) => Verdict::Reject,
                Err(Crowded) => Verdict::Unavailable,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;

//! What is kept of one client beside what the library keeps: where it comes from, its place among the
//! strangers until it has registered, and what it is registered as.

use super::query::Generation;
use crate::{
    server::{Stranger, peer::Peer},
    services::webhook::claim::Claim,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How many pairs one client may be registered as.
pub const MAX_BINDINGS: usize = 16;
/// How many of a client's requests are worked on at a time; of more it is told to try later.
const TURNS: usize = 4;

/// One client.
pub struct Guest {
    /// Who it is, as far as its connection tells.
    pub peer: Peer,
    /// Which generation it speaks.
    pub generation: Generation,
    /// Its requests that are being worked on.
    pub turns: Semaphore,
    /// Cancelled to end its connection; a client comes back by itself then.
    pub cut: CancellationToken,
    /// Cancelled when it needs no watching: it has registered, or nothing is left of it.
    settled: CancellationToken,
    sid: OnceLock<String>,
    listed: OnceLock<Guests>,
    joined: AtomicBool,
    stranger: Mutex<Option<Stranger>>,
    /// Cancelled when it leaves the namespace, which a newer client may enter again.
    gone: Mutex<CancellationToken>,
    bindings: Mutex<HashMap<Claim, Binding>>,
    /// Pairs that it is registering right now; as many as there are turns.
    registering: Mutex<Vec<Claim>>,
}

/// One pair that a client is registered as.
struct Binding {
    /// Cancelled when it is that no more.
    over: CancellationToken,
    /// The client is registering it once more: that the session before is replaced is no news to it.
    renewed: bool,
}

impl Guest {
    /// A client that has just come.
    pub fn new(peer: Peer, generation: Generation, stranger: Stranger) -> Arc<Self> {
        Arc::new(Self {
            peer,
            generation,
            turns: Semaphore::new(TURNS),
            cut: CancellationToken::new(),
            settled: CancellationToken::new(),
            sid: OnceLock::new(),
            listed: OnceLock::new(),
            joined: AtomicBool::new(false),
            stranger: Mutex::new(Some(stranger)),
            gone: Mutex::default(),
            bindings: Mutex::default(),
            registering: Mutex::default(),
        })
    }

    /// The id of its session, once that is known.
    pub fn sid(&self) -> Option<&str> {
        self.sid.get().map(String::as_str)
    }

    /// The library has given its session an id.
    pub fn named(&self, sid: &str) {
        // It is always the same.
        let _ = self.sid.set(sid.to_owned());
    }

    /// It has entered the namespace, and is registered as nothing. The token is to be cancelled when it
    /// leaves.
    pub fn enters(&self) -> CancellationToken {
        let gone = CancellationToken::new();
        std::mem::replace(&mut *lock(&self.gone), gone.clone()).cancel();
        lock(&self.bindings).clear();
        gone
    }

    /// Whether it is registered, or was: it is a stranger no more.
    pub fn has_joined(&self) -> bool {
        self.joined.load(Relaxed)
    }

    /// When it must make room ([`Stranger::eviction`]), and when that is over.
    pub fn evictions(&self) -> Option<(CancellationToken, CancellationToken)> {
        let stranger = lock(&self.stranger);
        stranger.as_ref().map(|stranger| (stranger.eviction(), self.settled.clone()))
    }

    /// It has said who it is ([`Stranger::claims`]).
    pub fn claims(&self) {
        if let Some(stranger) = &*lock(&self.stranger) {
            stranger.claims();
        }
    }

    /// Whether there is room for a pair; one that it has is taken anew.
    pub fn has_room_for(&self, claim: &Claim) -> bool {
        let bindings = lock(&self.bindings);
        bindings.len() < MAX_BINDINGS || bindings.contains_key(claim)
    }

    /// Begins to register a pair, unless that is under way: two at once would see each other off.
    pub fn registers(&self, claim: &Claim) -> Option<Registering<'_>> {
        let mut registering = lock(&self.registering);
        if registering.contains(claim) {
            return None;
        }
        registering.push(claim.clone());
        Some(Registering { guest: self, claim: claim.clone() })
    }

    /// Whether it is registered as this pair.
    pub fn is_bound(&self, claim: &Claim) -> bool {
        lock(&self.bindings).contains_key(claim)
    }

    /// It is registered as this pair until the token is cancelled, which it is when the same pair is
    /// registered again or the client goes.
    pub fn bind(&self, claim: Claim) -> CancellationToken {
        let over = lock(&self.gone).child_token();
        let binding = Binding { over: over.clone(), renewed: false };
        let mut bindings = lock(&self.bindings);
        // Before it is there no more: whoever finds it not being renewed finds it over.
        if let Some(former) = bindings.get(&claim) {
            former.over.cancel();
        }
        bindings.insert(claim, binding);
        drop(bindings);
        self.joined.store(true, Relaxed);
        lock(&self.stranger).take();
        self.settled.cancel();
        over
    }

    /// It begins to register a pair that it may have, or has failed to.
    pub fn renews(&self, claim: &Claim, renewed: bool) {
        if let Some(binding) = lock(&self.bindings).get_mut(claim) {
            binding.renewed = renewed;
        }
    }

    /// Whether it is registering a pair anew.
    pub fn is_renewing(&self, claim: &Claim) -> bool {
        lock(&self.bindings).get(claim).is_some_and(|binding| binding.renewed)
    }

    /// It is registered as this pair no more, unless it was registered anew meanwhile.
    pub fn unbind(&self, claim: &Claim, token: &CancellationToken) {
        if !token.is_cancelled() {
            lock(&self.bindings).remove(claim);
        }
    }
}

/// A registration under way, until this is dropped.
pub struct Registering<'a> {
    guest: &'a Guest,
    claim: Claim,
}

impl Drop for Registering<'_> {
    fn drop(&mut self) {
        lock(&self.guest.registering).retain(|claim| *claim != self.claim);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.settled.cancel();
        lock(&self.gone).cancel();
        if let (Some(guests), Some(sid)) = (self.listed.get(), self.sid.get()) {
            lock(&guests.0).remove(sid);
        }
    }
}

/// The clients that began by polling, by the id of their session: their requests come one by one.
/// Bounded by the limits for strangers and by those of the hub.
#[derive(Clone, Default)]
pub struct Guests(Arc<Mutex<HashMap<String, Weak<Guest>>>>);

impl Guests {
    /// Lists a client.
    pub fn list(&self, guest: &Arc<Guest>, sid: &str) {
        guest.named(sid);
        lock(&self.0).insert(sid.to_owned(), Arc::downgrade(guest));
        let _ = guest.listed.set(self.clone());
    }

    /// Whose session it is.
    pub fn get(&self, sid: &str) -> Option<Arc<Guest>> {
        lock(&self.0).get(sid).and_then(Weak::upgrade)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Guest, Guests, MAX_BINDINGS};
    use crate::{
        server::{StrangerLimits, Strangers, Unobserved, peer::Peer},
        services::webhook::{claim::Claim, socketio::query::Generation},
    };
    use std::sync::Arc;

    fn strangers() -> Strangers {
        let limits = StrangerLimits { total: 1, per_address: 1 };
        Strangers::new(limits, |_| false, Arc::new(Unobserved))
    }

    fn guest(strangers: &Strangers) -> Arc<Guest> {
        let stranger = strangers.admit(None).unwrap();
        Guest::new(Peer::default(), Generation::Third, stranger)
    }

    fn claim(connection: usize) -> Claim {
        Claim::new("alice", connection.to_string()).unwrap()
    }

    #[test]
    fn who_registers_is_a_stranger_no_more() {
        let strangers = strangers();
        let guest = guest(&strangers);
        let (_, settled) = guest.evictions().unwrap();
        guest.bind(claim(0));
        assert!(guest.has_joined() && settled.is_cancelled() && guest.evictions().is_none());
        assert_eq!(strangers.count(), 0);
    }

    #[test]
    fn a_stranger_that_must_make_room_is_told() {
        let strangers = strangers();
        let first = guest(&strangers);
        let (eviction, settled) = first.evictions().unwrap();
        let _second = guest(&strangers);
        assert!(eviction.is_cancelled() && !settled.is_cancelled());
        drop(first);
        assert!(settled.is_cancelled());
    }

    #[test]
    fn a_pair_is_bound_once_and_pairs_are_bounded() {
        let guest = guest(&strangers());
        let first = guest.bind(claim(0));
        let second = guest.bind(claim(0));
        assert!(first.is_cancelled() && !second.is_cancelled());
        guest.unbind(&claim(0), &first);
        assert!(guest.is_bound(&claim(0)));
        for number in 1..MAX_BINDINGS {
            assert!(guest.has_room_for(&claim(number)));
            guest.bind(claim(number));
        }
        assert!(!guest.has_room_for(&claim(99)) && guest.has_room_for(&claim(0)));
        guest.unbind(&claim(0), &second);
        assert!(guest.has_room_for(&claim(99)));
    }

    #[test]
    fn who_leaves_and_enters_again_begins_anew() {
        let guest = guest(&strangers());
        let gone = guest.enters();
        let over = guest.bind(claim(0));
        gone.cancel();
        assert!(over.is_cancelled());
        guest.enters();
        assert!(!guest.is_bound(&claim(0)) && !guest.bind(claim(0)).is_cancelled());
    }

    #[test]
    fn a_pair_is_registered_once_at_a_time() {
        let guest = guest(&strangers());
        let first = guest.registers(&claim(0)).unwrap();
        assert!(guest.registers(&claim(0)).is_none());
        let other = guest.registers(&claim(1));
        assert!(other.is_some());
        drop(first);
        assert!(guest.registers(&claim(0)).is_some());
    }

    #[test]
    fn a_client_is_listed_while_something_is_left_of_it() {
        let (guests, strangers) = (Guests::default(), strangers());
        let guest = guest(&strangers);
        let token = guest.bind(claim(1));
        guests.list(&guest, "s1");
        assert!(guests.get("s1").is_some_and(|found| found.sid() == Some("s1")));
        drop(guest);
        assert!(guests.get("s1").is_none() && super::lock(&guests.0).is_empty());
        assert!(token.is_cancelled());
    }
}

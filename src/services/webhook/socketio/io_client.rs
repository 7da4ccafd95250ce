//! What is kept of one client beside what the library keeps: where it comes from, its place among the
//! pre_auth until it has registered, and what it is registered as.

use super::query::EngineGeneration;
use crate::{
    server::{PreAuthConnection, peer::ConnectionPeer},
    services::webhook::registration_key::RegistrationKey,
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
pub struct SocketIoClient {
    /// Who it is, as far as its connection tells.
    pub peer: ConnectionPeer,
    /// Which generation it speaks.
    pub generation: EngineGeneration,
    /// Its requests that are being worked on.
    pub turns: Semaphore,
    /// Cancelled to end its connection; a client comes back by itself then.
    pub cut: CancellationToken,
    /// Cancelled when it needs no watching: it has registered, or nothing is left of it.
    settled: CancellationToken,
    sid: OnceLock<String>,
    listed: OnceLock<PollingClients>,
    joined: AtomicBool,
    pre_auth_connection: Mutex<Option<PreAuthConnection>>,
    /// Cancelled when it leaves the namespace, which a newer client may enter again.
    gone: Mutex<CancellationToken>,
    bindings: Mutex<HashMap<RegistrationKey, ClientBinding>>,
    /// Pairs that it is registering right now; as many as there are turns.
    registering: Mutex<Vec<RegistrationKey>>,
}

/// One pair that a client is registered as.
struct ClientBinding {
    /// Cancelled when it is that no more.
    over: CancellationToken,
    /// The client is registering it once more: that the session before is replaced is no news to it.
    renewed: bool,
}

impl SocketIoClient {
    /// A client that has just come.
    pub fn new(
        peer: ConnectionPeer,
        generation: EngineGeneration,
        pre_auth_connection: PreAuthConnection,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            generation,
            turns: Semaphore::new(TURNS),
            cut: CancellationToken::new(),
            settled: CancellationToken::new(),
            sid: OnceLock::new(),
            listed: OnceLock::new(),
            joined: AtomicBool::new(false),
            pre_auth_connection: Mutex::new(Some(pre_auth_connection)),
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
    pub fn set_sid(&self, sid: &str) {
        // It is always the same.
        let _ = self.sid.set(sid.to_owned());
    }

    /// It has entered the namespace, and is registered as nothing. The token is to be cancelled when it
    /// leaves.
    pub fn enter_namespace(&self) -> CancellationToken {
        let gone = CancellationToken::new();
        std::mem::replace(&mut *lock(&self.gone), gone.clone()).cancel();
        lock(&self.bindings).clear();
        gone
    }

    /// Whether it is registered, or was: it is a pre_auth_connection no more.
    pub fn is_joined(&self) -> bool {
        self.joined.load(Relaxed)
    }

    /// When it must make room ([`PreAuthConnection::eviction`]), and when that is over.
    pub fn evictions(&self) -> Option<(CancellationToken, CancellationToken)> {
        let pre_auth_connection = lock(&self.pre_auth_connection);
        pre_auth_connection
            .as_ref()
            .map(|pre_auth_connection| (pre_auth_connection.eviction(), self.settled.clone()))
    }

    /// It has said who it is ([`PreAuthConnection::protect_from_eviction`]).
    pub fn protect_from_eviction(&self) {
        if let Some(pre_auth_connection) = &*lock(&self.pre_auth_connection) {
            pre_auth_connection.protect_from_eviction();
        }
    }

    /// Whether there is room for a pair; one that it has is taken anew.
    pub fn has_room_for(&self, claim: &RegistrationKey) -> bool {
        let bindings = lock(&self.bindings);
        bindings.len() < MAX_BINDINGS || bindings.contains_key(claim)
    }

    /// Begins to register a pair, unless that is under way: two at once would see each other off.
    pub fn begin_registration(&self, claim: &RegistrationKey) -> Option<RegistrationGuard<'_>> {
        let mut registering = lock(&self.registering);
        if registering.contains(claim) {
            return None;
        }
        registering.push(claim.clone());
        Some(RegistrationGuard { io_client: self, claim: claim.clone() })
    }

    /// Whether it is registered as this pair.
    pub fn is_bound(&self, claim: &RegistrationKey) -> bool {
        lock(&self.bindings).contains_key(claim)
    }

    /// It is registered as this pair until the token is cancelled, which it is when the same pair is
    /// registered again or the client goes.
    pub fn bind(&self, claim: RegistrationKey) -> CancellationToken {
        let over = lock(&self.gone).child_token();
        let binding = ClientBinding { over: over.clone(), renewed: false };
        let mut bindings = lock(&self.bindings);
        // Before it is there no more: whoever finds it not being renewed finds it over.
        if let Some(former) = bindings.get(&claim) {
            former.over.cancel();
        }
        bindings.insert(claim, binding);
        drop(bindings);
        self.joined.store(true, Relaxed);
        lock(&self.pre_auth_connection).take();
        self.settled.cancel();
        over
    }

    /// It begins to register a pair that it may have, or has failed to.
    pub fn set_renewing(&self, claim: &RegistrationKey, renewed: bool) {
        if let Some(binding) = lock(&self.bindings).get_mut(claim) {
            binding.renewed = renewed;
        }
    }

    /// Whether it is registering a pair anew.
    pub fn is_renewing(&self, claim: &RegistrationKey) -> bool {
        lock(&self.bindings).get(claim).is_some_and(|binding| binding.renewed)
    }

    /// It is registered as this pair no more, unless it was registered anew meanwhile.
    pub fn unbind(&self, claim: &RegistrationKey, token: &CancellationToken) {
        if !token.is_cancelled() {
            lock(&self.bindings).remove(claim);
        }
    }
}

/// A registration under way, until this is dropped.
pub struct RegistrationGuard<'a> {
    io_client: &'a SocketIoClient,
    claim: RegistrationKey,
}

impl Drop for RegistrationGuard<'_> {
    fn drop(&mut self) {
        lock(&self.io_client.registering).retain(|claim| *claim != self.claim);
    }
}

impl Drop for SocketIoClient {
    fn drop(&mut self) {
        self.settled.cancel();
        lock(&self.gone).cancel();
        if let (Some(polling_clients), Some(sid)) = (self.listed.get(), self.sid.get()) {
            lock(&polling_clients.0).remove(sid);
        }
    }
}

/// The clients that began by polling, by the id of their session: their requests come one by one.
/// Bounded by the limits for pre_auth and by those of the hub.
#[derive(Clone, Default)]
pub struct PollingClients(Arc<Mutex<HashMap<String, Weak<SocketIoClient>>>>);

impl PollingClients {
    /// Lists a client.
    pub fn list(&self, io_client: &Arc<SocketIoClient>, sid: &str) {
        io_client.set_sid(sid);
        lock(&self.0).insert(sid.to_owned(), Arc::downgrade(io_client));
        let _ = io_client.listed.set(self.clone());
    }

    /// Whose session it is.
    pub fn get(&self, sid: &str) -> Option<Arc<SocketIoClient>> {
        lock(&self.0).get(sid).and_then(Weak::upgrade)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{MAX_BINDINGS, PollingClients, SocketIoClient};
    use crate::{
        server::{NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, peer::ConnectionPeer},
        services::webhook::{registration_key::RegistrationKey, socketio::query::EngineGeneration},
    };
    use std::sync::Arc;

    fn pre_auth() -> PreAuthLimiter {
        let limits = PreAuthLimits { total: 1, per_address: 1 };
        PreAuthLimiter::new(limits, |_| false, Arc::new(NoopConnectionObserver))
    }

    fn io_client(pre_auth: &PreAuthLimiter) -> Arc<SocketIoClient> {
        let pre_auth_connection = pre_auth.admit(None).unwrap();
        SocketIoClient::new(ConnectionPeer::default(), EngineGeneration::Third, pre_auth_connection)
    }

    fn claim(connection: usize) -> RegistrationKey {
        RegistrationKey::new("alice", connection.to_string()).unwrap()
    }

    #[test]
    fn who_registers_is_a_stranger_no_more() {
        let pre_auth = pre_auth();
        let io_client = io_client(&pre_auth);
        let (_, settled) = io_client.evictions().unwrap();
        io_client.bind(claim(0));
        assert!(io_client.is_joined() && settled.is_cancelled() && io_client.evictions().is_none());
        assert_eq!(pre_auth.count(), 0);
    }

    #[test]
    fn a_stranger_that_must_make_room_is_told() {
        let pre_auth = pre_auth();
        let first = io_client(&pre_auth);
        let (eviction, settled) = first.evictions().unwrap();
        let _second = io_client(&pre_auth);
        assert!(eviction.is_cancelled() && !settled.is_cancelled());
        drop(first);
        assert!(settled.is_cancelled());
    }

    #[test]
    fn a_pair_is_bound_once_and_pairs_are_bounded() {
        let io_client = io_client(&pre_auth());
        let first = io_client.bind(claim(0));
        let second = io_client.bind(claim(0));
        assert!(first.is_cancelled() && !second.is_cancelled());
        io_client.unbind(&claim(0), &first);
        assert!(io_client.is_bound(&claim(0)));
        for number in 1..MAX_BINDINGS {
            assert!(io_client.has_room_for(&claim(number)));
            io_client.bind(claim(number));
        }
        assert!(!io_client.has_room_for(&claim(99)) && io_client.has_room_for(&claim(0)));
        io_client.unbind(&claim(0), &second);
        assert!(io_client.has_room_for(&claim(99)));
    }

    #[test]
    fn who_leaves_and_enters_again_begins_anew() {
        let io_client = io_client(&pre_auth());
        let gone = io_client.enter_namespace();
        let over = io_client.bind(claim(0));
        gone.cancel();
        assert!(over.is_cancelled());
        io_client.enter_namespace();
        assert!(!io_client.is_bound(&claim(0)) && !io_client.bind(claim(0)).is_cancelled());
    }

    #[test]
    fn a_pair_is_registered_once_at_a_time() {
        let io_client = io_client(&pre_auth());
        let first = io_client.begin_registration(&claim(0)).unwrap();
        assert!(io_client.begin_registration(&claim(0)).is_none());
        let other = io_client.begin_registration(&claim(1));
        assert!(other.is_some());
        drop(first);
        assert!(io_client.begin_registration(&claim(0)).is_some());
    }

    #[test]
    fn a_client_is_listed_while_something_is_left_of_it() {
        let (polling_clients, pre_auth) = (PollingClients::default(), pre_auth());
        let io_client = io_client(&pre_auth);
        let token = io_client.bind(claim(1));
        polling_clients.list(&io_client, "s1");
        assert!(polling_clients.get("s1").is_some_and(|found| found.sid() == Some("s1")));
        drop(io_client);
        assert!(polling_clients.get("s1").is_none() && super::lock(&polling_clients.0).is_empty());
        assert!(token.is_cancelled());
    }
}

//! State of one client beside the library's own: its address, its slot among unauthenticated
//! connections until it has registered, and its registrations.

use super::query::EngineGeneration;
use crate::{
    server::{PreAuthConnection, peer::ConnectionPeer},
    services::webhook::registration_key::RegistrationKey,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Maximum pairs that one client may register.
pub const MAX_BINDINGS: usize = 16;
/// Requests of one client that are handled at once; further ones are answered `try later`.
const MAX_CONCURRENT_REQUESTS: usize = MAX_BINDINGS;

/// State of one client.
pub struct SocketIoClient {
    /// Address of the client.
    pub peer: ConnectionPeer,
    /// Protocol generation of the client.
    pub generation: EngineGeneration,
    /// Permits for concurrent requests.
    pub request_permits: Semaphore,
    /// Cancelled to end the connection; the client then reconnects.
    pub cut: CancellationToken,
    /// Cancelled when eviction no longer applies: the client has registered or disconnected.
    settled: CancellationToken,
    sid: OnceLock<String>,
    listed: OnceLock<PollingClients>,
    joined: AtomicBool,
    pre_auth_connection: Mutex<Option<PreAuthConnection>>,
    /// Its slot among the service's unregistered clients.
    service_slot: Mutex<Option<PreAuthConnection>>,
    /// Cancelled when it leaves the namespace, which a newer client may enter again.
    left: Mutex<CancellationToken>,
    bindings: Mutex<HashMap<RegistrationKey, ClientBinding>>,
    /// Pairs whose registration is under way, bounded by the request_permits.
    registering: Mutex<Vec<RegistrationKey>>,
}

/// One registered pair of a client.
struct ClientBinding {
    /// Cancelled when the registration ends.
    over: CancellationToken,
    /// Whether the client is registering the pair again, so that it needs no notice of the replaced
    /// session.
    renewed: bool,
}

impl SocketIoClient {
    /// State of a new client.
    pub fn new(
        peer: ConnectionPeer,
        generation: EngineGeneration,
        pre_auth_connection: PreAuthConnection,
        service_slot: PreAuthConnection,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            generation,
            request_permits: Semaphore::new(MAX_CONCURRENT_REQUESTS),
            cut: CancellationToken::new(),
            settled: CancellationToken::new(),
            sid: OnceLock::new(),
            listed: OnceLock::new(),
            joined: AtomicBool::new(false),
            pre_auth_connection: Mutex::new(Some(pre_auth_connection)),
            service_slot: Mutex::new(Some(service_slot)),
            left: Mutex::default(),
            bindings: Mutex::default(),
            registering: Mutex::default(),
        })
    }

    /// Session id, once known.
    pub fn sid(&self) -> Option<&str> {
        self.sid.get().map(String::as_str)
    }

    /// Sets the session id that the library has chosen.
    pub fn set_sid(&self, sid: &str) {
        // Repeated calls have the same value.
        let _ = self.sid.set(sid.to_owned());
    }

    /// Resets the registrations when the client enters the namespace. Cancel the token when it
    /// leaves.
    pub fn enter_namespace(&self) -> CancellationToken {
        let left = CancellationToken::new();
        std::mem::replace(&mut *self.left.lock(), left.clone()).cancel();
        self.bindings.lock().clear();
        left
    }

    /// Whether it has ever registered and no longer counts as unauthenticated.
    pub fn is_joined(&self) -> bool {
        self.joined.load(Relaxed)
    }

    /// Resolves when the client is evicted before it registers; false when it has registered or is gone.
    pub fn evicted(&self) -> impl Future<Output = bool> + Send + use<> {
        let eviction = |slot: &Mutex<Option<PreAuthConnection>>| {
            slot.lock().as_ref().map(PreAuthConnection::eviction)
        };
        let evictions = (eviction(&self.pre_auth_connection), eviction(&self.service_slot));
        let settled = self.settled.clone();
        async move {
            let (Some(connection), Some(service)) = evictions else { return false };
            tokio::select! {
                biased;
                () = settled.cancelled() => false,
                () = connection.cancelled() => true,
                () = service.cancelled() => true,
            }
        }
    }

    /// Its slot among unauthenticated connections, until it has registered.
    pub fn pre_auth_connection(&self) -> Option<PreAuthConnection> {
        self.pre_auth_connection.lock().clone()
    }

    /// Whether it may register this pair: it has it already, or is below [`MAX_BINDINGS`].
    pub fn has_room_for(&self, claim: &RegistrationKey) -> bool {
        let bindings = self.bindings.lock();
        bindings.len() < MAX_BINDINGS || bindings.contains_key(claim)
    }

    /// Begins the registration of a pair unless one is under way: two at once would replace each
    /// other.
    pub fn begin_registration(&self, claim: &RegistrationKey) -> Option<RegistrationGuard<'_>> {
        let mut registering = self.registering.lock();
        if registering.contains(claim) {
            return None;
        }
        registering.push(claim.clone());
        Some(RegistrationGuard { io_client: self, claim: claim.clone() })
    }

    /// Whether the registration of a pair is under way.
    pub fn is_registering(&self, claim: &RegistrationKey) -> bool {
        self.registering.lock().contains(claim)
    }

    /// Whether it is registered as this pair.
    pub fn is_bound(&self, claim: &RegistrationKey) -> bool {
        self.bindings.lock().contains_key(claim)
    }

    /// Records a registration. The token is cancelled when the same pair is registered again or the
    /// client disconnects.
    pub fn bind(&self, claim: RegistrationKey) -> CancellationToken {
        let over = self.left.lock().child_token();
        let binding = ClientBinding { over: over.clone(), renewed: false };
        let mut bindings = self.bindings.lock();
        // Cancelled before it is replaced: a task that finds it not renewing finds it cancelled.
        if let Some(former) = bindings.get(&claim) {
            former.over.cancel();
        }
        bindings.insert(claim, binding);
        drop(bindings);
        self.joined.store(true, Relaxed);
        self.pre_auth_connection.lock().take();
        self.service_slot.lock().take();
        self.settled.cancel();
        over
    }

    /// Sets whether the registration of a pair is being repeated.
    pub fn set_renewing(&self, claim: &RegistrationKey, renewed: bool) {
        if let Some(binding) = self.bindings.lock().get_mut(claim) {
            binding.renewed = renewed;
        }
    }

    /// Whether the registration of a pair is being repeated.
    pub fn is_renewing(&self, claim: &RegistrationKey) -> bool {
        self.bindings.lock().get(claim).is_some_and(|binding| binding.renewed)
    }

    /// Removes a registration, unless it was repeated meanwhile.
    pub fn unbind(&self, claim: &RegistrationKey, token: &CancellationToken) {
        if !token.is_cancelled() {
            self.bindings.lock().remove(claim);
        }
    }
}

/// A registration under way; ends when dropped.
pub struct RegistrationGuard<'a> {
    io_client: &'a SocketIoClient,
    claim: RegistrationKey,
}

impl Drop for RegistrationGuard<'_> {
    fn drop(&mut self) {
        self.io_client.registering.lock().retain(|claim| *claim != self.claim);
    }
}

impl Drop for SocketIoClient {
    fn drop(&mut self) {
        self.settled.cancel();
        self.left.lock().cancel();
        if let (Some(polling_clients), Some(sid)) = (self.listed.get(), self.sid.get()) {
            polling_clients.0.lock().remove(sid);
        }
    }
}

/// Clients that began with polling, by session id, since their requests arrive separately. Bounded
/// by the limits of unauthenticated connections and of the hub.
#[derive(Clone, Default)]
pub struct PollingClients(Arc<Mutex<HashMap<String, Weak<SocketIoClient>>>>);

impl PollingClients {
    /// Adds a client under its session id.
    pub fn list(&self, io_client: &Arc<SocketIoClient>, sid: &str) {
        io_client.set_sid(sid);
        self.0.lock().insert(sid.to_owned(), Arc::downgrade(io_client));
        let _ = io_client.listed.set(self.clone());
    }

    /// The client of a session.
    pub fn get(&self, sid: &str) -> Option<Arc<SocketIoClient>> {
        self.0.lock().get(sid).and_then(Weak::upgrade)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BINDINGS, PollingClients, SocketIoClient};
    use crate::{
        server::{NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, peer::ConnectionPeer},
        services::webhook::{registration_key::RegistrationKey, socketio::query::EngineGeneration},
    };
    use futures_util::FutureExt;
    use std::sync::Arc;

    fn pre_auth() -> PreAuthLimiter {
        let limits = PreAuthLimits { total: 1, per_address: 1 };
        PreAuthLimiter::new(limits, |_| false, Arc::new(NoopConnectionObserver))
    }

    fn io_client(pre_auth: &PreAuthLimiter) -> Arc<SocketIoClient> {
        let pre_auth_connection = pre_auth.admit(None).unwrap();
        let service_slot = self::pre_auth().admit(None).unwrap();
        let (peer, generation) = (ConnectionPeer::default(), EngineGeneration::Third);
        SocketIoClient::new(peer, generation, pre_auth_connection, service_slot)
    }

    fn claim(connection: usize) -> RegistrationKey {
        RegistrationKey::new("alice", connection.to_string()).unwrap()
    }

    #[test]
    fn a_registered_client_no_longer_counts_as_unauthenticated() {
        let pre_auth = pre_auth();
        let io_client = io_client(&pre_auth);
        let evicted = io_client.evicted();
        io_client.bind(claim(0));
        assert!(io_client.is_joined() && evicted.now_or_never() == Some(false));
        assert_eq!(io_client.evicted().now_or_never(), Some(false));
        assert_eq!(pre_auth.count(), 0);
    }

    #[test]
    fn an_evicted_client_is_notified() {
        let pre_auth = pre_auth();
        let first = io_client(&pre_auth);
        assert_eq!(first.evicted().now_or_never(), None);
        let _second = io_client(&pre_auth);
        assert_eq!(first.evicted().now_or_never(), Some(true));
        let evicted = first.evicted();
        drop(first);
        assert_eq!(evicted.now_or_never(), Some(false), "nothing is left to end");
    }

    #[test]
    fn the_oldest_unregistered_client_of_a_service_is_evicted() {
        let (service, connections) = (pre_auth(), [pre_auth(), pre_auth()]);
        let client = |connection: &PreAuthLimiter| {
            SocketIoClient::new(
                ConnectionPeer::default(),
                EngineGeneration::Fourth,
                connection.admit(None).unwrap(),
                service.admit(None).unwrap(),
            )
        };
        let first = client(&connections[0]);
        let second = client(&connections[1]);
        assert_eq!(first.evicted().now_or_never(), Some(true));
        assert_eq!(second.evicted().now_or_never(), None);
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
    fn re_entering_the_namespace_resets_registrations() {
        let io_client = io_client(&pre_auth());
        let left = io_client.enter_namespace();
        let over = io_client.bind(claim(0));
        left.cancel();
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
    fn a_client_is_listed_until_it_is_dropped() {
        let (polling_clients, pre_auth) = (PollingClients::default(), pre_auth());
        let io_client = io_client(&pre_auth);
        let token = io_client.bind(claim(1));
        polling_clients.list(&io_client, "s1");
        assert!(polling_clients.get("s1").is_some_and(|found| found.sid() == Some("s1")));
        drop(io_client);
        assert!(polling_clients.get("s1").is_none() && polling_clients.0.lock().is_empty());
        assert!(token.is_cancelled());
    }
}

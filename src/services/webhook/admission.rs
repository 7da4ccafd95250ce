//! Admission of clients, whatever their transport: checks the pair, closes an older session with
//! the same pair, replays missed messages and joins the hub.

use super::{
    guess_limiter::GuessLimiter,
    lookup_queue::PairLookupQueue,
    message_id::MessageId,
    registration_key::RegistrationKey,
    store::{
        RegistrationRenewal, RegistrationState, RegistrationStore, RegistrationStoreError,
        SessionEntry,
    },
};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient, ConnectionLimit, ConnectionPermit, SessionBridge,
        hub::{Hub, JoinRequest},
    },
    server::{
        PreAuthConnection,
        client_address::{ClientAddressResolver, ClientNetwork},
        peer::ConnectionPeer,
        stream::{ClientStream, IdleStream},
    },
    websocket::frame::{CloseCode, Frame},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

/// Maximum wait of a client for the dispatcher.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a client is refused, as the peer reads it. It is the same for an unknown user and for a
/// wrong connection of a known user, so that users can't be enumerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// A name is missing, empty or too long, or an id is invalid.
    #[error("malformed")]
    Malformed,
    /// The pair isn't registered.
    #[error("unknown")]
    Unknown,
    /// The store or the dispatcher isn't available.
    #[error("try later")]
    TryLater,
    /// The service has reached its maximum of clients.
    #[error("full")]
    Full,
}

impl AdmissionError {
    /// The word that the peer reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::TryLater => "try later",
            Self::Full => "full",
        }
    }

    /// Close code of a WebSocket; it says whether reconnecting makes sense.
    pub fn code(self) -> CloseCode {
        match self {
            Self::Malformed => CloseCode::POLICY,
            // As for a revoked login: the client needs a new registration.
            Self::Unknown => CloseCode(4401),
            Self::TryLater | Self::Full => CloseCode::TRY_AGAIN,
        }
    }
}

/// Receives the result of each admission, for metrics.
pub type AdmissionObserver = Arc<dyn Fn(Result<(), AdmissionError>) + Send + Sync>;

/// Admits clients. Cheap to clone.
#[derive(Clone)]
pub struct ClientAdmission(Arc<ClientAdmissionInner>);

struct ClientAdmissionInner {
    store: Arc<dyn RegistrationStore>,
    dispatcher: mpsc::Sender<ClientJoinRequest>,
    connection_limit: ConnectionLimit,
    addresses: ClientAddressResolver,
    guess_limiter: Mutex<GuessLimiter>,
    lookups: PairLookupQueue,
    digest: RandomState,
    observe: AdmissionObserver,
    probe_session: Option<ProbeSession>,
}

/// The daemon's own client for self probes. It needs neither store nor dispatcher, so that it works
/// while both wait for Redis.
pub struct ProbeSession {
    /// Its pair: random, and never registered.
    pub claim: RegistrationKey,
    /// The hub that it joins.
    pub hub: Hub,
}

/// A client whose pair is registered, with its connection permit.
#[derive(Debug)]
pub struct AdmittedClient {
    claim: RegistrationKey,
    entry: SessionEntry,
    permit: ConnectionPermit,
}

/// An admitted client that waits for the dispatcher.
pub struct ClientJoinRequest {
    /// Its user and connection.
    pub claim: RegistrationKey,
    /// State of its registration in the store.
    pub entry: SessionEntry,
    /// Connection of the client.
    pub transport: IdleStream,
    /// Bytes already read from the connection.
    pub leftover: Bytes,
    /// The last message that the client has received, if it says so.
    pub since: Option<MessageId>,
    /// First frame for the client.
    pub greeting: Option<Frame>,
    /// Its slot within the connection limit.
    pub permit: ConnectionPermit,
    /// Resolved when it has joined the hub.
    pub done: oneshot::Sender<()>,
}

impl ClientAdmission {
    /// Creates an admission in front of a dispatcher. `connection_limit` counts admitted clients,
    /// `addresses` resolves networks, `probe_session` is the daemon's own client.
    pub fn new(
        store: Arc<dyn RegistrationStore>,
        dispatcher: mpsc::Sender<ClientJoinRequest>,
        connection_limit: ConnectionLimit,
        addresses: ClientAddressResolver,
        observe: AdmissionObserver,
        probe_session: Option<ProbeSession>,
    ) -> Self {
        let (guess_limiter, digest) = (Mutex::default(), RandomState::new());
        Self(Arc::new(ClientAdmissionInner {
            store,
            dispatcher,
            connection_limit,
            addresses,
            guess_limiter,
            lookups: PairLookupQueue::default(),
            digest,
            observe,
            probe_session,
        }))
    }

    /// Admits a client of another protocol than WebSocket and joins it to the hub. The descriptors of
    /// its session are acquired after its pair is found.
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub async fn enter(
        &self,
        claim: RegistrationKey,
        peer: &ConnectionPeer,
        connection: Option<&PreAuthConnection>,
        since: Option<MessageId>,
    ) -> Result<SessionBridge, AdmissionError> {
        let admitted = self.admit(claim, peer, connection).await?;
        match SessionBridge::pair() {
            Ok((stream, bridge)) => {
                self.join(admitted, stream, Bytes::new(), since, None).await?;
                Ok(bridge)
            }
            Err(error) => {
                tracing::warn!(%error, "no descriptors left for a client's session");
                self.restore(admitted.claim, admitted.entry).await;
                Err(AdmissionError::TryLater)
            }
        }
    }

    /// Checks a pair. Call [`ClientAdmission::join`] with the result.
    ///
    /// `connection` is protected from eviction until the pair is known to be wrong. Wrong pairs beyond
    /// [`GuessLimiter`]'s limit are answered late; right ones never are.
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub async fn admit(
        &self,
        claim: RegistrationKey,
        peer: &ConnectionPeer,
        connection: Option<&PreAuthConnection>,
    ) -> Result<AdmittedClient, AdmissionError> {
        if self.probe_session(&claim).is_some()
            && let Some(permit) = self.0.connection_limit.acquire(&claim.primary())
        {
            return Ok(AdmittedClient { claim, entry: SessionEntry::default(), permit });
        }
        let network = self.0.addresses.of(peer);
        connection.inspect(|connection| connection.protect_from_eviction());
        let admitted = match self.0.connection_limit.acquire(&claim.primary()) {
            Some(permit) => self.look_up(&claim, network).await.map(|entry| (entry, permit)),
            None => Err(AdmissionError::Full),
        };
        (self.0.observe)(admitted.as_ref().map(drop).map_err(|refused| *refused));
        if admitted.is_err() {
            connection.inspect(|connection| connection.allow_eviction());
        }
        if let Err(AdmissionError::Unknown) = admitted {
            let pair = self.0.digest.hash_one(&claim);
            let delay = self.0.guess_limiter.lock().record(network, pair, Instant::now());
            sleep(delay).await;
        }
        admitted.map(|(entry, permit)| AdmittedClient { claim, entry, permit })
    }

    async fn look_up(
        &self,
        claim: &RegistrationKey,
        network: ClientNetwork,
    ) -> Result<SessionEntry, AdmissionError> {
        // The fields are public: a key may be built without `new`.
        if RegistrationKey::new(&*claim.user, &*claim.connection).is_none() {
            return Err(AdmissionError::Malformed);
        }
        let _turn = self.0.lookups.acquire(network).await.ok_or(AdmissionError::TryLater)?;
        match self.0.store.enter(claim).await {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => Err(AdmissionError::Unknown),
            Err(RegistrationStoreError::Full(_)) => Err(AdmissionError::Full),
            Err(RegistrationStoreError::Offline(why)) => {
                tracing::debug!("registration lookup failed: {why}");
                Err(AdmissionError::TryLater)
            }
        }
    }

    /// Passes a client to the dispatcher.
    ///
    /// # Errors
    /// [`AdmissionError::TryLater`] when the daemon stops or is overloaded, or when the socket is
    /// unusable.
    pub async fn join(
        &self,
        admitted: AdmittedClient,
        stream: ClientStream,
        leftover: Bytes,
        since: Option<MessageId>,
        greeting: Option<Frame>,
    ) -> Result<(), AdmissionError> {
        let AdmittedClient { claim, entry, permit } = admitted;
        if let Some(probe_session) = self.probe_session(&claim) {
            return probe_session.joins(stream, leftover, greeting, permit).await;
        }
        let (done, notified) = oneshot::channel();
        let joined = async {
            let transport = stream.into_idle().map_err(|error| {
                tracing::debug!(%error, "client stream can't be moved to the hub");
                AdmissionError::TryLater
            })?;
            let claim = claim.clone();
            let join_request = ClientJoinRequest {
                claim,
                entry,
                transport,
                leftover,
                since,
                greeting,
                permit,
                done,
            };
            self.0.dispatcher.send(join_request).await.map_err(|_| AdmissionError::TryLater)?;
            notified.await.map_err(|_| AdmissionError::TryLater)
        };
        let joined = timeout(JOIN_TIMEOUT, joined).await.unwrap_or(Err(AdmissionError::TryLater));
        if joined.is_err() {
            self.restore(claim, entry).await;
        }
        joined
    }

    /// Restores the state of a client in the store that was admitted and didn't join.
    async fn restore(&self, claim: RegistrationKey, entry: SessionEntry) {
        let state = RegistrationState::Offline(entry.received());
        let renewal = RegistrationRenewal { claim, at: entry.at, state };
        if let Err(error) = self.0.store.keep(&[renewal]).await {
            tracing::debug!("client state not restored: {error}");
        }
    }

    fn probe_session(&self, claim: &RegistrationKey) -> Option<&ProbeSession> {
        self.0.probe_session.as_ref().filter(|probe_session| probe_session.claim == *claim)
    }
}

impl ProbeSession {
    async fn joins(
        &self,
        stream: ClientStream,
        leftover: Bytes,
        greeting: Option<Frame>,
        permit: ConnectionPermit,
    ) -> Result<(), AdmissionError> {
        let transport = stream.into_idle().map_err(|_| AdmissionError::TryLater)?;
        let authenticated =
            AuthenticatedClient { recipient: self.claim.primary(), auth_method: AuthMethod::Open };
        let greeting = Some(Box::new(move || greeting.into_iter().collect()) as _);
        let join_request = JoinRequest {
            greeting,
            permit: Some(permit),
            ..JoinRequest::new(transport, leftover, authenticated)
        };
        self.hub.join(join_request).await.map_err(|_| AdmissionError::TryLater)
    }
}

#[cfg(test)]
mod tests {
    use super::{AdmissionError, ClientAdmission};
    use crate::{
        push::{ConnectionCount, ConnectionLimit},
        server::{
            NoopConnectionObserver, PreAuthLimiter, PreAuthLimits,
            client_address::ClientAddressResolver, peer::ConnectionPeer,
        },
        services::webhook::{
            guess_limiter::{DELAY, MAX_PROMPT_PAIRS},
            registration_key::RegistrationKey,
            store::{MemoryStore, RegistrationStore, StoreLimits},
        },
    };
    use futures_util::{FutureExt, future::join_all};
    use std::{pin::pin, sync::Arc, time::SystemTime};
    use tokio::{sync::mpsc, time::Instant};

    fn admission() -> (ClientAdmission, Arc<MemoryStore>) {
        let (replica_events, _) = mpsc::channel(1);
        let clock = Arc::new(|| SystemTime::UNIX_EPOCH);
        let store = Arc::new(MemoryStore::new(StoreLimits::default(), clock, replica_events));
        let (dispatcher, _) = mpsc::channel(1);
        let addresses = ClientAddressResolver::new(Vec::new());
        let connection_limit =
            ConnectionLimit::new(None, "probe".into(), ConnectionCount::default(), || ());
        (
            ClientAdmission::new(
                Arc::clone(&store) as _,
                dispatcher,
                connection_limit,
                addresses,
                Arc::new(|_| ()),
                None,
            ),
            store,
        )
    }

    async fn refusal(
        admission: &ClientAdmission,
        claim: &RegistrationKey,
        peer: &ConnectionPeer,
    ) -> Option<AdmissionError> {
        admission.admit(claim.clone(), peer, None).await.err()
    }

    fn from(address: &str) -> ConnectionPeer {
        ConnectionPeer { address: Some(address.parse().unwrap()), forwarded: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_users_and_wrong_connections_are_refused_alike_and_never_block_right_pairs() {
        let (admission, store) = admission();
        let right = RegistrationKey::new("alice", "c1").unwrap();
        store.register(&right).await.unwrap();
        let (guesser, other) = (from("192.0.2.1:9"), from("192.0.2.2:9"));
        let start = Instant::now();
        for guess in 0..=MAX_PROMPT_PAIRS {
            let user = if guess % 2 == 0 { "alice" } else { "nobody" };
            let wrong = RegistrationKey::new(user, format!("guess {guess}")).unwrap();
            assert_eq!(refusal(&admission, &wrong, &guesser).await, Some(AdmissionError::Unknown));
        }
        assert_eq!(start.elapsed(), DELAY, "the last guess is answered late");
        assert_eq!(refusal(&admission, &right, &guesser).await, None);
        assert_eq!(start.elapsed(), DELAY, "a right pair is answered at once");
        assert_eq!(refusal(&admission, &right, &other).await, None);
        let nameless = RegistrationKey { user: String::new(), connection: "c".into() };
        assert_eq!(refusal(&admission, &nameless, &other).await, Some(AdmissionError::Malformed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_connection_is_evictable_while_its_answer_is_delayed() {
        let (admission, _) = admission();
        let limits = PreAuthLimits { total: 1, per_address: 1 };
        let pre_auth = PreAuthLimiter::new(limits, |_| true, Arc::new(NoopConnectionObserver));
        let (first, peer) = (pre_auth.admit(None).unwrap(), from("192.0.2.1:9"));
        for guess in 0..MAX_PROMPT_PAIRS {
            let wrong = RegistrationKey::new("alice", format!("guess {guess}")).unwrap();
            assert_eq!(refusal(&admission, &wrong, &peer).await, Some(AdmissionError::Unknown));
        }
        let wrong = RegistrationKey::new("alice", "one more").unwrap();
        // A fresh cooperative budget: only the delay makes the next poll wait.
        tokio::task::yield_now().await;
        let mut delayed = pin!(admission.admit(wrong, &peer, Some(&first)));
        assert!(delayed.as_mut().now_or_never().is_none());
        assert!(pre_auth.admit(None).is_ok() && first.eviction().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn three_hundred_browsers_behind_one_address_register_again_after_a_restart() {
        let (admission, store) = admission();
        let peer = from("192.0.2.1:9");
        let claims: Vec<_> =
            (0..300).map(|n| RegistrationKey::new("alice", n.to_string()).unwrap()).collect();
        let refused = join_all(claims.iter().map(|claim| refusal(&admission, claim, &peer))).await;
        assert!(refused.iter().all(|refused| *refused == Some(AdmissionError::Unknown)));
        for claim in claims.iter().take(StoreLimits::default().per_user) {
            store.register(claim).await.unwrap();
            assert_eq!(refusal(&admission, claim, &peer).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_registered_after_failed_attempts_is_admitted() {
        let (admission, store) = admission();
        let (claim, peer) = (RegistrationKey::new("alice", "c1").unwrap(), from("192.0.2.1:9"));
        for _ in 0..2 * MAX_PROMPT_PAIRS {
            assert_eq!(refusal(&admission, &claim, &peer).await, Some(AdmissionError::Unknown));
        }
        store.register(&claim).await.unwrap();
        assert_eq!(refusal(&admission, &claim, &peer).await, None);
    }
}

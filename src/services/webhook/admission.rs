//! Admission of clients, whatever their transport: checks the pair, closes an older session with
//! the same pair, replays missed messages and joins the hub.

use super::{
    guess_limiter::GuessLimiter,
    message_id::MessageId,
    registration_key::RegistrationKey,
    store::{
        RegistrationRenewal, RegistrationState, RegistrationStore, RegistrationStoreError,
        SessionEntry,
    },
};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient, ConnectionLimit, ConnectionPermit,
        hub::{Hub, JoinRequest},
    },
    server::{
        client_address::ClientAddressResolver,
        peer::ConnectionPeer,
        stream::{ClientStream, IdleStream},
    },
    websocket::frame::{CloseCode, Frame},
};
use bytes::Bytes;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
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
    /// Too many wrong pairs from this network.
    #[error("throttled")]
    Throttled,
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
            Self::Throttled => "throttled",
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
            Self::Throttled | Self::TryLater | Self::Full => CloseCode::TRY_AGAIN,
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
    digest: RandomState,
    observe: AdmissionObserver,
    probe_session: Option<ProbeSession>,
}

/// The daemon's probe_session client for self probes. It needs neither store nor dispatcher, so that it works
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
    /// `addresses` resolves networks, `probe` is the daemon's probe_session client.
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
            digest,
            observe,
            probe_session,
        }))
    }

    /// Admits a client and joins it to the hub; it has a session when this returns.
    ///
    /// # Errors
    /// [`AdmissionError`]; the connection is closed.
    pub async fn enter(
        &self,
        claim: RegistrationKey,
        peer: &ConnectionPeer,
        stream: ClientStream,
        leftover: Bytes,
        since: Option<MessageId>,
    ) -> Result<(), AdmissionError> {
        let admitted = self.admit(claim, peer).await?;
        self.join(admitted, stream, leftover, since, None).await
    }

    /// Checks a pair. Call [`ClientAdmission::join`] with the result.
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub async fn admit(
        &self,
        claim: RegistrationKey,
        peer: &ConnectionPeer,
    ) -> Result<AdmittedClient, AdmissionError> {
        if self.probe_session(&claim).is_some()
            && let Some(permit) = self.0.connection_limit.acquire(&claim.primary())
        {
            return Ok(AdmittedClient { claim, entry: SessionEntry::default(), permit });
        }
        let admitted = match self.0.connection_limit.acquire(&claim.primary()) {
            Some(permit) => self.look_up(&claim, peer).await.map(|entry| (entry, permit)),
            None => Err(AdmissionError::Full),
        };
        (self.0.observe)(admitted.as_ref().map(drop).map_err(|refused| *refused));
        admitted.map(|(entry, permit)| AdmittedClient { claim, entry, permit })
    }

    async fn look_up(
        &self,
        claim: &RegistrationKey,
        peer: &ConnectionPeer,
    ) -> Result<SessionEntry, AdmissionError> {
        // The fields are public: a key may be built without `new`.
        if RegistrationKey::new(&*claim.user, &*claim.connection).is_none() {
            return Err(AdmissionError::Malformed);
        }
        let origin = self.0.addresses.of(peer);
        if !self.guess_limiter().allows(origin, Instant::now()) {
            return Err(AdmissionError::Throttled);
        }
        match self.0.store.enter(claim).await {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => {
                let pair = self.0.digest.hash_one(claim);
                self.guess_limiter().wrong(origin, pair, Instant::now());
                Err(AdmissionError::Unknown)
            }
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
            // It didn't join: restore its state in the store.
            let state = RegistrationState::Offline(entry.received());
            let left =
                self.0.store.keep(&[RegistrationRenewal { claim, at: entry.at, state }]).await;
            if let Err(error) = left {
                tracing::debug!("client state not restored: {error}");
            }
        }
        joined
    }

    fn probe_session(&self, claim: &RegistrationKey) -> Option<&ProbeSession> {
        self.0.probe_session.as_ref().filter(|probe_session| probe_session.claim == *claim)
    }

    fn guess_limiter(&self) -> MutexGuard<'_, GuessLimiter> {
        self.0.guess_limiter.lock().unwrap_or_else(PoisonError::into_inner)
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
        server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
        services::webhook::{
            guess_limiter::MOST,
            registration_key::RegistrationKey,
            store::{MemoryStore, RegistrationStore, StoreLimits},
        },
    };
    use std::{sync::Arc, time::SystemTime};
    use tokio::sync::mpsc;

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
        admission.admit(claim.clone(), peer).await.err()
    }

    fn from(address: &str) -> ConnectionPeer {
        ConnectionPeer { address: Some(address.parse().unwrap()), forwarded: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_user_and_a_wrong_connection_are_refused_alike_and_guesses_are_limited() {
        let (admission, store) = admission();
        let right = RegistrationKey::new("alice", "c1").unwrap();
        store.register(&right).await.unwrap();
        let (guesser, other) = (from("192.0.2.1:9"), from("192.0.2.2:9"));
        for guess in 0..MOST {
            let user = if guess % 2 == 0 { "alice" } else { "nobody" };
            let wrong = RegistrationKey::new(user, format!("guess {guess}")).unwrap();
            assert_eq!(refusal(&admission, &wrong, &guesser).await, Some(AdmissionError::Unknown));
        }
        assert_eq!(refusal(&admission, &right, &guesser).await, Some(AdmissionError::Throttled));
        assert_eq!(refusal(&admission, &right, &other).await, None);
        let nameless = RegistrationKey { user: String::new(), connection: "c".into() };
        assert_eq!(refusal(&admission, &nameless, &other).await, Some(AdmissionError::Malformed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_registered_after_failed_attempts_is_admitted() {
        let (admission, store) = admission();
        let (claim, peer) = (RegistrationKey::new("alice", "c1").unwrap(), from("192.0.2.1:9"));
        for _ in 0..2 * MOST {
            assert_eq!(refusal(&admission, &claim, &peer).await, Some(AdmissionError::Unknown));
        }
        store.register(&claim).await.unwrap();
        assert_eq!(refusal(&admission, &claim, &peer).await, None);
    }
}

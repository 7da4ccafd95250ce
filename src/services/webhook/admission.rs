//! Through here every client comes in, whatever it speaks: its pair is looked up, an older session with
//! the same pair ends, what it missed is sent, and it is notified from then on.

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

/// How long a client waits for its turn with the dispatcher.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a client does not come in: the closed set of what a peer may read. It is the same for a user
/// nobody knows and for a connection that isn't the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// What it says isn't understood: a name missing, empty or too long, an id that is none.
    #[error("malformed")]
    Malformed,
    /// The pair isn't registered, or no longer.
    #[error("unknown")]
    Unknown,
    /// Too many wrong pairs from there.
    #[error("throttled")]
    Throttled,
    /// Nobody can say right now.
    #[error("try later")]
    TryLater,
    /// As many clients as there is room for.
    #[error("full")]
    Full,
}

impl AdmissionError {
    /// What the peer reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Throttled => "throttled",
            Self::TryLater => "try later",
            Self::Full => "full",
        }
    }

    /// The code for the close frame: whether coming back makes sense.
    pub fn code(self) -> CloseCode {
        match self {
            Self::Malformed => CloseCode::POLICY,
            // Like a log-in that is revoked: a new registration is needed.
            Self::Unknown => CloseCode(4401),
            Self::Throttled | Self::TryLater | Self::Full => CloseCode::TRY_AGAIN,
        }
    }
}

/// How a client fared, for whoever counts.
pub type AdmissionObserver = Arc<dyn Fn(Result<(), AdmissionError>) + Send + Sync>;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct ClientAdmission(Arc<ClientAdmissionInner>);

struct ClientAdmissionInner {
    store: Arc<dyn RegistrationStore>,
    dispatcher: mpsc::Sender<ClientJoinRequest>,
    room: ConnectionLimit,
    origins: ClientAddressResolver,
    guess_limiter: Mutex<GuessLimiter>,
    digest: RandomState,
    observe: AdmissionObserver,
    own: Option<ProbeSession>,
}

/// The daemon's own client, which needs neither store nor dispatcher: it comes in though both wait for Redis.
pub struct ProbeSession {
    /// Who: nobody can guess it, and nobody registers it.
    pub claim: RegistrationKey,
    /// Where it listens.
    pub hub: Hub,
}

/// A client that may come in: its place is kept for it.
#[derive(Debug)]
pub struct AdmittedClient {
    claim: RegistrationKey,
    entry: SessionEntry,
    seat: ConnectionPermit,
}

/// A client that may enter, on its way to the dispatcher.
pub struct ClientJoinRequest {
    /// Who.
    pub claim: RegistrationKey,
    /// What the store says.
    pub entry: SessionEntry,
    /// Its socket.
    pub transport: IdleStream,
    /// Bytes already read from it.
    pub leftover: Bytes,
    /// The last message it had, as far as it says.
    pub since: Option<MessageId>,
    /// What it hears first.
    pub welcome: Option<Frame>,
    /// Its place within the connection limit.
    pub permit: ConnectionPermit,
    /// It has joined.
    pub done: oneshot::Sender<()>,
}

impl ClientAdmission {
    /// A authenticated in front of a dispatcher. `room` is for those who are in, `origins` tells networks apart, `own`
    /// is the daemon's own client.
    pub fn new(
        store: Arc<dyn RegistrationStore>,
        dispatcher: mpsc::Sender<ClientJoinRequest>,
        room: ConnectionLimit,
        origins: ClientAddressResolver,
        observe: AdmissionObserver,
        own: Option<ProbeSession>,
    ) -> Self {
        let (guess_limiter, digest) = (Mutex::default(), RandomState::new());
        Self(Arc::new(ClientAdmissionInner {
            store,
            dispatcher,
            room,
            origins,
            guess_limiter,
            digest,
            observe,
            own,
        }))
    }

    /// Lets a client in whose pair is registered; it is a session of the hub when this returns.
    ///
    /// # Errors
    /// [`AdmissionError`]; then the connection is dropped.
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

    /// Whether a pair may come in. Who is let in must [`ClientAdmission::join`].
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub async fn admit(
        &self,
        claim: RegistrationKey,
        peer: &ConnectionPeer,
    ) -> Result<AdmittedClient, AdmissionError> {
        if self.own(&claim).is_some()
            && let Some(seat) = self.0.room.acquire(&claim.home())
        {
            return Ok(AdmittedClient { claim, entry: SessionEntry::default(), seat });
        }
        let admitted = match self.0.room.acquire(&claim.home()) {
            Some(seat) => self.look_up(&claim, peer).await.map(|entry| (entry, seat)),
            None => Err(AdmissionError::Full),
        };
        (self.0.observe)(admitted.as_ref().map(drop).map_err(|refused| *refused));
        admitted.map(|(entry, seat)| AdmittedClient { claim, entry, seat })
    }

    async fn look_up(
        &self,
        claim: &RegistrationKey,
        peer: &ConnectionPeer,
    ) -> Result<SessionEntry, AdmissionError> {
        // Not every claim is made by its own constructor.
        if RegistrationKey::new(&*claim.user, &*claim.connection).is_none() {
            return Err(AdmissionError::Malformed);
        }
        let origin = self.0.origins.of(peer);
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
                tracing::debug!("a client can't be looked up: {why}");
                Err(AdmissionError::TryLater)
            }
        }
    }

    /// Hands a client to the dispatcher.
    ///
    /// # Errors
    /// [`AdmissionError::TryLater`] when the daemon ends or is far behind, and when the socket is no good.
    pub async fn join(
        &self,
        admitted: AdmittedClient,
        stream: ClientStream,
        leftover: Bytes,
        since: Option<MessageId>,
        welcome: Option<Frame>,
    ) -> Result<(), AdmissionError> {
        let AdmittedClient { claim, entry, seat } = admitted;
        if let Some(own) = self.own(&claim) {
            return own.joins(stream, leftover, welcome, seat).await;
        }
        let (done, notified) = oneshot::channel();
        let joined = async {
            let transport = stream.into_idle().map_err(|error| {
                tracing::debug!(%error, "a client could not be handed over");
                AdmissionError::TryLater
            })?;
            let (claim, permit) = (claim.clone(), seat);
            let join_request = ClientJoinRequest {
                claim,
                entry,
                transport,
                leftover,
                since,
                welcome,
                permit,
                done,
            };
            self.0.dispatcher.send(join_request).await.map_err(|_| AdmissionError::TryLater)?;
            notified.await.map_err(|_| AdmissionError::TryLater)
        };
        let joined = timeout(JOIN_TIMEOUT, joined).await.unwrap_or(Err(AdmissionError::TryLater));
        if joined.is_err() {
            // It did not come in: it is where it was.
            let state = RegistrationState::Offline(entry.received());
            let left =
                self.0.store.keep(&[RegistrationRenewal { claim, at: entry.at, state }]).await;
            if let Err(error) = left {
                tracing::debug!("a client's leaving isn't noted: {error}");
            }
        }
        joined
    }

    fn own(&self, claim: &RegistrationKey) -> Option<&ProbeSession> {
        self.0.own.as_ref().filter(|own| own.claim == *claim)
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
        welcome: Option<Frame>,
        permit: ConnectionPermit,
    ) -> Result<(), AdmissionError> {
        let transport = stream.into_idle().map_err(|_| AdmissionError::TryLater)?;
        let authenticated =
            AuthenticatedClient { recipient: self.claim.home(), auth_method: AuthMethod::Open };
        let greeting = Some(Box::new(move || welcome.into_iter().collect()) as _);
        let permit = Some(permit);
        let join_request = JoinRequest {
            greeting,
            permit,
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

    fn authenticated() -> (ClientAdmission, Arc<MemoryStore>) {
        let (replica_events, _) = mpsc::channel(1);
        let clock = Arc::new(|| SystemTime::UNIX_EPOCH);
        let store = Arc::new(MemoryStore::new(StoreLimits::default(), clock, replica_events));
        let (dispatcher, _) = mpsc::channel(1);
        let origins = ClientAddressResolver::new(Vec::new());
        let room = ConnectionLimit::new(None, "probe".into(), ConnectionCount::default(), || ());
        (
            ClientAdmission::new(
                Arc::clone(&store) as _,
                dispatcher,
                room,
                origins,
                Arc::new(|_| ()),
                None,
            ),
            store,
        )
    }

    async fn refusal(
        authenticated: &ClientAdmission,
        claim: &RegistrationKey,
        peer: &ConnectionPeer,
    ) -> Option<AdmissionError> {
        authenticated.admit(claim.clone(), peer).await.err()
    }

    fn from(address: &str) -> ConnectionPeer {
        ConnectionPeer { address: Some(address.parse().unwrap()), forwarded: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_hears_the_same_whatever_is_wrong_and_guessers_are_held_off() {
        let (authenticated, store) = authenticated();
        let right = RegistrationKey::new("alice", "c1").unwrap();
        store.register(&right).await.unwrap();
        let (guesser, other) = (from("192.0.2.1:9"), from("192.0.2.2:9"));
        for guess in 0..MOST {
            let user = if guess % 2 == 0 { "alice" } else { "nobody" };
            let wrong = RegistrationKey::new(user, format!("guess {guess}")).unwrap();
            assert_eq!(
                refusal(&authenticated, &wrong, &guesser).await,
                Some(AdmissionError::Unknown)
            );
        }
        assert_eq!(
            refusal(&authenticated, &right, &guesser).await,
            Some(AdmissionError::Throttled)
        );
        assert_eq!(refusal(&authenticated, &right, &other).await, None);
        let nameless = RegistrationKey { user: String::new(), connection: "c".into() };
        assert_eq!(
            refusal(&authenticated, &nameless, &other).await,
            Some(AdmissionError::Malformed)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_that_is_registered_late_is_right_from_then_on() {
        let (authenticated, store) = authenticated();
        let (claim, peer) = (RegistrationKey::new("alice", "c1").unwrap(), from("192.0.2.1:9"));
        for _ in 0..2 * MOST {
            assert_eq!(refusal(&authenticated, &claim, &peer).await, Some(AdmissionError::Unknown));
        }
        store.register(&claim).await.unwrap();
        assert_eq!(refusal(&authenticated, &claim, &peer).await, None);
    }
}

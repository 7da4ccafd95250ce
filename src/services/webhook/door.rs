//! Through here every client comes in, whatever it speaks: its pair is looked up, an older session with
//! the same pair ends, what it missed is sent, and it is told from then on.

use super::{
    book::{Book, BookError, Entry, Kept, State},
    claim::Claim,
    guesses::Guesses,
    id::MessageId,
};
use crate::{
    push::{
        Room, Seat,
        hub::{Hub, Newcomer},
    },
    server::{
        client_address::Origins,
        peer::Peer,
        stream::{ClientStream, IdleStream},
    },
    services::nextcloud::login::{Admission, Grounds},
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

/// How long a client waits for its turn with the teller.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a client does not come in: the closed set of what a peer may read. It is the same for a user
/// nobody knows and for a connection that isn't the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
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

impl Refused {
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
pub type Observe = Arc<dyn Fn(Result<(), Refused>) + Send + Sync>;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Parts>);

struct Parts {
    book: Arc<dyn Book>,
    teller: mpsc::Sender<Entrance>,
    room: Room,
    origins: Origins,
    guesses: Mutex<Guesses>,
    digest: RandomState,
    observe: Observe,
    own: Option<Own>,
}

/// The daemon's own client, which needs neither book nor teller: it comes in though both wait for Redis.
pub struct Own {
    /// Who: nobody can guess it, and nobody registers it.
    pub claim: Claim,
    /// Where it listens.
    pub hub: Hub,
}

/// A client that may come in: its place is kept for it.
#[derive(Debug)]
pub struct Admitted {
    claim: Claim,
    entry: Entry,
    seat: Seat,
}

/// A client that may enter, on its way to the teller.
pub struct Entrance {
    /// Who.
    pub claim: Claim,
    /// What the book says.
    pub entry: Entry,
    /// Its socket.
    pub transport: IdleStream,
    /// Bytes already read from it.
    pub leftover: Bytes,
    /// The last message it had, as far as it says.
    pub since: Option<MessageId>,
    /// What it hears first.
    pub welcome: Option<Frame>,
    /// It has joined.
    pub done: oneshot::Sender<()>,
}

impl Door {
    /// A door in front of a teller. `room` is for those who are in, `origins` tells networks apart, `own`
    /// is the daemon's own client.
    pub fn new(
        book: Arc<dyn Book>,
        teller: mpsc::Sender<Entrance>,
        room: Room,
        origins: Origins,
        observe: Observe,
        own: Option<Own>,
    ) -> Self {
        let (guesses, digest) = (Mutex::default(), RandomState::new());
        Self(Arc::new(Parts { book, teller, room, origins, guesses, digest, observe, own }))
    }

    /// Lets a client in whose pair is registered; it is a session of the hub when this returns.
    ///
    /// # Errors
    /// [`Refused`]; then the connection is dropped.
    pub async fn enter(
        &self,
        claim: Claim,
        peer: &Peer,
        stream: ClientStream,
        leftover: Bytes,
        since: Option<MessageId>,
    ) -> Result<(), Refused> {
        let admitted = self.admit(claim, peer).await?;
        self.join(admitted, stream, leftover, since, None).await
    }

    /// Whether a pair may come in. Who is let in must [`Door::join`].
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn admit(&self, claim: Claim, peer: &Peer) -> Result<Admitted, Refused> {
        if self.own(&claim).is_some()
            && let Some(seat) = self.0.room.enter(&claim.home())
        {
            return Ok(Admitted { claim, entry: Entry::default(), seat });
        }
        let admitted = match self.0.room.enter(&claim.home()) {
            Some(seat) => self.look_up(&claim, peer).await.map(|entry| (entry, seat)),
            None => Err(Refused::Full),
        };
        (self.0.observe)(admitted.as_ref().map(drop).map_err(|refused| *refused));
        admitted.map(|(entry, seat)| Admitted { claim, entry, seat })
    }

    async fn look_up(&self, claim: &Claim, peer: &Peer) -> Result<Entry, Refused> {
        // Not every claim is made by its own constructor.
        if Claim::new(&*claim.user, &*claim.connection).is_none() {
            return Err(Refused::Malformed);
        }
        let origin = self.0.origins.of(peer);
        if !self.guesses().allows(origin, Instant::now()) {
            return Err(Refused::Throttled);
        }
        match self.0.book.enter(claim).await {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => {
                let pair = self.0.digest.hash_one(claim);
                self.guesses().wrong(origin, pair, Instant::now());
                Err(Refused::Unknown)
            }
            Err(BookError::Full(_)) => Err(Refused::Full),
            Err(BookError::Away(why)) => {
                tracing::debug!("a client can't be looked up: {why}");
                Err(Refused::TryLater)
            }
        }
    }

    /// Hands a client to the teller.
    ///
    /// # Errors
    /// [`Refused::TryLater`] when the daemon ends or is far behind, and when the socket is no good.
    pub async fn join(
        &self,
        admitted: Admitted,
        stream: ClientStream,
        leftover: Bytes,
        since: Option<MessageId>,
        welcome: Option<Frame>,
    ) -> Result<(), Refused> {
        let Admitted { claim, entry, seat } = admitted;
        if let Some(own) = self.own(&claim) {
            return own.joins(stream, leftover, welcome).await;
        }
        let (done, told) = oneshot::channel();
        let joined = async {
            let transport = stream.into_idle().map_err(|error| {
                tracing::debug!(%error, "a client could not be handed over");
                Refused::TryLater
            })?;
            let claim = claim.clone();
            let entrance = Entrance { claim, entry, transport, leftover, since, welcome, done };
            self.0.teller.send(entrance).await.map_err(|_| Refused::TryLater)?;
            told.await.map_err(|_| Refused::TryLater)
        };
        let joined = timeout(PATIENCE, joined).await.unwrap_or(Err(Refused::TryLater));
        drop(seat);
        if joined.is_err() {
            // It did not come in: it is where it was.
            let state = State::Away(entry.heard());
            let left = self.0.book.keep(&[Kept { claim, at: entry.at, state }]).await;
            if let Err(error) = left {
                tracing::debug!("a client's leaving isn't noted: {error}");
            }
        }
        joined
    }

    fn own(&self, claim: &Claim) -> Option<&Own> {
        self.0.own.as_ref().filter(|own| own.claim == *claim)
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Own {
    async fn joins(
        &self,
        stream: ClientStream,
        leftover: Bytes,
        welcome: Option<Frame>,
    ) -> Result<(), Refused> {
        let transport = stream.into_idle().map_err(|_| Refused::TryLater)?;
        let admission = Admission { recipient: self.claim.home(), grounds: Grounds::Open };
        let greeting = Some(Box::new(move || welcome.into_iter().collect()) as _);
        let newcomer = Newcomer { greeting, ..Newcomer::new(transport, leftover, admission) };
        self.hub.join(newcomer).await.map_err(|_| Refused::TryLater)
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, Refused};
    use crate::{
        push::Room,
        server::{client_address::Origins, peer::Peer},
        services::webhook::{
            book::{Book, BookLimits, MemoryBook},
            claim::Claim,
            guesses::MOST,
        },
    };
    use std::{sync::Arc, time::SystemTime};
    use tokio::sync::mpsc;

    fn door() -> (Door, Arc<MemoryBook>) {
        let (news, _) = mpsc::channel(1);
        let clock = Arc::new(|| SystemTime::UNIX_EPOCH);
        let book = Arc::new(MemoryBook::new(BookLimits::default(), clock, news));
        let (teller, _) = mpsc::channel(1);
        let origins = Origins::new(Vec::new());
        let room = Room::new(None, "probe".into(), || 0, || ());
        (Door::new(Arc::clone(&book) as _, teller, room, origins, Arc::new(|_| ()), None), book)
    }

    async fn refusal(door: &Door, claim: &Claim, peer: &Peer) -> Option<Refused> {
        door.admit(claim.clone(), peer).await.err()
    }

    fn from(address: &str) -> Peer {
        Peer { address: Some(address.parse().unwrap()), forwarded: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_hears_the_same_whatever_is_wrong_and_guessers_are_held_off() {
        let (door, book) = door();
        let right = Claim::new("alice", "c1").unwrap();
        book.register(&right).await.unwrap();
        let (guesser, other) = (from("192.0.2.1:9"), from("192.0.2.2:9"));
        for guess in 0..MOST {
            let user = if guess % 2 == 0 { "alice" } else { "nobody" };
            let wrong = Claim::new(user, format!("guess {guess}")).unwrap();
            assert_eq!(refusal(&door, &wrong, &guesser).await, Some(Refused::Unknown));
        }
        assert_eq!(refusal(&door, &right, &guesser).await, Some(Refused::Throttled));
        assert_eq!(refusal(&door, &right, &other).await, None);
        let nameless = Claim { user: String::new(), connection: "c".into() };
        assert_eq!(refusal(&door, &nameless, &other).await, Some(Refused::Malformed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_that_is_registered_late_is_right_from_then_on() {
        let (door, book) = door();
        let (claim, peer) = (Claim::new("alice", "c1").unwrap(), from("192.0.2.1:9"));
        for _ in 0..2 * MOST {
            assert_eq!(refusal(&door, &claim, &peer).await, Some(Refused::Unknown));
        }
        book.register(&claim).await.unwrap();
        assert_eq!(refusal(&door, &claim, &peer).await, None);
    }
}

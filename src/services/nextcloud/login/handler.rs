//! From a stranger's WebSocket to a session in the hub: hear the credentials, ask the chain, let in
//! or send away.

use crate::{
    push::{
        Room, Seat,
        hub::{Hub, Newcomer},
        session::{Dialect, Refusal},
    },
    server::{Client, ClientStream, Stranger, peer::Peer},
    services::nextcloud::login::{Admission, Attempt, Chain, Credentials, Dialogue, Outcome, Step},
    websocket::{
        Decoder, Item, Rules,
        frame::{CloseCode, Frame},
    },
};
use bytes::{Bytes, BytesMut};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// Read at once from a stranger; also what it may send ahead while its log-in is decided.
const BUFFER: usize = 4096;
/// How long a client that is sent away may take to read why.
const LINGER: Duration = Duration::from_secs(2);

/// What a log-in needs. Cheap to clone.
#[derive(Clone)]
pub struct Login {
    /// Who decides.
    pub chain: Arc<Chain>,
    /// Where the client goes.
    pub hub: Hub,
    /// The host's wording.
    pub dialect: Arc<dyn Dialect>,
    /// How long the client may take to say who it is.
    pub patience: Duration,
    /// Who counts.
    pub observe: Arc<dyn Fn(Ending) + Send + Sync>,
}

/// How a log-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Let in.
    Accepted,
    /// Wrong credentials.
    Refused,
    /// Nobody could decide.
    TryLater,
    /// Not even looked at.
    Throttled,
    /// The client didn't say who it is in time.
    TimedOut,
    /// The client left before it was decided.
    Abandoned,
}

/// Why there is no log-in.
enum Ended {
    /// The client is gone, or broke the protocol beyond an answer.
    Gone,
    /// It hears this text.
    Refused(Refusal),
    /// It is closed with this code.
    Closed(CloseCode),
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Login {
    /// Sees one client through its log-in; then it is in the hub, or gone. Whoever finds no place in
    /// the room has logged in for nothing.
    pub async fn run(self, client: Client, room: Room) {
        let Client { mut stream, leftover, peer, stranger } = client;
        let ended = match self.admit(&mut stream, leftover, peer, &stranger).await {
            Ok((admission, leftover)) => {
                (self.observe)(Ending::Accepted);
                match room.enter(&admission.recipient) {
                    Some(seat) => {
                        return self.join(stream, leftover, admission, (stranger, seat)).await;
                    }
                    None => Ended::Closed(CloseCode::TRY_AGAIN),
                }
            }
            Err(ended) => ended,
        };
        if timeout(LINGER, self.send_away(&mut stream, ended)).await.is_err() {
            stream.abort();
        }
    }

    async fn join(
        &self,
        stream: ClientStream,
        leftover: Bytes,
        admission: Admission,
        places: (Stranger, Seat),
    ) {
        tracing::debug!(user = %admission.recipient, "logged in");
        match stream.into_idle() {
            Ok(transport) => {
                // The hub ends only with the process, and then the client sees the end as well.
                let _ = self.hub.join(Newcomer::new(transport, leftover, admission)).await;
            }
            Err(error) => tracing::debug!(%error, "a client could not be handed over"),
        }
        drop(places);
    }

    async fn admit(
        &self,
        stream: &mut ClientStream,
        leftover: Bytes,
        peer: Peer,
        stranger: &Stranger,
    ) -> Result<(Admission, Bytes), Ended> {
        let mut reader = Reader { stream, buffer: BytesMut::from(&leftover[..]) };
        let credentials = match timeout(self.patience, reader.credentials()).await {
            Ok(credentials) => credentials?,
            Err(_) => return Err(self.refused(Ending::TimedOut, Refusal::TimedOut)),
        };
        stranger.claims();
        let attempt = Attempt { credentials, peer };
        let outcome = tokio::select! {
            outcome = self.chain.decide(&attempt) => outcome,
            // A client that has gone gives its turn up.
            () = reader.until_gone() => {
                (self.observe)(Ending::Abandoned);
                return Err(Ended::Gone);
            }
        };
        match outcome {
            Outcome::Accepted(admission) => Ok((admission, reader.buffer.freeze())),
            Outcome::Refused => Err(self.refused(Ending::Refused, Refusal::Invalid)),
            Outcome::TryLater => Err(self.refused(Ending::TryLater, Refusal::TryLater)),
            Outcome::Throttled { .. } => Err(self.refused(Ending::Throttled, Refusal::TryLater)),
        }
    }

    fn refused(&self, ending: Ending, refusal: Refusal) -> Ended {
        tracing::debug!(?ending, "not logged in");
        (self.observe)(ending);
        Ended::Refused(refusal)
    }

    /// Says why, then waits for the client to read it: a socket closed with unread data in it takes
    /// back what was sent last.
    async fn send_away(&self, stream: &mut ClientStream, ended: Ended) {
        let (words, code) = match ended {
            Ended::Gone => return,
            Ended::Refused(refusal) => (self.dialect.refusal(refusal), CloseCode::POLICY),
            Ended::Closed(code) => (None, code),
        };
        let frames = words.into_iter().chain([Frame::close(code, "")]);
        for frame in frames {
            if stream.write_all(frame.bytes()).await.is_err() {
                return;
            }
        }
        let mut ignored = [0; 256];
        let shut = stream.shutdown().await;
        while shut.is_ok() && matches!(stream.read(&mut ignored).await, Ok(1..)) {}
    }
}

/// Reads a stranger's frames.
struct Reader<'a> {
    stream: &'a mut ClientStream,
    /// Read, but not yet decoded.
    buffer: BytesMut,
}

impl Reader<'_> {
    /// Until both frames of the log-in are there. What follows them stays in the buffer.
    async fn credentials(&mut self) -> Result<Credentials, Ended> {
        let (mut decoder, mut dialogue) = (Decoder::default(), Dialogue::default());
        loop {
            let mut bytes = self.buffer.split();
            let mut answers = Vec::new();
            let found = dialogue_in(&mut decoder, &mut dialogue, &mut bytes, &mut answers);
            for answer in answers {
                self.stream.write_all(answer.bytes()).await?;
            }
            if let Some((credentials, rest)) = found? {
                self.buffer = rest;
                return Ok(credentials);
            }
            self.read().await?;
        }
    }

    /// Takes in what the client sends ahead; returns when it has gone or sends too much.
    async fn until_gone(&mut self) {
        while self.buffer.len() < BUFFER && self.read().await.is_ok() {}
    }

    async fn read(&mut self) -> Result<(), Ended> {
        self.buffer.reserve(BUFFER);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(Ended::Gone),
            _ => Ok(()),
        }
    }
}

/// Decodes up to the end of the log-in; returns the credentials and the bytes behind them.
fn dialogue_in(
    decoder: &mut Decoder,
    dialogue: &mut Dialogue,
    bytes: &mut [u8],
    answers: &mut Vec<Frame>,
) -> Result<Option<(Credentials, BytesMut)>, Ended> {
    let mut items = decoder.feed(Rules::FROM_CLIENT, bytes);
    while let Some(item) = items.next() {
        match item.map_err(|error| Ended::Closed(error.close_code()))? {
            Item::Text(text) => {
                if let Step::Complete(credentials) = dialogue.hear(text) {
                    return Ok(Some((credentials, BytesMut::from(items.rest()))));
                }
            }
            Item::Ping(payload) => answers.push(Frame::pong(payload)),
            Item::Pong(_) => {}
            Item::Binary(_) => return Err(Ended::Closed(CloseCode::UNSUPPORTED)),
            Item::Close(close) => {
                return Err(Ended::Closed(close.map_or(CloseCode::NORMAL, |close| close.code)));
            }
        }
    }
    Ok(None)
}

//! From a pre_auth_connection's WebSocket to a session in the hub: receive the credentials, ask the chain, let in
//! or send away.

use crate::{
    push::{
        AuthenticatedClient, ConnectionLimit, ConnectionPermit, LoginAttempt, LoginCredentials,
        hub::{Hub, JoinRequest},
        session::{ClientDialect, RejectReason},
    },
    server::{ClientStream, PreAuthConnection, UpgradedClient, peer::ConnectionPeer},
    services::nextcloud::login::{AuthDecision, AuthenticatorChain, LoginExchange, LoginProgress},
    websocket::{
        DecodedItem, DecoderRules, FrameDecoder,
        frame::{CloseCode, Frame},
    },
};
use bytes::{Bytes, BytesMut};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// Read at once from a pre_auth_connection; also what it may send ahead while its log-in is decided.
const BUFFER: usize = 4096;
/// How long a client that is sent away may take to read why.
const LINGER: Duration = Duration::from_secs(2);

/// What a log-in needs. Cheap to clone.
#[derive(Clone)]
pub struct LoginHandler {
    /// Who decides.
    pub chain: Arc<AuthenticatorChain>,
    /// Where the client goes.
    pub hub: Hub,
    /// The host's wording.
    pub dialect: Arc<dyn ClientDialect>,
    /// How long the client may take to say who it is.
    pub patience: Duration,
    /// Who counts.
    pub observe: Arc<dyn Fn(LoginResult) + Send + Sync>,
}

/// How a log-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginResult {
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
enum LoginFailure {
    /// The client is gone, or broke the protocol beyond an answer.
    Gone,
    /// It hears this text.
    Refused(RejectReason),
    /// It is closed with this code.
    Closed(CloseCode),
}

impl From<io::Error> for LoginFailure {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl LoginHandler {
    /// Sees one client through its log-in; then it is in the hub, or gone. Whoever finds no place in
    /// the room has logged in for nothing.
    pub async fn run(self, client: UpgradedClient, room: ConnectionLimit) {
        let UpgradedClient { mut stream, leftover, peer, pre_auth_connection } = client;
        let ended = match self.admit(&mut stream, leftover, peer, &pre_auth_connection).await {
            Ok((authenticated, leftover)) => {
                (self.observe)(LoginResult::Accepted);
                match room.acquire(&authenticated.recipient) {
                    Some(permit) => {
                        return self
                            .join(stream, leftover, authenticated, (pre_auth_connection, permit))
                            .await;
                    }
                    None => LoginFailure::Closed(CloseCode::TRY_AGAIN),
                }
            }
            Err(ended) => ended,
        };
        if timeout(LINGER, self.reject(&mut stream, ended)).await.is_err() {
            stream.abort();
        }
    }

    async fn join(
        &self,
        stream: ClientStream,
        leftover: Bytes,
        authenticated: AuthenticatedClient,
        (pre_auth_connection, permit): (PreAuthConnection, ConnectionPermit),
    ) {
        tracing::debug!(user = %authenticated.recipient, "logged in");
        match stream.into_idle() {
            Ok(transport) => {
                let join_request = JoinRequest {
                    permit: Some(permit),
                    ..JoinRequest::new(transport, leftover, authenticated)
                };
                // The hub ends only with the process, which closes this connection as well.
                let _ = self.hub.join(join_request).await;
            }
            Err(error) => tracing::debug!(%error, "a client could not be handed over"),
        }
        drop(pre_auth_connection);
    }

    async fn admit(
        &self,
        stream: &mut ClientStream,
        leftover: Bytes,
        peer: ConnectionPeer,
        pre_auth_connection: &PreAuthConnection,
    ) -> Result<(AuthenticatedClient, Bytes), LoginFailure> {
        let mut reader = CredentialsReader { stream, buffer: BytesMut::from(&leftover[..]) };
        let credentials = match timeout(self.patience, reader.credentials()).await {
            Ok(credentials) => credentials?,
            Err(_) => return Err(self.refused(LoginResult::TimedOut, RejectReason::TimedOut)),
        };
        pre_auth_connection.protect_from_eviction();
        let attempt = LoginAttempt { credentials, peer };
        let outcome = tokio::select! {
            outcome = self.chain.decide(&attempt) => outcome,
            // A client that has gone gives its turn up.
            () = reader.until_disconnected() => {
                (self.observe)(LoginResult::Abandoned);
                return Err(LoginFailure::Gone);
            }
        };
        match outcome {
            AuthDecision::Accepted(authenticated) => Ok((authenticated, reader.buffer.freeze())),
            AuthDecision::Refused => Err(self.refused(LoginResult::Refused, RejectReason::Invalid)),
            AuthDecision::TryLater => {
                Err(self.refused(LoginResult::TryLater, RejectReason::TryLater))
            }
            AuthDecision::Throttled { .. } => {
                Err(self.refused(LoginResult::Throttled, RejectReason::TryLater))
            }
        }
    }

    fn refused(&self, ending: LoginResult, refusal: RejectReason) -> LoginFailure {
        tracing::debug!(?ending, "not logged in");
        (self.observe)(ending);
        LoginFailure::Refused(refusal)
    }

    /// Says why, then waits for the client to read it: a socket closed with unread data in it takes
    /// back what was sent last.
    async fn reject(&self, stream: &mut ClientStream, ended: LoginFailure) {
        let (words, code) = match ended {
            LoginFailure::Gone => return,
            LoginFailure::Refused(refusal) => (self.dialect.refusal(refusal), CloseCode::POLICY),
            LoginFailure::Closed(code) => (None, code),
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

/// Reads a pre_auth_connection's frames.
struct CredentialsReader<'a> {
    stream: &'a mut ClientStream,
    /// Read, but not yet decoded.
    buffer: BytesMut,
}

impl CredentialsReader<'_> {
    /// Until both frames of the log-in are there. What follows them stays in the buffer.
    async fn credentials(&mut self) -> Result<LoginCredentials, LoginFailure> {
        let (mut decoder, mut dialogue) = (FrameDecoder::default(), LoginExchange::default());
        loop {
            let mut bytes = self.buffer.split();
            let mut answers = Vec::new();
            let found = decode_credentials(&mut decoder, &mut dialogue, &mut bytes, &mut answers);
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
    async fn until_disconnected(&mut self) {
        while self.buffer.len() < BUFFER && self.read().await.is_ok() {}
    }

    async fn read(&mut self) -> Result<(), LoginFailure> {
        self.buffer.reserve(BUFFER);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(LoginFailure::Gone),
            _ => Ok(()),
        }
    }
}

/// Decodes up to the end of the log-in; returns the credentials and the bytes behind them.
fn decode_credentials(
    decoder: &mut FrameDecoder,
    dialogue: &mut LoginExchange,
    bytes: &mut [u8],
    answers: &mut Vec<Frame>,
) -> Result<Option<(LoginCredentials, BytesMut)>, LoginFailure> {
    let mut items = decoder.feed(DecoderRules::FROM_CLIENT, bytes);
    while let Some(item) = items.next() {
        match item.map_err(|error| LoginFailure::Closed(error.close_code()))? {
            DecodedItem::Text(text) => {
                if let LoginProgress::Complete(credentials) = dialogue.receive(text) {
                    return Ok(Some((credentials, BytesMut::from(items.rest()))));
                }
            }
            DecodedItem::Ping(payload) => answers.push(Frame::pong(payload)),
            DecodedItem::Pong(_) => {}
            DecodedItem::Binary(_) => return Err(LoginFailure::Closed(CloseCode::UNSUPPORTED)),
            DecodedItem::Close(close) => {
                return Err(LoginFailure::Closed(
                    close.map_or(CloseCode::NORMAL, |close| close.code),
                ));
            }
        }
    }
    Ok(None)
}

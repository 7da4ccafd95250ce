//! Logs one WebSocket client in: reads the credentials, asks the chain, then hands the client to the
//! hub or rejects it.

use super::{AuthenticatorChain, LoginExchange, LoginProgress, RefusalLog};
use crate::{
    push::{
        AuthenticatedClient, ConnectionLimit, ConnectionPermit, LoginAttempt, LoginCredentials,
        LoginResult,
        hub::{Hub, JoinRequest},
        session::{ClientDialect, RejectReason},
    },
    server::{ClientStream, PreAuthConnection, UpgradedClient, peer::ConnectionPeer},
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

/// Bytes read at once from a client that is not logged in; also the most it may send ahead while
/// its login is being decided.
const BUFFER: usize = 4096;
/// How long a rejected client may take to read the reason.
const LINGER: Duration = Duration::from_secs(2);

/// What a login needs. Cheap to clone.
#[derive(Clone)]
pub struct LoginHandler {
    /// The chain that decides logins.
    pub chain: Arc<AuthenticatorChain>,
    /// Takes accepted clients over.
    pub hub: Hub,
    /// The texts that clients read.
    pub dialect: Arc<dyn ClientDialect>,
    /// How long a client may take to send its credentials.
    pub timeout: Duration,
    /// Called with the result of each login.
    pub observe: Arc<dyn Fn(LoginResult) + Send + Sync>,
    /// Logs refused attempts.
    pub refusals: RefusalLog,
}

/// How a login without success ends on the wire.
enum LoginFailure {
    /// The client has disconnected, or broke the protocol beyond an answer.
    Disconnected,
    /// The client reads this reason.
    Refused(RejectReason),
    /// The connection is closed with this code.
    Closed(CloseCode),
}

impl From<io::Error> for LoginFailure {
    fn from(_: io::Error) -> Self {
        Self::Disconnected
    }
}

impl LoginHandler {
    /// Logs one client in; returns when its session is in the hub or its connection is closed. A
    /// client beyond the connection limit is closed even if its login is accepted.
    pub async fn run(self, client: UpgradedClient, limit: ConnectionLimit) {
        let UpgradedClient { mut stream, leftover, peer, pre_auth_connection } = client;
        let failure = match self.admit(&mut stream, leftover, peer, &pre_auth_connection).await {
            Ok((authenticated, leftover)) => {
                (self.observe)(LoginResult::Accepted(()));
                match limit.acquire(&authenticated.recipient) {
                    Some(permit) => {
                        return self
                            .join(stream, leftover, authenticated, (pre_auth_connection, permit))
                            .await;
                    }
                    None => LoginFailure::Closed(CloseCode::TRY_AGAIN),
                }
            }
            Err(failure) => failure,
        };
        if timeout(LINGER, self.reject(&mut stream, failure)).await.is_err() {
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
            Err(error) => tracing::debug!(%error, "client not handed over to the hub"),
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
        let credentials = match timeout(self.timeout, reader.credentials()).await {
            Ok(credentials) => credentials?,
            Err(_) => return Err(self.refused(LoginResult::TimedOut, RejectReason::TimedOut)),
        };
        pre_auth_connection.protect_from_eviction();
        let attempt = LoginAttempt { credentials, peer };
        let result = tokio::select! {
            result = self.chain.decide(&attempt) => result,
            // A client that disconnects gives its place in the queues up.
            () = reader.until_disconnected() => LoginResult::Abandoned,
        };
        let reason = match result {
            LoginResult::Accepted(client) => return Ok((client, reader.buffer.freeze())),
            LoginResult::Rejected => RejectReason::Invalid,
            LoginResult::Unavailable | LoginResult::Throttled => RejectReason::TryLater,
            LoginResult::TimedOut => RejectReason::TimedOut,
            LoginResult::Abandoned => {
                (self.observe)(LoginResult::Abandoned);
                return Err(LoginFailure::Disconnected);
            }
        };
        self.refusals.refused(&attempt, result.kind());
        Err(self.refused(result.kind(), reason))
    }

    fn refused(&self, result: LoginResult, reason: RejectReason) -> LoginFailure {
        tracing::debug!(?result, "login refused");
        (self.observe)(result);
        LoginFailure::Refused(reason)
    }

    /// Sends the reason, then waits for the client to read it: closing a socket with unread data in
    /// it discards what was sent last.
    async fn reject(&self, stream: &mut ClientStream, failure: LoginFailure) {
        let (text, code) = match failure {
            LoginFailure::Disconnected => return,
            LoginFailure::Refused(refusal) => (self.dialect.refusal(refusal), CloseCode::POLICY),
            LoginFailure::Closed(code) => (None, code),
        };
        let frames = text.into_iter().chain([Frame::close(code, "")]);
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

/// Reads the frames of a client that is not logged in.
struct CredentialsReader<'a> {
    stream: &'a mut ClientStream,
    /// Bytes read but not yet decoded.
    buffer: BytesMut,
}

impl CredentialsReader<'_> {
    /// Reads both frames of the login. Bytes behind them stay in the buffer.
    async fn credentials(&mut self) -> Result<LoginCredentials, LoginFailure> {
        let (mut decoder, mut exchange) = (FrameDecoder::default(), LoginExchange::default());
        loop {
            let mut bytes = self.buffer.split();
            let mut answers = Vec::new();
            let found = decode_credentials(&mut decoder, &mut exchange, &mut bytes, &mut answers);
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

    /// Buffers what the client sends ahead; returns when it disconnects or sends too much.
    async fn until_disconnected(&mut self) {
        while self.buffer.len() < BUFFER && self.read().await.is_ok() {}
    }

    async fn read(&mut self) -> Result<(), LoginFailure> {
        self.buffer.reserve(BUFFER);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(LoginFailure::Disconnected),
            _ => Ok(()),
        }
    }
}

/// Decodes up to the end of the login; returns the credentials and the bytes behind them.
fn decode_credentials(
    decoder: &mut FrameDecoder,
    exchange: &mut LoginExchange,
    bytes: &mut [u8],
    answers: &mut Vec<Frame>,
) -> Result<Option<(LoginCredentials, BytesMut)>, LoginFailure> {
    let mut items = decoder.feed(DecoderRules::FROM_CLIENT, bytes);
    while let Some(item) = items.next() {
        match item.map_err(|error| LoginFailure::Closed(error.close_code()))? {
            DecodedItem::Text(text) => {
                if let LoginProgress::Complete(credentials) = exchange.receive(text) {
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

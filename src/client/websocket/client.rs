//! A WebSocket client as small as can be, over the daemon's own codec: for the demo, the doctor, and
//! the daemon's probe of itself.

use super::stream::{WebSocketEvent, WebSocketStream, WebSocketStreamError};
use crate::websocket::CodecError;
use std::{collections::VecDeque, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The key of RFC 6455 section 1.3 and what a server must make of it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// An answer to an upgrade is shorter.
const MAX_HEAD: usize = 4096;
/// How much of a refusal is shown.
const MAX_SHOWN: usize = 200;

/// What a client asks to become a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// The `Host` header.
    pub host: String,
    /// Path and query.
    pub path: String,
}

impl Default for UpgradeRequest {
    /// A daemon of one host.
    fn default() -> Self {
        Self { host: "localhost".to_owned(), path: "/push/ws".to_owned() }
    }
}

/// Why a client hears nothing more.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketClientError {
    /// The connection is gone.
    #[error("the connection to the daemon broke")]
    Connection(#[from] io::Error),
    /// It did not become a WebSocket.
    #[error("the daemon does not speak WebSocket: {:?}", .0.status_line)]
    Upgrade(UpgradeRejection),
    /// The daemon broke RFC 6455.
    #[error("the daemon sent no WebSocket frames")]
    Frames(#[from] CodecError),
    /// Something else than `authenticated`.
    #[error("not let in: {0:?}")]
    Refused(String),
    /// A close frame.
    #[error("the daemon closed the connection")]
    Closed,
}

/// An answer that is no 101.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpgradeRejection {
    /// The first line: `HTTP/1.1 404 Not Found`, or whatever came.
    pub status_line: String,
    /// The number in it.
    pub status: Option<u16>,
    /// The `Server` header: who answered.
    pub server: Option<String>,
    /// The `Location` header, without query.
    pub location: Option<String>,
    /// Whether it says when to come back (`Retry-After`), as a daemon does that is full.
    pub later: bool,
}

impl From<WebSocketStreamError> for WebSocketClientError {
    fn from(broken: WebSocketStreamError) -> Self {
        match broken {
            WebSocketStreamError::Connection(error) => Self::Connection(error),
            WebSocketStreamError::Frames(error) => Self::Frames(error),
            WebSocketStreamError::Ended => Self::Closed,
        }
    }
}

/// A client.
pub struct WebSocketClient<S> {
    conversation: WebSocketStream<S>,
    received_texts: VecDeque<String>,
    pings: u32,
    pongs: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketClient<S> {
    /// Logs in over a fresh connection.
    ///
    /// # Errors
    /// [`WebSocketClientError`].
    pub async fn log_in(
        stream: S,
        request: &UpgradeRequest,
        (user, password): (&str, &str),
        rng: fastrand::Rng,
    ) -> Result<Self, WebSocketClientError> {
        let mut visitor = Self::upgrade(stream, request, rng).await?;
        visitor.credentials(user, password).await?;
        Ok(visitor)
    }

    /// Makes a WebSocket of a fresh connection.
    ///
    /// # Errors
    /// [`WebSocketClientError`].
    pub async fn upgrade(
        mut stream: S,
        request: &UpgradeRequest,
        rng: fastrand::Rng,
    ) -> Result<Self, WebSocketClientError> {
        upgrade(&mut stream, request).await?;
        let conversation = WebSocketStream::new(stream, Some(rng));
        Ok(Self { conversation, received_texts: VecDeque::new(), pings: 0, pongs: 0 })
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`WebSocketClientError::Refused`] with the daemon's words when it isn't let in.
    pub async fn credentials(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<(), WebSocketClientError> {
        self.say(user).await?;
        self.say(password).await?;
        match self.next().await?.as_str() {
            "authenticated" => Ok(()),
            other => Err(WebSocketClientError::Refused(other.to_owned())),
        }
    }

    /// Sends a ping and waits for its answer.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn ping(&mut self) -> Result<(), WebSocketClientError> {
        let before = self.pongs;
        self.conversation.ping().await?;
        while self.pongs == before {
            self.receive().await?;
        }
        Ok(())
    }

    /// How often the daemon has asked whether we are there.
    pub fn pings(&self) -> u32 {
        self.pings
    }

    /// The next text. Nothing is lost when this is dropped before it is done.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn next(&mut self) -> Result<String, WebSocketClientError> {
        loop {
            if let Some(text) = self.received_texts.pop_front() {
                return Ok(text);
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), WebSocketClientError> {
        match self.conversation.next().await? {
            WebSocketEvent::Text(text) => self.received_texts.push_back(text),
            WebSocketEvent::Ping => self.pings += 1,
            WebSocketEvent::Pong => self.pongs += 1,
            WebSocketEvent::Close(..) => return Err(WebSocketClientError::Closed),
        }
        Ok(())
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, text: &str) -> Result<(), WebSocketClientError> {
        Ok(self.conversation.say(text).await?)
    }
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    UpgradeRequest { host, path }: &UpgradeRequest,
) -> Result<(), WebSocketClientError> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await?;
        head.push(byte);
        if head.len() > MAX_HEAD {
            break;
        }
    }
    let head = String::from_utf8_lossy(&head);
    if head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT) {
        return Ok(());
    }
    Err(WebSocketClientError::Upgrade(refusal(&head)))
}

/// The strange server's words, short and printable.
fn refusal(head: &str) -> UpgradeRejection {
    let printable = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
    let header = |wanted: &str| {
        let named = |line: &str| line.split_once(':').map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut lines = head.lines().skip(1).filter_map(named);
        let found = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        Some(found.1.trim().to_owned())
    };
    let status_line: String = printable(head.lines().next().unwrap_or_default());
    let location = header("location");
    UpgradeRejection {
        status: status_line.split(' ').nth(1).and_then(|number| number.parse().ok()),
        status_line,
        later: header("retry-after").is_some(),
        server: header("server").map(|server| printable(&server)),
        location: location.map(|to| printable(to.split(['?', '#']).next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn a_refusal_tells_who_refused() {
        let head = "HTTP/1.1 301 Moved\r\nserver: nginx/1.26\r\nLocation: https://c/ws?x=1\r\n\r\n";
        let refused = refusal(head);
        assert_eq!((refused.status, refused.server.as_deref()), (Some(301), Some("nginx/1.26")));
        assert_eq!(refused.location.as_deref(), Some("https://c/ws"));
        assert_eq!(refusal("SSH-2.0-x").status, None);
    }
}

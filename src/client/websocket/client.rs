//! A minimal WebSocket client over the daemon's own codec, for the demo, the doctor and the self-probe.

use super::stream::{WebSocketEvent, WebSocketStream, WebSocketStreamError};
use crate::websocket::CodecError;
use std::{collections::VecDeque, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The key of RFC 6455 section 1.3 and the server's reply to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Most bytes of the reply to an upgrade.
const MAX_HEAD: usize = 4096;
/// Most characters of a refusal that are shown.
const MAX_SHOWN: usize = 200;

/// The host and path of an upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// The `Host` header.
    pub host: String,
    /// The path with its query.
    pub path: String,
}

impl Default for UpgradeRequest {
    /// The path of a daemon with one service.
    fn default() -> Self {
        Self { host: "localhost".to_owned(), path: "/push/ws".to_owned() }
    }
}

/// Why a WebSocket client failed.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketClientError {
    /// The connection is gone.
    #[error("the connection to the daemon broke")]
    Connection(#[from] io::Error),
    /// The server refused the upgrade.
    #[error("the daemon does not speak WebSocket: {:?}", .0.status_line)]
    Upgrade(UpgradeRejection),
    /// The server violated RFC 6455.
    #[error("the daemon sent no WebSocket frames")]
    Frames(#[from] CodecError),
    /// The reply to the login wasn't `authenticated`.
    #[error("login refused: {0:?}")]
    Refused(String),
    /// The server sent a close frame.
    #[error("the daemon closed the connection")]
    Closed,
    /// The connection ended without a close frame, which the daemon always sends.
    #[error(
        "the connection was cut without a close frame: a proxy in between did it, or the daemon died"
    )]
    Cut,
}

/// A reply to an upgrade other than 101.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpgradeRejection {
    /// The first line, such as `HTTP/1.1 404 Not Found`.
    pub status_line: String,
    /// The status in that line.
    pub status: Option<u16>,
    /// The `Server` header.
    pub server: Option<String>,
    /// The `Location` header, without query.
    pub location: Option<String>,
    /// Whether it has `Retry-After`, as a daemon at its connection limit sends it.
    pub later: bool,
}

impl From<WebSocketStreamError> for WebSocketClientError {
    fn from(broken: WebSocketStreamError) -> Self {
        match broken {
            WebSocketStreamError::Connection(error) => Self::Connection(error),
            WebSocketStreamError::Frames(error) => Self::Frames(error),
            WebSocketStreamError::Ended => Self::Cut,
        }
    }
}

/// A connected client.
pub struct WebSocketClient<S> {
    websocket: WebSocketStream<S>,
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
        let mut client = Self::upgrade(stream, request, rng).await?;
        client.credentials(user, password).await?;
        Ok(client)
    }

    /// Upgrades a fresh connection.
    ///
    /// # Errors
    /// [`WebSocketClientError`].
    pub async fn upgrade(
        mut stream: S,
        request: &UpgradeRequest,
        rng: fastrand::Rng,
    ) -> Result<Self, WebSocketClientError> {
        upgrade(&mut stream, request).await?;
        let websocket = WebSocketStream::new(stream, Some(rng));
        Ok(Self { websocket, received_texts: VecDeque::new(), pings: 0, pongs: 0 })
    }

    /// Sends user name and password and waits for the reply.
    ///
    /// # Errors
    /// [`WebSocketClientError::Refused`] with the daemon's reply.
    pub async fn credentials(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<(), WebSocketClientError> {
        self.send_text(user).await?;
        self.send_text(password).await?;
        match self.next().await?.as_str() {
            "authenticated" => Ok(()),
            other => Err(WebSocketClientError::Refused(other.to_owned())),
        }
    }

    /// Sends a ping and waits for the pong.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn ping(&mut self) -> Result<(), WebSocketClientError> {
        let before = self.pongs;
        self.websocket.ping().await?;
        while self.pongs == before {
            self.receive().await?;
        }
        Ok(())
    }

    /// How many pings the daemon has sent.
    pub fn pings(&self) -> u32 {
        self.pings
    }

    /// The next text. Cancel-safe.
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
        match self.websocket.next().await? {
            WebSocketEvent::Text(text) => self.received_texts.push_back(text),
            WebSocketEvent::Ping => self.pings += 1,
            WebSocketEvent::Pong => self.pongs += 1,
            WebSocketEvent::Close(..) => return Err(WebSocketClientError::Closed),
        }
        Ok(())
    }

    /// Sends a text frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_text(&mut self, text: &str) -> Result<(), WebSocketClientError> {
        Ok(self.websocket.send_text(text).await?)
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

/// Parses a refusal; its texts become short and printable.
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
    fn a_refusal_names_the_server() {
        let head = "HTTP/1.1 301 Moved\r\nserver: nginx/1.26\r\nLocation: https://c/ws?x=1\r\n\r\n";
        let refused = refusal(head);
        assert_eq!((refused.status, refused.server.as_deref()), (Some(301), Some("nginx/1.26")));
        assert_eq!(refused.location.as_deref(), Some("https://c/ws"));
        assert_eq!(refusal("SSH-2.0-x").status, None);
    }
}

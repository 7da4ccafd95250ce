//! A WebSocket client as small as can be, over the daemon's own codec: for the demo, the doctor, and
//! the daemon's probe of itself.

use crate::{
    frame::put_header,
    websocket::{CodecError, Decoder, Item, Rules},
};
use bytes::{BufMut as _, BytesMut};
use std::{collections::VecDeque, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What the daemon may send.
const FROM_SERVER: Rules = Rules { masked: false, max_message: 1024 * 1024 };
/// The key of RFC 6455 section 1.3 and what a server must make of it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// An answer to an upgrade is shorter.
const MAX_HEAD: usize = 4096;
const READ: usize = 4096;
/// How much of a refusal is shown.
const MAX_WORDS: usize = 200;
/// First bytes of whole frames (RFC 6455 section 5.2), and the bit that says they are masked.
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const MASKED: u8 = 0x80;

/// What a client asks to become a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The `Host` header.
    pub host: String,
    /// Path and query.
    pub path: String,
}

impl Default for Request {
    /// The daemon itself.
    fn default() -> Self {
        Self { host: "localhost".to_owned(), path: "/push/ws".to_owned() }
    }
}

/// Why a client hears nothing more.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// The connection is gone.
    #[error("the connection to the daemon broke")]
    Connection(#[from] io::Error),
    /// It did not become a WebSocket.
    #[error("the daemon does not speak WebSocket: {:?}", .0.status_line)]
    Upgrade(Refusal),
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
pub struct Refusal {
    /// The first line: `HTTP/1.1 404 Not Found`, or whatever came.
    pub status_line: String,
    /// The number in it.
    pub status: Option<u16>,
    /// The `Server` header: who answered.
    pub server: Option<String>,
    /// The `Location` header, without query.
    pub location: Option<String>,
}

/// A client.
pub struct Visitor<S> {
    stream: S,
    decoder: Decoder,
    arrived: VecDeque<String>,
    pings: u32,
    pongs: u32,
    rng: fastrand::Rng,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Visitor<S> {
    /// Logs in over a fresh connection.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn log_in(
        stream: S,
        user: &str,
        password: &str,
        rng: fastrand::Rng,
    ) -> Result<Self, VisitError> {
        Self::log_in_at(stream, ("localhost", "/push/ws"), user, password, rng).await
    }

    /// The same with the host's name and the path that the daemon is asked for.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn log_in_at(
        stream: S,
        (host, path): (&str, &str),
        user: &str,
        password: &str,
        rng: fastrand::Rng,
    ) -> Result<Self, VisitError> {
        let request = Request { host: host.to_owned(), path: path.to_owned() };
        let mut visitor = Self::upgrade(stream, &request, rng).await?;
        visitor.credentials(user, password).await?;
        Ok(visitor)
    }

    /// Makes a WebSocket of a fresh connection.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn upgrade(
        mut stream: S,
        request: &Request,
        rng: fastrand::Rng,
    ) -> Result<Self, VisitError> {
        upgrade(&mut stream, request).await?;
        let (decoder, arrived) = (Decoder::default(), VecDeque::new());
        Ok(Self { stream, decoder, arrived, pings: 0, pongs: 0, rng })
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`VisitError::Refused`] with the daemon's words when it isn't let in.
    pub async fn credentials(&mut self, user: &str, password: &str) -> Result<(), VisitError> {
        self.say(user).await?;
        self.say(password).await?;
        match self.next().await?.as_str() {
            "authenticated" => Ok(()),
            other => Err(VisitError::Refused(other.to_owned())),
        }
    }

    /// Sends a ping and waits for its answer.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn ping(&mut self) -> Result<(), VisitError> {
        let (mut frame, before) = (BytesMut::new(), self.pongs);
        put_frame(&mut frame, PING, b"are you there", &mut self.rng);
        self.stream.write_all(&frame).await?;
        while self.pongs == before {
            self.read().await?;
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
    pub async fn next(&mut self) -> Result<String, VisitError> {
        loop {
            if let Some(text) = self.arrived.pop_front() {
                return Ok(text);
            }
            // What came right before the end still counts.
            let read = self.read().await;
            if self.arrived.is_empty() {
                read?;
            }
        }
    }

    async fn read(&mut self) -> Result<(), VisitError> {
        let mut bytes = [0; READ];
        let count = self.stream.read(&mut bytes).await?;
        if count == 0 {
            return Err(VisitError::Closed);
        }
        let pongs = self.take_in(&mut bytes[..count])?;
        Ok(self.stream.write_all(&pongs).await?)
    }

    /// Keeps the texts; what is left to be answered is returned.
    fn take_in(&mut self, bytes: &mut [u8]) -> Result<BytesMut, VisitError> {
        let mut pongs = BytesMut::new();
        let mut items = self.decoder.feed(FROM_SERVER, bytes);
        while let Some(item) = items.next() {
            match item? {
                Item::Text(text) => self.arrived.push_back(text.to_owned()),
                Item::Ping(payload) => {
                    self.pings += 1;
                    put_frame(&mut pongs, PONG, payload, &mut self.rng);
                }
                Item::Pong(_) => self.pongs += 1,
                Item::Close(_) => return Err(VisitError::Closed),
                Item::Binary(_) => {}
            }
        }
        Ok(pongs)
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, text: &str) -> Result<(), VisitError> {
        let mut frame = BytesMut::new();
        put_frame(&mut frame, TEXT, text.as_bytes(), &mut self.rng);
        Ok(self.stream.write_all(&frame).await?)
    }
}

/// A whole frame, masked as a client's must be: RFC 6455 section 5.3.
fn put_frame(bytes: &mut BytesMut, first: u8, payload: &[u8], rng: &mut fastrand::Rng) {
    let key = rng.u32(..).to_be_bytes();
    put_header(bytes, first, MASKED, payload.len());
    bytes.put_slice(&key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    Request { host, path }: &Request,
) -> Result<(), VisitError> {
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
    Err(VisitError::Upgrade(refusal(&head)))
}

/// The strange server's words, short and printable.
fn refusal(head: &str) -> Refusal {
    let printable = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect();
    let header = |wanted: &str| {
        let named = |line: &str| line.split_once(':').map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut lines = head.lines().skip(1).filter_map(named);
        let found = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        Some(found.1.trim().to_owned())
    };
    let status_line: String = printable(head.lines().next().unwrap_or_default());
    let location = header("location");
    Refusal {
        status: status_line.split(' ').nth(1).and_then(|number| number.parse().ok()),
        status_line,
        server: header("server").map(|server| printable(&server)),
        location: location.map(|to| printable(to.split(['?', '#']).next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::{TEXT, put_frame, refusal};
    use crate::websocket::{Decoder, Item, Rules};
    use bytes::BytesMut;

    #[test]
    fn a_refusal_tells_who_refused() {
        let head = "HTTP/1.1 301 Moved\r\nserver: nginx/1.26\r\nLocation: https://c/ws?x=1\r\n\r\n";
        let refused = refusal(head);
        assert_eq!((refused.status, refused.server.as_deref()), (Some(301), Some("nginx/1.26")));
        assert_eq!(refused.location.as_deref(), Some("https://c/ws"));
        assert_eq!(refusal("SSH-2.0-x").status, None);
    }

    #[test]
    fn what_it_says_is_what_a_server_reads() {
        let mut bytes = BytesMut::new();
        put_frame(&mut bytes, TEXT, "grüße".as_bytes(), &mut fastrand::Rng::with_seed(3));
        let mut decoder = Decoder::default();
        let mut items = decoder.feed(Rules::FROM_CLIENT, &mut bytes);
        assert_eq!(items.next().unwrap().unwrap(), Item::Text("grüße"));
    }
}

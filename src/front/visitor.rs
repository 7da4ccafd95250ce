//! A WebSocket client as small as can be, over the daemon's own codec: for the demo, and for the
//! daemon's probe of itself.

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
/// First bytes of whole frames (RFC 6455 section 5.2), and the bit that says they are masked.
const TEXT: u8 = 0x81;
const PONG: u8 = 0x8a;
const MASKED: u8 = 0x80;

/// Why a client hears nothing more.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// The connection is gone.
    #[error("the connection to the daemon broke")]
    Connection(#[from] io::Error),
    /// It did not become a WebSocket.
    #[error("the daemon does not speak WebSocket: {0:?}")]
    Upgrade(String),
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

/// A logged-in client.
pub struct Visitor<S> {
    stream: S,
    decoder: Decoder,
    arrived: VecDeque<String>,
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
        mut stream: S,
        place: (&str, &str),
        user: &str,
        password: &str,
        rng: fastrand::Rng,
    ) -> Result<Self, VisitError> {
        upgrade(&mut stream, place).await?;
        let arrived = VecDeque::new();
        let mut visitor = Self { stream, decoder: Decoder::default(), arrived, rng };
        visitor.say(user).await?;
        visitor.say(password).await?;
        match visitor.next().await?.as_str() {
            "authenticated" => Ok(visitor),
            other => Err(VisitError::Refused(other.to_owned())),
        }
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
            let mut bytes = [0; READ];
            let count = self.stream.read(&mut bytes).await?;
            if count == 0 {
                return Err(VisitError::Closed);
            }
            let pongs = self.take_in(&mut bytes[..count])?;
            self.stream.write_all(&pongs).await?;
        }
    }

    /// Keeps the texts; what is left to be answered is returned.
    fn take_in(&mut self, bytes: &mut [u8]) -> Result<BytesMut, VisitError> {
        let mut pongs = BytesMut::new();
        let mut items = self.decoder.feed(FROM_SERVER, bytes);
        while let Some(item) = items.next() {
            match item? {
                Item::Text(text) => self.arrived.push_back(text.to_owned()),
                Item::Ping(payload) => put_frame(&mut pongs, PONG, payload, &mut self.rng),
                Item::Close(_) => return Err(VisitError::Closed),
                Item::Pong(_) | Item::Binary(_) => {}
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
    (name, path): (&str, &str),
) -> Result<(), VisitError> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
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
    Err(VisitError::Upgrade(head.lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{TEXT, put_frame};
    use crate::websocket::{Decoder, Item, Rules};
    use bytes::BytesMut;

    #[test]
    fn what_it_says_is_what_a_server_reads() {
        let mut bytes = BytesMut::new();
        put_frame(&mut bytes, TEXT, "grüße".as_bytes(), &mut fastrand::Rng::with_seed(3));
        let mut decoder = Decoder::default();
        let mut items = decoder.feed(Rules::FROM_CLIENT, &mut bytes);
        assert_eq!(items.next().unwrap().unwrap(), Item::Text("grüße"));
    }
}

//! The client's end of a WebSocket over the daemon's own codec, shared by the client and the bridge.

use crate::websocket::{
    CodecError, DecodedItem, DecoderRules, FrameDecoder,
    frame::{CloseCode, put_header},
};
use bytes::{Buf, BufMut, BytesMut};
use std::{collections::VecDeque, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The rules for frames from the daemon.
const FROM_SERVER: DecoderRules = DecoderRules { masked: false, max_message: 1024 * 1024 };
/// Most bytes that are read and decoded ahead of the caller.
const READ: usize = 4096;
/// First bytes of whole frames, and the mask bit (RFC 6455 section 5.2).
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const MASKED: u8 = 0x80;

/// A complete frame or message from the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WebSocketEvent {
    Text(String),
    /// The pong is sent or queued.
    Ping,
    Pong,
    /// The last event.
    Close(CloseCode, String),
}

/// Why nothing more can be received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebSocketStreamError {
    #[error("the connection broke")]
    Connection(#[from] io::Error),
    #[error("no WebSocket frames")]
    Frames(#[from] CodecError),
    #[error("the connection ended")]
    Ended,
}

/// An upgraded connection. Pings are answered while the caller waits for events.
pub(crate) struct WebSocketStream<S> {
    stream: S,
    decoder: FrameDecoder,
    received: VecDeque<Result<WebSocketEvent, CodecError>>,
    /// Frames that aren't written yet.
    unsent: BytesMut,
    /// For masking keys. Without it they are zero: masking protects proxies (RFC 6455 section 10.3),
    /// and some connections can have none.
    rng: Option<fastrand::Rng>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    pub(crate) fn new(stream: S, rng: Option<fastrand::Rng>) -> Self {
        let (decoder, received, unsent) =
            (FrameDecoder::default(), VecDeque::new(), BytesMut::new());
        Self { stream, decoder, received, unsent, rng }
    }

    /// The next event. Cancel-safe.
    ///
    /// # Errors
    /// [`WebSocketStreamError`], after everything that came before.
    pub(crate) async fn next(&mut self) -> Result<WebSocketEvent, WebSocketStreamError> {
        loop {
            if let Some(event) = self.received.pop_front() {
                return Ok(event?);
            }
            self.write_pending().await?;
            let mut bytes = [0; READ];
            let count = self.stream.read(&mut bytes).await?;
            if count == 0 {
                return Err(WebSocketStreamError::Ended);
            }
            self.decode(&mut bytes[..count]);
            // Events right before the end still count.
            let settled = self.write_pending().await;
            if self.received.is_empty() {
                settled?;
            }
        }
    }

    /// Sends a text frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn send_text(&mut self, text: &str) -> io::Result<()> {
        self.put(TEXT, text.as_bytes());
        self.write_pending().await
    }

    /// Sends a ping frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn ping(&mut self) -> io::Result<()> {
        self.put(PING, b"are you there");
        self.write_pending().await
    }

    fn decode(&mut self, bytes: &mut [u8]) {
        let mut pings = Vec::new();
        let mut items = self.decoder.feed(FROM_SERVER, bytes);
        while let Some(item) = items.next() {
            let event = match item {
                Ok(DecodedItem::Text(text)) => Ok(WebSocketEvent::Text(text.to_owned())),
                Ok(DecodedItem::Ping(payload)) => {
                    pings.push(payload.to_vec());
                    Ok(WebSocketEvent::Ping)
                }
                Ok(DecodedItem::Pong(_)) => Ok(WebSocketEvent::Pong),
                Ok(DecodedItem::Close(None)) => {
                    Ok(WebSocketEvent::Close(CloseCode::NORMAL, String::new()))
                }
                Ok(DecodedItem::Close(Some(close))) => {
                    Ok(WebSocketEvent::Close(close.code, close.reason.to_owned()))
                }
                Ok(DecodedItem::Binary(_)) => continue,
                Err(error) => Err(error),
            };
            self.received.push_back(event);
        }
        for payload in pings {
            self.put(PONG, &payload);
        }
    }

    fn put(&mut self, first: u8, payload: &[u8]) {
        let key = self.rng.as_mut().map_or(0, |rng| rng.u32(..)).to_be_bytes();
        put_frame(&mut self.unsent, first, payload, key);
    }

    /// Writes the unsent bytes. Cancel-safe.
    async fn write_pending(&mut self) -> io::Result<()> {
        while self.unsent.has_remaining() {
            if self.stream.write_buf(&mut self.unsent).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

/// A whole frame, masked as a client's must be: RFC 6455 section 5.3.
fn put_frame(bytes: &mut BytesMut, first: u8, payload: &[u8], key: [u8; 4]) {
    put_header(bytes, first, MASKED, payload.len());
    bytes.put_slice(&key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

#[cfg(test)]
mod tests {
    use super::{PING, TEXT, WebSocketEvent, WebSocketStream, WebSocketStreamError, put_frame};
    use crate::websocket::{
        DecodedItem, DecoderRules, FrameDecoder,
        frame::{CloseCode, Frame},
    };
    use bytes::BytesMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn a_server_decodes_what_the_client_sends() {
        for key in [[0; 4], [7, 0xff, 3, 0x80]] {
            let mut bytes = BytesMut::new();
            put_frame(&mut bytes, TEXT, "grüße".as_bytes(), key);
            put_frame(&mut bytes, PING, b"", key);
            let mut decoder = FrameDecoder::default();
            let mut items = decoder.feed(DecoderRules::FROM_CLIENT, &mut bytes);
            assert_eq!(items.next().unwrap().unwrap(), DecodedItem::Text("grüße"));
            assert_eq!(items.next().unwrap().unwrap(), DecodedItem::Ping(b""));
        }
    }

    #[tokio::test]
    async fn events_before_the_end_arrive_before_the_end() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut websocket = WebSocketStream::new(near, None);
        for frame in [Frame::text("a"), Frame::ping(b"p"), Frame::close(CloseCode::RESTART, "bye")]
        {
            far.write_all(frame.bytes()).await.unwrap();
        }
        assert_eq!(websocket.next().await.unwrap(), WebSocketEvent::Text("a".to_owned()));
        assert_eq!(websocket.next().await.unwrap(), WebSocketEvent::Ping);
        let close = WebSocketEvent::Close(CloseCode::RESTART, "bye".to_owned());
        assert_eq!(websocket.next().await.unwrap(), close);
        let mut pong = [0; 7];
        far.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong, *b"\x8a\x81\0\0\0\0p");
        drop(far);
        assert!(matches!(websocket.next().await, Err(WebSocketStreamError::Ended)));
    }
}

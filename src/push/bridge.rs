//! Sessions for clients that don't speak WebSocket: a socket pair with the hub at one end, for which it
//! is a client like any other, and code that forwards the messages in the client's protocol at the other.

use crate::{
    client::websocket::stream::{WebSocketEvent, WebSocketStream},
    server::ClientStream,
    websocket::frame::CloseCode,
};
use bytes::Bytes;
use std::io;
use tokio::net::UnixStream;

/// Something that the hub sends to the client of a [`SessionBridge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeEvent {
    /// A text message: what a WebSocket client would read in one frame.
    Message(Bytes),
    /// The session has ended, for this reason; nothing comes after it.
    Closed(CloseCode, String),
}

/// The far end of a session. Dropping it ends the session.
///
/// So the hub's limits, drain and metrics apply to every kind of client. A bridge that isn't read is a
/// client that doesn't read: the hub closes it.
pub struct SessionBridge(WebSocketStream<UnixStream>);

impl SessionBridge {
    /// A stream for the hub, and its far end.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn pair() -> io::Result<(ClientStream, Self)> {
        let (near, far) = UnixStream::pair()?;
        Ok((ClientStream::Unix(near), Self(WebSocketStream::new(far, None))))
    }

    /// The next event; `None` when the session ended without a close frame. Answers pings meanwhile.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<BridgeEvent> {
        loop {
            match self.0.next().await {
                Ok(WebSocketEvent::Text(text)) => {
                    return Some(BridgeEvent::Message(Bytes::from(text)));
                }
                Ok(WebSocketEvent::Close(code, reason)) => {
                    return Some(BridgeEvent::Closed(code, reason));
                }
                Ok(WebSocketEvent::Ping | WebSocketEvent::Pong) => {}
                Err(error) => {
                    tracing::debug!(%error, "bridged session ended");
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BridgeEvent, SessionBridge};
    use crate::websocket::frame::{CloseCode, Frame};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn messages_arrive_whole_and_in_order_and_pings_are_answered() {
        let (mut hub, mut bridge) = SessionBridge::pair().unwrap();
        let long = "é".repeat(20_000);
        let sending = async {
            for frame in [Frame::text("1"), Frame::ping(b"x"), Frame::text(&long)] {
                hub.write_all(frame.bytes()).await.unwrap();
            }
            let mut pong = [0; 7];
            hub.read_exact(&mut pong).await.unwrap();
            assert_eq!(pong[..2], [0x8a, 0x81]);
            hub.write_all(Frame::close(CloseCode(4409), "replaced").bytes()).await.unwrap();
            hub
        };
        let reading = async {
            assert_eq!(bridge.next().await, Some(BridgeEvent::Message("1".into())));
            assert_eq!(bridge.next().await, Some(BridgeEvent::Message(long.clone().into())));
            let closed = BridgeEvent::Closed(CloseCode(4409), "replaced".to_owned());
            assert_eq!(bridge.next().await, Some(closed));
        };
        let (hub, ()) = tokio::join!(sending, reading);
        drop(hub);
        assert_eq!(bridge.next().await, None);
    }

    #[tokio::test]
    async fn dropping_the_far_end_ends_the_session() {
        let (mut hub, bridge) = SessionBridge::pair().unwrap();
        drop(bridge);
        assert_eq!(hub.read(&mut [0]).await.unwrap(), 0);
    }
}

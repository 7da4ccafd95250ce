//! A listening socket in the runtime, and what comes out of it.

use crate::front::{
    ClientStream, Listener,
    listen::{SEND_BUFFER, Socket},
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, UnixListener},
    time::{Instant, timeout_at},
};

/// A listening socket in the runtime.
pub(super) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A client that nothing is known of yet.
pub(super) struct Accepted {
    pub(super) stream: ClientStream,
    pub(super) address: Option<SocketAddr>,
}

impl Acceptor {
    /// The listener keeps its own descriptor, and with it the socket's file.
    pub(super) fn new(listener: &Listener) -> io::Result<Self> {
        Ok(match &listener.socket {
            Socket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket.try_clone()?)?),
            Socket::Unix(socket) => Self::Unix(UnixListener::from_std(socket.try_clone()?)?),
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Accepted { stream: ClientStream::Tcp(stream), address: Some(address) })
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                // Unlike TCP's, these don't inherit it.
                let option = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
                if let Err(error) = option {
                    tracing::debug!(%error, "send buffer not set");
                }
                Ok(Accepted { stream: ClientStream::Unix(stream), address: None })
            }
        }
    }
}

impl Accepted {
    /// Waits until there is something to read. `None`: nothing came. Otherwise when the head of the
    /// request must be complete.
    pub(super) async fn first_byte(&self, limit: Duration) -> Option<Instant> {
        let deadline = Instant::now() + limit;
        let readable = async {
            match &self.stream {
                ClientStream::Tcp(stream) => stream.readable().await,
                ClientStream::Unix(stream) => stream.readable().await,
                ClientStream::Tls(_) => Ok(()),
            }
        };
        timeout_at(deadline, readable).await.ok()?.ok()?;
        Some(deadline)
    }
}

//! A listening socket in the runtime, and the connections it accepts.

use crate::server::{
    BoundListener, ClientStream,
    listen::{ListenerSocket, SEND_BUFFER},
};
use rustix::net::{RecvFlags, recv};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    time::Duration,
};
use tokio::{
    io::Interest,
    net::{TcpListener, UnixListener},
    time::{Instant, timeout_at},
};

/// A listening socket in the runtime.
pub(super) enum SocketAcceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An accepted connection before its first byte.
pub(super) struct AcceptedConnection {
    pub(super) stream: ClientStream,
    pub(super) address: Option<SocketAddr>,
}

impl SocketAcceptor {
    /// The listener keeps its own descriptor, and with it the socket's file.
    pub(super) fn new(listener: &BoundListener) -> io::Result<Self> {
        Ok(match &listener.socket {
            ListenerSocket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket.try_clone()?)?),
            ListenerSocket::Unix(socket) => {
                Self::Unix(UnixListener::from_std(socket.try_clone()?)?)
            }
        })
    }

    pub(super) async fn accept(&self) -> io::Result<AcceptedConnection> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(AcceptedConnection { stream: ClientStream::Tcp(stream), address: Some(address) })
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                // Unlike TCP sockets, these don't inherit it.
                let option = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
                if let Err(error) = option {
                    tracing::debug!(%error, "send buffer not set");
                }
                Ok(AcceptedConnection { stream: ClientStream::Unix(stream), address: None })
            }
        }
    }
}

impl AcceptedConnection {
    /// The client's address; IPv4-mapped IPv6 as IPv4.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip().to_canonical())
    }

    /// Whether it comes from an address of this machine, as the daemon's self-test does.
    pub(super) fn is_local_connection(&self) -> bool {
        match &self.stream {
            ClientStream::Tcp(socket) => socket
                .local_addr()
                .is_ok_and(|address| Some(address.ip().to_canonical()) == self.ip()),
            ClientStream::Unix(_) | ClientStream::Tls(_) => false,
        }
    }

    /// Waits for the first byte and leaves it in the socket. `None`: none arrived. Otherwise the deadline
    /// of the request's head.
    pub(super) async fn first_byte(&self, limit: Duration) -> Option<Instant> {
        let deadline = Instant::now() + limit;
        // `readable()` alone isn't enough: it is true of every socket until its first read fails.
        let waiting = async {
            match &self.stream {
                ClientStream::Tcp(socket) => {
                    socket.async_io(Interest::READABLE, || peek(socket)).await
                }
                ClientStream::Unix(socket) => {
                    socket.async_io(Interest::READABLE, || peek(socket)).await
                }
                ClientStream::Tls(_) => Ok(true),
            }
        };
        let came = timeout_at(deadline, waiting).await.ok()?.ok()?;
        came.then_some(deadline)
    }
}

/// Whether there is a byte; `false` at the end of the stream.
fn peek(socket: impl AsFd) -> io::Result<bool> {
    let (read, _) = recv(socket, &mut [0_u8; 1], RecvFlags::PEEK)?;
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    use super::{ClientStream, Duration, SocketAcceptor};
    use crate::server::{BindAddress, BoundListener, LocalAddress};
    use futures_util::FutureExt;
    use std::{io::Write, net::Ipv4Addr};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    const LIMIT: Duration = Duration::from_secs(60);

    async fn pair() -> (super::AcceptedConnection, TcpStream) {
        let bind = BindAddress::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0 };
        let listener = BoundListener::bind(&bind).unwrap();
        let LocalAddress::Tcp(address) = listener.local().unwrap() else { panic!("not TCP") };
        let client = TcpStream::connect(address).await.unwrap();
        (SocketAcceptor::new(&listener).unwrap().accept().await.unwrap(), client)
    }

    #[tokio::test]
    async fn a_silent_client_is_waited_for_and_its_first_byte_is_left_to_read() {
        let (mut accepted, mut client) = pair().await;
        assert!(accepted.first_byte(LIMIT).now_or_never().is_none());
        client.write_all(b"GET").await.unwrap();
        assert!(accepted.first_byte(LIMIT).await.is_some());
        let ClientStream::Tcp(stream) = &mut accepted.stream else { panic!("not TCP") };
        let mut read = [0; 3];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"GET");
    }

    #[tokio::test]
    async fn a_client_that_only_hangs_up_has_said_nothing() {
        let (accepted, client) = pair().await;
        drop(client);
        assert!(accepted.first_byte(LIMIT).await.is_none());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_little_of_the_kernels_memory() {
        let (accepted, client) = pair().await;
        let client = socket2::SockRef::from(&client);
        let mut idle = accepted.stream.into_idle().unwrap();
        let mut taken = 0;
        // What the client's side takes in is its own memory; wait until it takes no more.
        loop {
            match idle.write(&[b'x'; 1024]) {
                Ok(written) => taken += written,
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        let theirs = client.recv_buffer_size().unwrap();
        assert!(taken <= theirs + 2 * super::SEND_BUFFER, "{taken} bytes, {theirs} of them theirs");
    }
}

//! The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): a proxy sends the client's address
//! before the client's first byte.

use super::acceptor::AcceptedConnection;
use crate::server::stream::ClientStream;
use proxy_header::{Error, ParseConfig, ProxyHeader};
use rustix::net::{RecvFlags, recv};
use std::{io, net::SocketAddr, os::fd::AsFd};
use tokio::{
    io::{AsyncReadExt, Interest, Ready},
    time::{Instant, timeout_at},
};

/// The longest accepted header, in bytes: version 1 has at most 107; addresses and extensions of version
/// 2 need far less.
const MAX_HEADER: usize = 1024;

/// Accepts both versions and ignores extensions.
const CONFIG: ParseConfig = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };

/// How much of a header has arrived.
#[derive(Debug, PartialEq, Eq)]
enum ProxyHeaderState {
    /// A header of so many bytes with the client's address; `None`: the proxy speaks for itself.
    Whole(usize, Option<SocketAddr>),
    /// More bytes are needed.
    Incomplete,
    /// No header, or one that is too long.
    None,
}

impl AcceptedConnection {
    /// Reads the header, which must be complete by `deadline`. The address is then the client's, and the
    /// next byte the client's first.
    ///
    /// # Errors
    /// When there is no header, or the connection ends.
    pub(super) async fn introduced(mut self, deadline: Instant) -> io::Result<Self> {
        let (length, client) = timeout_at(deadline, self.header()).await??;
        let mut header = vec![0; length];
        // The header is complete.
        match &mut self.stream {
            ClientStream::Tcp(socket) => socket.read_exact(&mut header).await?,
            ClientStream::Unix(socket) => socket.read_exact(&mut header).await?,
            ClientStream::Tls(_) => 0,
        };
        Ok(Self { address: client.or(self.address), ..self })
    }

    async fn header(&self) -> io::Result<(usize, Option<SocketAddr>)> {
        match &self.stream {
            ClientStream::Tcp(socket) => {
                let peek_header = || socket.try_io(Interest::READABLE, || peek_header(socket));
                peek_until_complete(|| socket.ready(Interest::READABLE), peek_header).await
            }
            ClientStream::Unix(socket) => {
                let peek_header = || socket.try_io(Interest::READABLE, || peek_header(socket));
                peek_until_complete(|| socket.ready(Interest::READABLE), peek_header).await
            }
            // TLS begins after the header.
            ClientStream::Tls(_) => Ok((0, None)),
        }
    }
}

/// Parses again whenever more has arrived. A connection whose peer has closed its write side stays
/// readable without new bytes.
async fn peek_until_complete<T, R: Future<Output = io::Result<Ready>>>(
    ready: impl Fn() -> R,
    peek_header: impl Fn() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        let ready = ready().await?;
        match peek_header() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if ready.is_read_closed() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            decided => return decided,
        }
    }
}

/// Peeks at the header and leaves it in the socket; `WouldBlock` until it is complete.
fn peek_header(socket: impl AsFd) -> io::Result<(usize, Option<SocketAddr>)> {
    let mut buffer = [0_u8; MAX_HEADER];
    let (count, _) = recv(socket, &mut buffer, RecvFlags::PEEK)?;
    match parse(&buffer[..count]) {
        _ if count == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
        ProxyHeaderState::Whole(length, client) => Ok((length, client)),
        ProxyHeaderState::Incomplete => Err(io::ErrorKind::WouldBlock.into()),
        ProxyHeaderState::None => Err(io::Error::other("no PROXY protocol header")),
    }
}

fn parse(bytes: &[u8]) -> ProxyHeaderState {
    match ProxyHeader::parse(bytes, CONFIG) {
        Ok((header, length)) => {
            ProxyHeaderState::Whole(length, header.proxied_address().map(|address| address.source))
        }
        Err(Error::BufferTooShort) if bytes.len() < MAX_HEADER && may_begin(bytes) => {
            ProxyHeaderState::Incomplete
        }
        Err(_) => ProxyHeaderState::None,
    }
}

/// A peer that sends something else is closed at once.
fn may_begin(bytes: &[u8]) -> bool {
    let begins = |greeting: &[u8]| bytes.iter().zip(greeting).all(|(byte, known)| byte == known);
    begins(b"PROXY ") || begins(b"\r\n\r\n\0\r\nQUIT\n")
}

#[cfg(test)]
mod tests {
    use super::{AcceptedConnection, ClientStream, MAX_HEADER, ProxyHeaderState, parse};
    use proptest::prelude::*;
    use std::{io, time::Duration};
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream, UnixStream},
        time::Instant,
    };

    const V1: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n";
    /// Version 2, PROXY, TCP over IPv4, twelve bytes of addresses and three of an extension.
    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\
        \xcb\0\x71\x07\x7f\0\0\x01\x12\x67\x01\xbb\x04\0\0";

    #[test]
    fn both_versions_name_the_client_and_leave_what_follows() {
        let followed = [V1, b"GET / HTTP/1.1\r\n\r\n"].concat();
        let client = "[2001:db8::7]:4711".parse().unwrap();
        assert_eq!(parse(&followed), ProxyHeaderState::Whole(V1.len(), Some(client)));
        let followed = [V2, b"\x16\x03\x01"].concat();
        let client = "203.0.113.7:4711".parse().unwrap();
        assert_eq!(parse(&followed), ProxyHeaderState::Whole(V2.len(), Some(client)));
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        let unknown = b"PROXY UNKNOWN\r\n";
        assert_eq!(parse(unknown), ProxyHeaderState::Whole(unknown.len(), None));
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        assert_eq!(parse(local), ProxyHeaderState::Whole(local.len(), None));
    }

    #[test]
    fn every_beginning_is_waited_for() {
        for whole in [V1, V2] {
            for length in 0..whole.len() {
                assert_eq!(parse(&whole[..length]), ProxyHeaderState::Incomplete, "{length}");
            }
        }
    }

    #[test]
    fn a_peer_that_sends_something_else_is_closed_at_once() {
        for bytes in [&b"G"[..], b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02", b"PROXY TCP4 x"] {
            let whole = [bytes, &[b'x'; 107]].concat();
            assert_eq!(parse(&whole), ProxyHeaderState::None);
        }
        assert_eq!(parse(b"G"), ProxyHeaderState::None);
    }

    #[test]
    fn a_header_that_is_too_long_is_none() {
        let mut long = V2.to_vec();
        long[14..16].copy_from_slice(&2048_u16.to_be_bytes());
        assert_eq!(parse(&long), ProxyHeaderState::Incomplete);
        long.resize(MAX_HEADER, 0);
        assert_eq!(parse(&long), ProxyHeaderState::None);
    }

    /// What comes of a connection over which this is written, and then no more.
    async fn half_closed(
        mut client: impl AsyncWriteExt + Unpin,
        stream: ClientStream,
        bytes: &[u8],
    ) -> io::Result<AcceptedConnection> {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        AcceptedConnection { stream, address: None }.introduced(deadline).await
    }

    #[tokio::test]
    async fn who_ends_within_the_header_is_not_waited_for() {
        for bytes in [&V1[..6], &V2[..13], b""] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let tcp = ClientStream::Tcp(listener.accept().await.unwrap().0);
            let (other, unix) = UnixStream::pair().unwrap();
            let unix = ClientStream::Unix(unix);
            for ended in
                [half_closed(client, tcp, bytes).await, half_closed(other, unix, bytes).await]
            {
                let error = ended.map(|accepted| accepted.address).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_whole_header_counts_although_nothing_follows() {
        let (client, unix) = UnixStream::pair().unwrap();
        let accepted = half_closed(client, ClientStream::Unix(unix), V1).await.unwrap();
        assert_eq!(accepted.address, Some("[2001:db8::7]:4711".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"PROXY ", &bytes[..]].concat());
            let _ = parse(&[b"\r\n\r\n\0\r\nQUIT\n\x21", &bytes[..]].concat());
        }
    }
}

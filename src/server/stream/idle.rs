//! A client's stream without a runtime: a descriptor, and a TLS session where there is one.

use super::IdleTlsStream;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

/// A connected client in an event loop of the caller's own. Reads and writes never block.
///
/// `read` gives what the client sent until `WouldBlock`, and 0 once it is gone; read until then,
/// because a TLS session may hold more than one call's worth while its socket is silent. `write`
/// takes what it can until `WouldBlock`.
#[derive(Debug)]
pub enum IdleStream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<IdleTlsStream>),
}

impl IdleStream {
    /// Whether bytes that `write` took (or that TLS itself has to say) are not yet with the socket:
    /// call [`Write::flush`] when it is writable. Always `false` without TLS.
    pub fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(stream) => stream.wants_write(),
        }
    }

    /// Says that nothing more will be written, after everything that was. The client then reads the
    /// end; what it still sends can be read.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.shutdown_write(),
        }
    }

    /// Drops the connection with everything that waits in its send queue, so that a client that
    /// doesn't read leaves nothing behind in the kernel.
    pub fn abort(self) {
        let socket = match &self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.socket(),
            // The queue of a unix socket is its peer's.
            Self::Unix(_) => return,
        };
        if let Err(error) = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "a connection could not be aborted and is closed instead");
        }
    }
}

impl Read for IdleStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for IdleStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buf),
            Self::Unix(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(bufs),
            Self::Unix(stream) => stream.write_vectored(bufs),
            Self::Tls(stream) => stream.write_vectored(bufs),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl AsFd for IdleStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.socket().as_fd(),
        }
    }
}

impl AsRawFd for IdleStream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

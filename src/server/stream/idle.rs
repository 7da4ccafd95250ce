//! A client's stream without a runtime: a descriptor, and a TLS session if there is one.

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

/// A connected client for an event loop of the caller. Reads and writes never block.
///
/// `read` returns bytes until `WouldBlock`, and 0 at the end. Read until then, because a TLS session may
/// hold more than one call returns while its socket is silent. `write` takes bytes until
/// `WouldBlock`.
#[derive(Debug)]
pub enum IdleStream {
    /// TCP without TLS.
    Tcp(TcpStream),
    /// A unix socket's stream.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<IdleTlsStream>),
}

impl IdleStream {
    /// Whether bytes that `write` took (or that TLS itself sends) haven't reached the socket yet:
    /// call [`Write::flush`] when it is writable. Always `false` without TLS.
    pub fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(stream) => stream.wants_write(),
        }
    }

    /// Closes the write side after everything that was written. The client then reads the end; its own
    /// remaining bytes can still be read.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.shutdown_write(),
        }
    }

    /// Aborts the connection with everything in its send queue, so that a client that doesn't read leaves
    /// nothing behind in the kernel.
    pub fn abort(self) {
        let socket = match &self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.socket(),
            // The queue of a unix socket belongs to its peer.
            Self::Unix(_) => return,
        };
        if let Err(error) = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "cannot abort a connection; closing it instead");
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

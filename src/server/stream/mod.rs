//! A client's byte stream: driven by tokio until the client has logged in, then bare, with no state but
//! its descriptor.

mod idle;
mod tls;

#[cfg(test)]
mod tests;

pub use idle::IdleStream;
pub use tls::IdleTlsStream;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

/// A connected client while tokio drives it.
#[derive(Debug)]
pub enum ClientStream {
    /// TCP without TLS.
    Tcp(TcpStream),
    /// A unix socket's stream.
    Unix(UnixStream),
    /// TLS over TCP, after the handshake.
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl ClientStream {
    /// Takes the stream out of tokio: the socket (and the TLS session) remain, non-blocking, for an event
    /// loop of the caller.
    pub fn into_idle(self) -> io::Result<IdleStream> {
        Ok(match self {
            Self::Tcp(stream) => IdleStream::Tcp(stream.into_std()?),
            Self::Unix(stream) => IdleStream::Unix(stream.into_std()?),
            Self::Tls(stream) => {
                let (stream, session) = stream.into_inner();
                IdleStream::Tls(Box::new(IdleTlsStream::new(stream.into_std()?, session)))
            }
        })
    }

    /// Aborts the connection with everything in its send queue: for a peer that doesn't read, or gets no
    /// answer.
    pub fn abort(self) {
        if let Ok(idle) = self.into_idle() {
            idle.abort();
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! A connection for the library: bytes already read come first, and it can be cancelled, which the
//! library handles as a disconnect.

use crate::server::stream::ClientStream;
use bytes::{Buf, Bytes};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The bytes of a WebSocket after the 101.
pub struct CancellableStream {
    stream: ClientStream,
    leftover: Bytes,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl CancellableStream {
    /// Wraps a connection until `cut` is cancelled.
    pub fn new(stream: ClientStream, leftover: Bytes, cut: &CancellationToken) -> Self {
        Self { stream, leftover, cut: Box::pin(cut.clone().cancelled_owned()) }
    }
}

impl AsyncRead for CancellableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if self.leftover.has_remaining() {
            let take = self.leftover.len().min(buf.remaining());
            buf.put_slice(&self.leftover.split_to(take));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CancellableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{CancellableStream, CancellationToken};
    use crate::server::stream::ClientStream;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
    };

    #[tokio::test]
    async fn bytes_already_read_come_first_and_a_cancelled_stream_ends() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let cut = CancellationToken::new();
        let mut lent = CancellableStream::new(ClientStream::Unix(near), "abc".into(), &cut);
        far.write_all(b"d").await.unwrap();
        let mut read = [0; 4];
        lent.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
        let waiting = async { lent.read(&mut read).await.unwrap() };
        let (count, ()) = tokio::join!(waiting, async { cut.cancel() });
        assert_eq!(count, 0);
    }
}

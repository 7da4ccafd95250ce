//! One name for any connection of bytes, so that it can be boxed.

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection that carries bytes both ways: TCP, a unix socket, TLS over either, or memory.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

//! Opens a connection to one Redis address: TCP or unix socket, with or without TLS.

use super::{RedisAddress, RedisClientError, RedisTls, RedisTlsError, tls};
use crate::client::{ByteStream, tls::server_name};
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    task::spawn_blocking,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Most addresses of a name that are tried, so that a dial is bounded.
const MAX_ADDRESSES: usize = 8;

/// The kernel closes a connection whose peer acknowledges nothing for this long.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// The kernel probes an idle peer after this time.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Opens connections to one server.
#[derive(Debug, Clone)]
pub(super) struct RedisDialer {
    /// TLS settings, if the connection uses TLS.
    pub(super) tls: Option<RedisTls>,
    /// Time limit for each step: resolving, one TCP connect, the TLS handshake.
    pub(super) step_timeout: Duration,
}

impl RedisDialer {
    /// Connects and completes the TLS handshake. Reads the TLS files first, so that errors in them are
    /// reported even while the server is down.
    pub(super) async fn dial(
        &self,
        at: &RedisAddress,
    ) -> Result<Box<dyn ByteStream>, RedisClientError> {
        let tls = self.tls_config().await?;
        match at {
            RedisAddress::Unix(path) => {
                let stream = self.within(at, "connecting", unix(at, path)).await?;
                self.wrap(at, tls, "localhost", stream).await
            }
            RedisAddress::Tcp(host, port) => {
                let stream = self.tcp(at, host, *port).await?;
                self.wrap(at, tls, host, stream).await
            }
        }
    }

    async fn tls_config(&self) -> Result<Option<ClientConfig>, RedisClientError> {
        let Some(settings) = self.tls.clone() else { return Ok(None) };
        let reading = spawn_blocking(move || tls::client_config(&settings));
        let aborted =
            |_| RedisClientError::TlsFile { path: PathBuf::new(), cause: "reading failed".into() };
        reading.await.map_err(aborted)?.map(Some)
    }

    /// Tries the addresses of a name in turn, each with its own time limit.
    async fn tcp(
        &self,
        at: &RedisAddress,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, RedisClientError> {
        let resolved = async {
            let failed = |cause| RedisClientError::Dns { host: host.to_owned(), cause };
            let found = lookup_host((host, port)).await.map_err(failed)?;
            Ok(found.take(MAX_ADDRESSES).collect::<Vec<SocketAddr>>())
        };
        let mut last = None;
        for address in self.within(at, "resolving the name", resolved).await? {
            let connecting = async {
                let failed = |cause| RedisClientError::Connect { at: at.clone(), cause };
                let stream = TcpStream::connect(address).await.map_err(failed)?;
                tune(&stream).map_err(failed)?;
                Ok(stream)
            };
            match self.within(at, "connecting", connecting).await {
                Ok(stream) => return Ok(stream),
                Err(fault) => last = Some(fault),
            }
        }
        Err(last.unwrap_or_else(|| RedisClientError::Dns {
            host: host.to_owned(),
            cause: io::Error::new(io::ErrorKind::NotFound, "no address"),
        }))
    }

    async fn wrap(
        &self,
        at: &RedisAddress,
        tls: Option<ClientConfig>,
        host: &str,
        stream: impl ByteStream + 'static,
    ) -> Result<Box<dyn ByteStream>, RedisClientError> {
        let Some(config) = tls else { return Ok(Box::new(stream)) };
        let failed = |cause: RedisTlsError| RedisClientError::Tls { at: at.clone(), cause };
        let checked = self.tls.as_ref().is_some_and(|tls| tls.verify_peer && tls.verify_name);
        let name = server_name(host, checked).map_err(|_| failed(RedisTlsError::Name))?;
        let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
        match timeout(self.step_timeout, shaking).await {
            Ok(Ok(shaken)) => Ok(Box::new(shaken)),
            Ok(Err(cause)) => Err(failed(cause.into())),
            Err(_) => Err(failed(RedisTlsError::HandshakeTimeout(self.step_timeout.as_secs_f32()))),
        }
    }

    async fn within<T>(
        &self,
        at: &RedisAddress,
        doing: &'static str,
        step: impl Future<Output = Result<T, RedisClientError>>,
    ) -> Result<T, RedisClientError> {
        timeout(self.step_timeout, step).await.unwrap_or_else(|_| {
            Err(RedisClientError::ResponseTimeout {
                at: at.clone(),
                doing,
                seconds: self.step_timeout.as_secs_f32(),
            })
        })
    }
}

async fn unix(at: &RedisAddress, path: &Path) -> Result<UnixStream, RedisClientError> {
    UnixStream::connect(path)
        .await
        .map_err(|cause| RedisClientError::Connect { at: at.clone(), cause })
}

/// Socket options: no delay for small commands, and detection of a dead peer by the kernel in case
/// our own pings are delayed.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

//! Opens a byte stream to one Redis address: TCP or unix socket, with TLS where it is wanted.

use super::{Address, Fault, RedisTls, tls};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
    task::spawn_blocking,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// A stream of bytes to a server, of whatever kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// No more of a name's addresses than this are tried, so that a dial is bounded.
const MAX_ADDRESSES: usize = 8;

/// The kernel gives up on a peer that acknowledges nothing for this long.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// The kernel probes a silent peer from then on, this often.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Opens connections; knows nothing of what is said on them.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    /// TLS, when it is wanted.
    pub(super) tls: Option<RedisTls>,
    /// The longest that each step may take: resolving, one TCP connect, the TLS handshake.
    pub(super) patience: Duration,
}

impl Dialer {
    /// Connects and shakes hands.
    pub(super) async fn dial(&self, at: &Address) -> Result<Box<dyn Stream>, Fault> {
        match at {
            Address::Unix(path) => {
                let stream = self.within(at, "connecting", unix(at, path)).await?;
                self.wrap(at, "localhost", stream).await
            }
            Address::Tcp(host, port) => {
                let stream = self.tcp(at, host, *port).await?;
                self.wrap(at, host, stream).await
            }
        }
    }

    /// Tries a name's addresses one after the other, each with its own time.
    async fn tcp(&self, at: &Address, host: &str, port: u16) -> Result<TcpStream, Fault> {
        let resolved = async {
            let failed = |cause| Fault::Dns { host: host.to_owned(), cause };
            let found = lookup_host((host, port)).await.map_err(failed)?;
            Ok(found.take(MAX_ADDRESSES).collect::<Vec<SocketAddr>>())
        };
        let mut last = None;
        for address in self.within(at, "resolving the name", resolved).await? {
            let connecting = async {
                let failed = |cause| Fault::Connect { at: at.clone(), cause };
                let stream = TcpStream::connect(address).await.map_err(failed)?;
                tune(&stream).map_err(failed)?;
                Ok(stream)
            };
            match self.within(at, "connecting", connecting).await {
                Ok(stream) => return Ok(stream),
                Err(fault) => last = Some(fault),
            }
        }
        Err(last.unwrap_or_else(|| Fault::Dns {
            host: host.to_owned(),
            cause: io::Error::new(io::ErrorKind::NotFound, "no address"),
        }))
    }

    async fn wrap(
        &self,
        at: &Address,
        name: &str,
        stream: impl Stream + 'static,
    ) -> Result<Box<dyn Stream>, Fault> {
        let Some(settings) = self.tls.clone() else { return Ok(Box::new(stream)) };
        let failed = |cause: io::Error| Fault::Tls { at: at.clone(), cause: cause.into() };
        let name = server_name(name, settings.verify_peer && settings.verify_name)
            .map_err(|cause| failed(io::Error::new(io::ErrorKind::InvalidInput, cause)))?;
        let config = spawn_blocking(move || tls::client_config(&settings))
            .await
            .map_err(|cause| failed(io::Error::other(cause)))??;
        let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let shaken = async { shaking.await.map_err(failed) };
        Ok(Box::new(self.within(at, "the TLS handshake", shaken).await?))
    }

    async fn within<T>(
        &self,
        at: &Address,
        doing: &'static str,
        step: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        timeout(self.patience, step).await.unwrap_or_else(|_| {
            Err(Fault::Silent { at: at.clone(), doing, seconds: self.patience.as_secs_f32() })
        })
    }
}

async fn unix(at: &Address, path: &Path) -> Result<UnixStream, Fault> {
    UnixStream::connect(path).await.map_err(|cause| Fault::Connect { at: at.clone(), cause })
}

/// The name to check and to send. With the name check off, a host that is no valid DNS name is
/// still good to connect to.
fn server_name(
    host: &str,
    checked: bool,
) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    match ServerName::try_from(host.to_owned()) {
        Err(_) if !checked => ServerName::try_from("localhost"),
        other => other,
    }
}

/// Socket options: no delay for our few small commands, and a kernel that notices a dead peer by
/// itself, should the pings above ever be held up.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

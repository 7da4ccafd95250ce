//! Listening sockets: bound at the start, so that a mistake ends it.

mod error;
mod tcp;
mod unix;

#[cfg(test)]
mod tests;

pub use error::ListenError;

use super::settings::BindAddress;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// The backlog; the system limits it to `net.core.somaxconn`. After a restart all clients reconnect at
/// once.
pub(super) const BACKLOG: i32 = 4096;

/// Send buffer of a client's socket, in bytes (Linux doubles it for its own book-keeping). Our
/// messages are small; what a client that doesn't read may hold of the kernel's memory is this,
/// instead of the megabytes it would otherwise grow to.
pub(super) const SEND_BUFFER: usize = 16 * 1024;

/// How long sent bytes may stay unacknowledged, or wait for a peer that doesn't read, before the kernel
/// closes the connection: `TCP_USER_TIMEOUT`, see tcp(7).
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// A bound, listening socket. A unix socket's file is removed when this is dropped.
#[derive(Debug)]
pub struct BoundListener {
    pub(super) socket: ListenerSocket,
    pub(super) proxy_headers: ProxyHeaderPolicy,
    file: Option<unix::SocketFile>,
}

/// Tells which addresses may send a PROXY header (`None`: a unix socket's). Without it no header is
/// accepted.
#[derive(Clone, Default)]
pub struct ProxyHeaderPolicy(Option<Arc<dyn Fn(Option<IpAddr>) -> bool + Send + Sync>>);

/// The socket itself, non-blocking.
#[derive(Debug)]
pub(super) enum ListenerSocket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// The address of a bound listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalAddress {
    /// A TCP address and port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl BoundListener {
    /// Binds and listens; nothing is accepted yet.
    pub fn bind(bind: &BindAddress) -> Result<Self, ListenError> {
        match bind {
            BindAddress::Tcp { address, port } => {
                let listener = tcp::bind(*address, *port)?;
                Ok(Self::of(ListenerSocket::Tcp(listener), None))
            }
            BindAddress::Unix { path, permissions } => {
                let (listener, file) = unix::bind(path, *permissions)?;
                Ok(Self::of(ListenerSocket::Unix(listener), Some(file)))
            }
        }
    }

    /// A socket that the service manager bound (socket activation). Its file, if any, stays.
    pub fn inherited(fd: OwnedFd) -> Result<Self, ListenError> {
        let socket = socket2::Socket::from(fd);
        let prepared = socket.set_nonblocking(true).and_then(|()| socket.local_addr());
        let address = prepared.map_err(ListenError::Inherited)?;
        if !socket.is_listener().map_err(ListenError::Inherited)? {
            return Err(ListenError::NotListening);
        }
        let socket = if address.is_unix() {
            ListenerSocket::Unix(socket.into())
        } else {
            tcp::prepare(&socket).map_err(ListenError::Inherited)?;
            ListenerSocket::Tcp(socket.into())
        };
        Ok(Self::of(socket, None))
    }

    /// The same listener, where every connection begins with a PROXY protocol header from an address that
    /// `may` allows.
    #[must_use]
    pub fn require_proxy_header(
        self,
        may: impl Fn(Option<IpAddr>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { proxy_headers: ProxyHeaderPolicy(Some(Arc::new(may))), ..self }
    }

    fn of(socket: ListenerSocket, file: Option<unix::SocketFile>) -> Self {
        Self { socket, proxy_headers: ProxyHeaderPolicy::default(), file }
    }

    /// Its address, with the port that the system chose if it was asked to.
    pub fn local(&self) -> Result<LocalAddress, ListenError> {
        match &self.socket {
            ListenerSocket::Tcp(socket) => {
                socket.local_addr().map(LocalAddress::Tcp).map_err(ListenError::Inherited)
            }
            ListenerSocket::Unix(socket) => {
                let address = socket.local_addr().map_err(ListenError::Inherited)?;
                let bound = address.as_pathname().map(PathBuf::from).unwrap_or_default();
                Ok(LocalAddress::Unix(self.file.as_ref().map_or(bound, |file| file.path().into())))
            }
        }
    }
}

impl ProxyHeaderPolicy {
    /// Whether it requires a PROXY header.
    pub(super) fn is_required(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this address may send one.
    pub(super) fn include(&self, address: Option<IpAddr>) -> bool {
        self.0.as_ref().is_some_and(|may| may(address))
    }
}

impl fmt::Debug for ProxyHeaderPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Introducers").field(&self.0.is_some()).finish()
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

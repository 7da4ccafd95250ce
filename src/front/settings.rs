//! Where to listen and what to allow there.

use std::{net::IpAddr, path::PathBuf};

/// Where a listener is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// A TCP port.
    Tcp {
        /// The address; `None` means `::` (dual stack), falling back to `0.0.0.0`.
        address: Option<IpAddr>,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// A unix socket.
    Unix {
        /// Its path; a dead socket file of an earlier run is replaced.
        path: PathBuf,
        /// Its permissions (`0o660`).
        permissions: u32,
    },
}

/// Certificate chain and key, both PEM; read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSettings {
    /// Where.
    pub bind: Bind,
    /// TLS, when this listener speaks it.
    pub tls: Option<TlsFiles>,
}

/// What clients that have not logged in may use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerLimits {
    /// Connections that have not logged in, in all.
    pub total: usize,
    /// The same from one client address (the socket's own; unlimited for unix sockets, loopback
    /// and trusted proxies, behind which everybody looks alike).
    pub per_address: usize,
}

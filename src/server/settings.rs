//! Where to listen and what to allow there.

use crate::client::ConnectionPreamble;
use std::{net::IpAddr, path::PathBuf};

/// Where a listener is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
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
    /// The rest of the chain, where it has a file of its own.
    pub chain: Option<PathBuf>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSettings {
    /// Where.
    pub bind: BindAddress,
    /// TLS, when this listener speaks it.
    pub tls: Option<TlsFiles>,
    /// Whether each connection begins with a header of the PROXY protocol, from a trusted proxy.
    pub proxy_protocol: bool,
}

impl ListenSettings {
    /// How a connection to it begins.
    pub fn preamble(&self) -> ConnectionPreamble {
        let tls = self.tls.is_some() && matches!(self.bind, BindAddress::Tcp { .. });
        ConnectionPreamble { tls, proxy_protocol: self.proxy_protocol }
    }
}

/// What clients that have not logged in may use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreAuthLimits {
    /// Connections that have not logged in, in all.
    pub total: usize,
    /// The same from one client address (the socket's own; unlimited for unix sockets, loopback
    /// and trusted proxies, behind which everybody looks alike).
    pub per_address: usize,
}

#[cfg(test)]
mod tests {
    use super::{BindAddress, ConnectionPreamble, ListenSettings, TlsFiles};

    #[test]
    fn a_unix_socket_begins_without_tls_whatever_certificate_is_set() {
        let tls = Some(TlsFiles { cert: "cert.pem".into(), key: "key.pem".into(), chain: None });
        let tcp = BindAddress::Tcp { address: None, port: 1 };
        let unix = BindAddress::Unix { path: "/run/x".into(), permissions: 0o660 };
        for (bind, encrypted) in [(tcp, true), (unix, false)] {
            let listen = ListenSettings { bind, tls: tls.clone(), proxy_protocol: true };
            assert_eq!(
                listen.preamble(),
                ConnectionPreamble { tls: encrypted, proxy_protocol: true }
            );
        }
    }
}

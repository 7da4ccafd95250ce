//! The settings of a listener.

use crate::client::ConnectionPreamble;
use std::{net::IpAddr, path::PathBuf};

/// The address that a listener binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
    /// A port on one address, or on all.
    Tcp {
        /// The address; `None` means `::` (dual stack), falling back to `0.0.0.0`.
        address: Option<IpAddr>,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// The path of a unix socket.
    Unix {
        /// Its path; a dead socket file of an earlier run is replaced.
        path: PathBuf,
        /// Its permissions (`0o660`).
        permissions: u32,
    },
}

/// Certificate chain and key, both PEM; reloaded when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
    /// The rest of the chain, if it has a file of its own.
    pub chain: Option<PathBuf>,
}

/// The settings of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSettings {
    /// The address that it binds.
    pub bind: BindAddress,
    /// The certificate, if it uses TLS.
    pub tls: Option<TlsFiles>,
    /// Whether each connection begins with a PROXY protocol header from a trusted proxy.
    pub proxy_protocol: bool,
}

impl ListenSettings {
    /// How a connection to it begins.
    pub fn preamble(&self) -> ConnectionPreamble {
        let tls = self.tls.is_some() && matches!(self.bind, BindAddress::Tcp { .. });
        ConnectionPreamble { tls, proxy_protocol: self.proxy_protocol }
    }
}

/// The limits of connections that haven't logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreAuthLimits {
    /// The limit of all such connections.
    pub total: usize,
    /// The limit for one client address (the socket's own; unlimited for unix sockets, loopback and trusted
    /// proxies, which many clients share).
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

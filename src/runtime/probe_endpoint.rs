//! A bound listener of the daemon, as its own client connects to it.

use crate::{
    client::{ConnectionPreamble, loopback_reachable, self_tls_connector, send_proxy_preamble},
    server::LocalAddress,
    services::ByteStream,
};
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::net::{TcpStream, UnixStream};

/// Why the daemon can't connect to its own listener.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeConnectError {
    /// The service has no listener.
    #[error("no listener is bound")]
    NoListener,
    /// TCP, the unix socket or the TLS handshake.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

/// A bound listener, and how a connection to it begins.
#[derive(Clone)]
pub(super) struct ProbeEndpoint {
    pub(super) local: LocalAddress,
    pub(super) preamble: ConnectionPreamble,
}

impl ProbeEndpoint {
    pub(super) async fn connect(&self) -> Result<Box<dyn ByteStream>, ProbeConnectError> {
        let address = match &self.local {
            LocalAddress::Unix(path) => {
                let mut stream = UnixStream::connect(path).await?;
                send_proxy_preamble(&mut stream, self.preamble).await?;
                return Ok(Box::new(stream));
            }
            LocalAddress::Tcp(address) => {
                SocketAddr::new(loopback_reachable(address.ip()), address.port())
            }
        };
        let mut stream = TcpStream::connect(address).await?;
        send_proxy_preamble(&mut stream, self.preamble).await?;
        if !self.preamble.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        Ok(Box::new(self_tls_connector()?.connect(name, stream).await?))
    }
}

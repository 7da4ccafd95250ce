//! Connections to the daemon's own listener, for the self-probe and `healthcheck`.

use crate::client::tls::{CertificateCheck, TrustPolicy};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

/// How a connection begins, before HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionPreamble {
    /// With a TLS handshake; not on a unix socket.
    pub tls: bool,
    /// And before that with a header of the PROXY protocol.
    pub proxy_protocol: bool,
}

/// A TLS connector to the daemon's own listener. It accepts any certificate, since the peer is known
/// and no secret is sent.
///
/// # Errors
/// When the provider knows no version of TLS.
pub fn self_tls_connector() -> Result<TlsConnector, rustls::Error> {
    let config = TrustPolicy::new(CertificateCheck::Nothing).client()?.with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The address at which a client on this machine reaches a listener on `ip`.
pub fn loopback_reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The connection isn't proxied (proxy-protocol.txt section 2.1).
const PROXY_UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// What a connection begins with before TLS, where a proxy would introduce a client.
///
/// # Errors
/// When the connection is gone.
pub async fn send_proxy_preamble(
    stream: &mut (impl AsyncWrite + Unpin),
    opening: ConnectionPreamble,
) -> io::Result<()> {
    if opening.proxy_protocol {
        stream.write_all(PROXY_UNKNOWN).await?;
    }
    Ok(())
}

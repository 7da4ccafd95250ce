//! The daemon's probe of itself: a client's whole way, from the listener through log-in, event path
//! and hub, back to the client.

use crate::{
    auth::ticket::Tickets,
    front::{Local, VisitError, Visitor},
    recipient::Recipient,
    secret::Secret,
    source::memory::{Ended, Memory},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::Instant,
};
use tokio_rustls::TlsConnector;

/// Whom the probe listens as: no host has a user whose name begins with a control character.
const NAME: &str = "\u{1}probe";
/// What is published for it.
const CHANNEL: &str = "notify_custom";

/// Why the daemon does not do what it is there for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// The listener, the log-in or the way back.
    #[error(transparent)]
    Visit(#[from] VisitError),
    /// TCP, the unix socket or TLS.
    #[error("the daemon's own listener can't be reached")]
    Connect(#[from] io::Error),
    /// The pipeline has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

/// Knows the way.
pub(super) struct Probe {
    local: Local,
    tls: bool,
    tickets: Tickets,
    source: Memory,
    rng: Mutex<fastrand::Rng>,
}

impl Probe {
    pub(super) fn new(
        local: Local,
        tls: bool,
        tickets: Tickets,
        source: Memory,
        rng: fastrand::Rng,
    ) -> Self {
        Self { local, tls, tickets, source, rng: Mutex::new(rng) }
    }

    /// Goes it once. The caller bounds the time.
    pub(super) async fn go(&self) -> Result<(), ProbeError> {
        match &self.local {
            Local::Unix(path) => Box::pin(self.visit(UnixStream::connect(path).await?)).await,
            Local::Tcp(address) => {
                let stream = TcpStream::connect(reachable(*address)).await?;
                if !self.tls {
                    return Box::pin(self.visit(stream)).await;
                }
                let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
                Box::pin(self.visit(Box::pin(connector()?.connect(name, stream)).await?)).await
            }
        }
    }

    async fn visit<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<(), ProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let (ticket, number) = (format!("{:032x}", rng.u128(..)), rng.u32(..));
        self.tickets.issue(Recipient::from(NAME), &Secret::from(&*ticket), Instant::now());
        let mut visitor = Visitor::log_in(stream, "", &ticket, rng).await?;
        let message = serde_json::json!({ "user": NAME, "message": "probe", "body": number });
        self.source.publish(CHANNEL, message.to_string()).await?;
        let expected = format!("probe {number}");
        while visitor.next().await? != expected {}
        Ok(())
    }
}

/// An address that a client on this machine can use: not the wildcard.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Ourselves(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Any certificate will do: we know whom we connect to, and send nothing but a ticket for nobody.
#[derive(Debug)]
struct Ourselves(Arc<CryptoProvider>);

impl ServerCertVerifier for Ourselves {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! The daemon's probe of itself: a client's whole way, from the listener through log-in, event path
//! and hub, back to the client.

use crate::{
    auth::ticket::Tickets,
    front::{Local, VisitError, Visitor, to_ourselves},
    recipient::Recipient,
    secret::Secret,
    source::memory::{Ended, Memory},
};
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::Instant,
};

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
                Box::pin(self.visit(Box::pin(to_ourselves()?.connect(name, stream)).await?)).await
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

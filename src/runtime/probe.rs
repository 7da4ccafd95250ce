//! The daemon's probe of itself: connects to its own listener, and every host goes its way.

use super::daemon::Placed;
use crate::{
    client::{from_here, introduce_ourselves, to_ourselves},
    config::{HostName, Place},
    server::{Local, Opening},
    services,
    services::Stream,
};
use futures_util::future::try_join_all;
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::{TcpStream, UnixStream};

/// Why the daemon does not do what it is there for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// A host's own way.
    #[error("{}{cause}", host(.name))]
    Host {
        /// Its name, where it has one.
        name: Option<HostName>,
        /// What is wrong there.
        cause: services::ProbeError,
    },
    /// TCP, the unix socket or TLS.
    #[error("the daemon's own listener can't be reached")]
    Connect(#[from] io::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

fn host(name: &Option<HostName>) -> String {
    name.as_ref().map(|name| format!("host {name}: ")).unwrap_or_default()
}

/// Knows the ways to the listeners, and who goes on from there.
pub(super) struct Probe(Vec<Way>);

/// Where a client begins.
#[derive(Clone)]
pub(super) struct Entrance {
    pub(super) local: Local,
    pub(super) opening: Opening,
}

struct Way {
    entrance: Option<Entrance>,
    name: Option<HostName>,
    place: Place,
    probe: Arc<dyn services::Probe>,
}

impl Probe {
    /// `shared`: where clients of the shared listener begin, if there is one.
    pub(super) fn new(shared: Option<&Entrance>, hosts: &[Placed]) -> Self {
        let way = |host: &Placed| Way {
            entrance: host.entrance.clone().or_else(|| shared.cloned()),
            name: host.name.clone(),
            place: host.place.clone(),
            probe: Arc::clone(&host.running.probe),
        };
        Self(hosts.iter().map(way).collect())
    }

    /// Every host's way once, at the same time. The caller bounds the time.
    pub(super) async fn go(&self) -> Result<(), ProbeError> {
        try_join_all(self.0.iter().map(Way::go)).await?;
        Ok(())
    }
}

impl Way {
    async fn go(&self) -> Result<(), ProbeError> {
        let entrance = self.entrance.as_ref().ok_or(io::ErrorKind::AddrNotAvailable);
        let stream = Box::pin(entrance.map_err(io::Error::from)?.connect()).await?;
        let went = self.probe.go(stream, &self.place).await;
        went.map_err(|cause| ProbeError::Host { name: self.name.clone(), cause })
    }
}

impl Entrance {
    async fn connect(&self) -> Result<Box<dyn Stream>, ProbeError> {
        let address = match &self.local {
            Local::Unix(path) => {
                let mut stream = UnixStream::connect(path).await?;
                introduce_ourselves(&mut stream, self.opening).await?;
                return Ok(Box::new(stream));
            }
            Local::Tcp(address) => SocketAddr::new(from_here(address.ip()), address.port()),
        };
        let mut stream = TcpStream::connect(address).await?;
        introduce_ourselves(&mut stream, self.opening).await?;
        if !self.opening.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        Ok(Box::new(to_ourselves()?.connect(name, stream).await?))
    }
}

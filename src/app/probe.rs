//! The daemon's probe of itself: connects to its own listener, and every host goes its way.

use super::daemon::Placed;
use crate::{
    config::{HostName, Place},
    front::{Local, Opening, from_here, introduce_ourselves, to_ourselves},
    hosts::{self, Stream},
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
        cause: hosts::ProbeError,
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

/// Knows the way to the listener, and who goes on from there.
pub(super) struct Probe {
    local: Local,
    opening: Opening,
    hosts: Vec<Way>,
}

struct Way {
    name: Option<HostName>,
    place: Place,
    probe: Arc<dyn hosts::Probe>,
}

impl Probe {
    pub(super) fn new(local: Local, opening: Opening, hosts: &[Placed]) -> Self {
        let way = |host: &Placed| Way {
            name: host.name.clone(),
            place: host.place.clone(),
            probe: Arc::clone(&host.running.probe),
        };
        Self { local, opening, hosts: hosts.iter().map(way).collect() }
    }

    /// Every host's way once, at the same time. The caller bounds the time.
    pub(super) async fn go(&self) -> Result<(), ProbeError> {
        try_join_all(self.hosts.iter().map(|way| self.visit(way))).await?;
        Ok(())
    }

    async fn visit(&self, way: &Way) -> Result<(), ProbeError> {
        let stream = Box::pin(self.connect()).await?;
        let went = way.probe.go(stream, &way.place).await;
        went.map_err(|cause| ProbeError::Host { name: way.name.clone(), cause })
    }

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

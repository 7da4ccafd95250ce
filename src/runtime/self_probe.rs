//! The daemon's probe of itself: connects to its own listener, and every host goes its way.

use super::daemon::StartedService;
use crate::{
    client::{ConnectionPreamble, loopback_reachable, self_tls_connector, send_proxy_preamble},
    config::{ServiceName, ServiceRoute},
    server::LocalAddress,
    services,
    services::ByteStream,
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
pub(super) enum DaemonProbeError {
    /// A host's own way.
    #[error("{}{cause}", host(.name))]
    Host {
        /// Its name, where it has one.
        name: Option<ServiceName>,
        /// What is wrong there.
        cause: services::SelfProbeError,
    },
    /// TCP, the unix socket or TLS.
    #[error("the daemon's own listener can't be reached")]
    Connect(#[from] io::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

fn host(name: &Option<ServiceName>) -> String {
    name.as_ref().map(|name| format!("host {name}: ")).unwrap_or_default()
}

/// Knows the ways to the listeners, and who goes on from there.
pub(super) struct DaemonProbe(Vec<ServiceProbePath>);

/// Where a client begins.
#[derive(Clone)]
pub(super) struct ProbeEndpoint {
    pub(super) local: LocalAddress,
    pub(super) opening: ConnectionPreamble,
}

struct ServiceProbePath {
    entrance: Option<ProbeEndpoint>,
    name: Option<ServiceName>,
    place: ServiceRoute,
    probe: Arc<dyn services::SelfProbe>,
}

impl DaemonProbe {
    /// `shared`: where clients of the shared listener begin, if there is one.
    pub(super) fn new(shared: Option<&ProbeEndpoint>, hosts: &[StartedService]) -> Self {
        let way = |host: &StartedService| ServiceProbePath {
            entrance: host.entrance.clone().or_else(|| shared.cloned()),
            name: host.name.clone(),
            place: host.place.clone(),
            probe: Arc::clone(&host.running.probe),
        };
        Self(hosts.iter().map(way).collect())
    }

    /// Every host's way once, at the same time. The caller bounds the time.
    pub(super) async fn go(&self) -> Result<(), DaemonProbeError> {
        try_join_all(self.0.iter().map(ServiceProbePath::go)).await?;
        Ok(())
    }
}

impl ServiceProbePath {
    async fn go(&self) -> Result<(), DaemonProbeError> {
        let entrance = self.entrance.as_ref().ok_or(io::ErrorKind::AddrNotAvailable);
        let stream = Box::pin(entrance.map_err(io::Error::from)?.connect()).await?;
        let result = self.probe.go(stream, &self.place).await;
        result.map_err(|cause| DaemonProbeError::Host { name: self.name.clone(), cause })
    }
}

impl ProbeEndpoint {
    async fn connect(&self) -> Result<Box<dyn ByteStream>, DaemonProbeError> {
        let address = match &self.local {
            LocalAddress::Unix(path) => {
                let mut stream = UnixStream::connect(path).await?;
                send_proxy_preamble(&mut stream, self.opening).await?;
                return Ok(Box::new(stream));
            }
            LocalAddress::Tcp(address) => {
                SocketAddr::new(loopback_reachable(address.ip()), address.port())
            }
        };
        let mut stream = TcpStream::connect(address).await?;
        send_proxy_preamble(&mut stream, self.opening).await?;
        if !self.opening.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        Ok(Box::new(self_tls_connector()?.connect(name, stream).await?))
    }
}

//! The self-test behind the service manager's watchdog: every service is tested over the daemon's listeners.

use super::daemon::StartedService;
use crate::{
    client::{ConnectionPreamble, loopback_reachable, self_tls_connector, send_proxy_preamble},
    config::{ServiceName, ServiceRoute},
    server::LocalAddress,
    services::{ByteStream, SelfProbe, SelfProbeError, SelfTest, SelfTestTask},
};
use futures_util::future::try_join_all;
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::{TcpStream, UnixStream};

/// Why the daemon failed its self-test.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonProbeError {
    /// A service's own test.
    #[error("{}{cause}", prefix(.service))]
    Service {
        /// Its name, if it has one.
        service: Option<ServiceName>,
        /// What failed.
        cause: SelfProbeError,
    },
    /// TCP, the unix socket or TLS.
    #[error("can't connect to the daemon's own listener")]
    Connect(#[from] io::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

fn prefix(service: &Option<ServiceName>) -> String {
    service.as_ref().map(|name| format!("service {name}: ")).unwrap_or_default()
}

/// The self-tests of all services.
pub(super) struct DaemonProbe(Vec<ServiceProbe>);

/// A bound listener, and how a connection to it begins.
#[derive(Clone)]
pub(super) struct ProbeEndpoint {
    pub(super) local: LocalAddress,
    pub(super) preamble: ConnectionPreamble,
}

struct ServiceProbe {
    service: Option<ServiceName>,
    method: ProbeMethod,
}

enum ProbeMethod {
    Client { endpoint: Option<ProbeEndpoint>, route: ServiceRoute, probe: Arc<dyn SelfProbe> },
    Task(Arc<dyn SelfTestTask>),
}

impl DaemonProbe {
    /// `shared`: the listener that services without one of their own share.
    pub(super) fn new(shared: Option<&ProbeEndpoint>, services: &[StartedService]) -> Self {
        let probe = |service: &StartedService| ServiceProbe {
            service: service.name.clone(),
            method: match &service.running.self_test {
                SelfTest::Client { probe, .. } => ProbeMethod::Client {
                    endpoint: service.probe_endpoint.clone().or_else(|| shared.cloned()),
                    route: service.route.clone(),
                    probe: Arc::clone(probe),
                },
                SelfTest::Task(task) => ProbeMethod::Task(Arc::clone(task)),
            },
        };
        Self(services.iter().map(probe).collect())
    }

    /// Tests every service once, all at the same time. The caller bounds the time.
    pub(super) async fn run(&self) -> Result<(), DaemonProbeError> {
        try_join_all(self.0.iter().map(ServiceProbe::run)).await?;
        Ok(())
    }
}

impl ServiceProbe {
    async fn run(&self) -> Result<(), DaemonProbeError> {
        let result = match &self.method {
            ProbeMethod::Client { endpoint, route, probe } => {
                let endpoint = endpoint.as_ref().ok_or(io::ErrorKind::AddrNotAvailable);
                let stream = Box::pin(endpoint.map_err(io::Error::from)?.connect()).await?;
                probe.go(stream, route).await
            }
            ProbeMethod::Task(task) => task.run().await,
        };
        result.map_err(|cause| DaemonProbeError::Service { service: self.service.clone(), cause })
    }
}

impl ProbeEndpoint {
    async fn connect(&self) -> Result<Box<dyn ByteStream>, DaemonProbeError> {
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

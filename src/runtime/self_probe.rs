//! The self-test behind the service manager's watchdog: every service is tested over the daemon's listeners.

use super::{
    probe_endpoint::{ProbeConnectError, ProbeEndpoint},
    started_service::StartedService,
};
use crate::{
    config::{ServiceName, ServiceRoute},
    services::{SelfProbe, SelfProbeError, SelfTest, SelfTestTask},
};
use futures_util::future::try_join_all;
use std::sync::Arc;

/// Why the daemon failed its self-test.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonProbeError {
    /// A service's own test.
    #[error("{}{cause}", prefix(.service))]
    Service {
        /// Its name, if it has one.
        service: Option<ServiceName>,
        /// What failed in the test.
        cause: SelfProbeError,
    },
    /// The listener can't be reached.
    #[error("can't connect to the daemon's own listener")]
    Connect(#[from] ProbeConnectError),
}

fn prefix(service: &Option<ServiceName>) -> String {
    service.as_ref().map(|name| format!("service {name}: ")).unwrap_or_default()
}

/// The self-tests of all services.
pub(super) struct DaemonProbe(Vec<ServiceProbe>);

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
                let endpoint = endpoint.as_ref().ok_or(ProbeConnectError::NoListener)?;
                probe.go(Box::pin(endpoint.connect()).await?, route).await
            }
            ProbeMethod::Task(task) => task.run().await,
        };
        result.map_err(|cause| DaemonProbeError::Service { service: self.service.clone(), cause })
    }
}

//! A service that runs, with its place in the configuration.

use super::probe_endpoint::ProbeEndpoint;
use crate::{
    config::{ServiceName, ServiceRoute},
    health::{HealthRegistry, ServiceDependency},
    services::RunningService,
};
use std::sync::Arc;

/// A running service with its place in the configuration.
pub(super) struct StartedService {
    pub(super) name: Option<ServiceName>,
    pub(super) route: ServiceRoute,
    pub(super) running: RunningService,
    /// The bound listener of its own that its self-test connects to.
    pub(super) probe_endpoint: Option<ProbeEndpoint>,
}

impl StartedService {
    /// Its dependencies under its name.
    pub(super) fn dependencies(&self) -> Vec<ServiceDependency> {
        let service: Option<Arc<str>> = self.name.as_ref().map(|name| name.as_str().into());
        let own = |dependency: &ServiceDependency| ServiceDependency {
            service: service.clone(),
            ..dependency.clone()
        };
        self.running.dependencies.iter().map(own).collect()
    }

    /// The health of this service alone.
    pub(super) fn health(&self, whole: &HealthRegistry) -> HealthRegistry {
        whole.of(self.dependencies())
    }
}

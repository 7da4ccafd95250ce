//! The metrics of a service's parts, in one registry.

use crate::{
    client::{SourceMetrics, database::DatabaseMetrics},
    push::{AuthMetrics, HubMetrics},
    telemetry::metrics::{MetricsError, MetricsRegistry},
};
use std::sync::Arc;

/// The label values that belong to a service.
#[derive(Debug, Clone, Copy)]
pub struct MetricLabelNames<'a> {
    /// Its name, if it has one: the label `service` of all its metrics.
    pub service: Option<&'a str>,
    /// Its topics, in the order of [`crate::push::notice::TopicId`].
    pub topics: &'a [&'static str],
    /// The channels that it subscribes to.
    pub channels: &'a [&'static str],
    /// The names of its authenticators.
    pub methods: &'a [&'static str],
}

/// The metrics of each part, to be handed to it.
#[derive(Debug, Clone)]
pub struct ServiceMetrics {
    /// The hub and its sessions.
    pub hub: Arc<HubMetrics>,
    /// The source and what consumes it.
    pub source: Arc<SourceMetrics>,
    /// The logins of its clients.
    pub auth: Arc<AuthMetrics>,
    /// The queries to its database.
    pub store: Arc<DatabaseMetrics>,
    metrics: MetricsRegistry,
}

impl ServiceMetrics {
    /// Registers everything in a registry of its own.
    ///
    /// # Errors
    /// [`MetricsError`], when a name is given twice.
    pub fn register(names: MetricLabelNames<'_>) -> Result<Self, MetricsError> {
        let metrics = MetricsRegistry::new(names.service)?;
        Ok(Self {
            hub: Arc::new(HubMetrics::register(&metrics, names.topics)?),
            source: Arc::new(SourceMetrics::register(&metrics, names.channels)?),
            auth: Arc::new(AuthMetrics::register(&metrics, names.methods)?),
            store: Arc::new(DatabaseMetrics::register(&metrics)?),
            metrics,
        })
    }

    /// The registry, for further metrics of the service.
    pub fn metrics(&self) -> &MetricsRegistry {
        &self.metrics
    }
}

//! What the parts of one service count, put together.

use super::nextcloud::CompatSnapshot;
use crate::{
    client::{SourceMetrics, database::DatabaseMetrics},
    push::{AuthMetrics, HubMetrics, notice::TopicId},
    telemetry::metrics::{MetricsError, MetricsRegistry},
};
use std::sync::Arc;

/// Names that label the numbers and belong to the service.
#[derive(Debug, Clone, Copy)]
pub struct MetricLabelNames<'a> {
    /// What the service is called, where it has a name: the label `service` of all its numbers.
    pub service: Option<&'a str>,
    /// Kinds of change, in the order of [`TopicId`]; the original's numbers need file, activity and
    /// notification in this order.
    pub topics: &'a [&'static str],
    /// Channels that are listened to.
    pub channels: &'a [&'static str],
    /// Authenticators.
    pub methods: &'a [&'static str],
}

/// One observer for each part, to be handed to it.
#[derive(Debug, Clone)]
pub struct ServiceMetrics {
    /// For the hub and its sessions.
    pub hub: Arc<HubMetrics>,
    /// For the source and the pipeline.
    pub source: Arc<SourceMetrics>,
    /// For the log-in chain.
    pub auth: Arc<AuthMetrics>,
    /// For the lookup of mounts.
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

    /// The registry, for whoever has something of its own to register.
    pub fn metrics(&self) -> &MetricsRegistry {
        &self.metrics
    }

    /// The original's numbers, now.
    pub fn snapshot(&self) -> CompatSnapshot {
        CompatSnapshot {
            active_connection_count: self.hub.connections.get(),
            active_user_count: self.hub.users.get(),
            total_connection_count: self.hub.connections_total.get(),
            mapping_query_count: self.store.mapping_queries.get(),
            events_received: self.source.received_count(),
            messages_sent_file: self.hub.sent_count(TopicId(0)),
            messages_sent_activity: self.hub.sent_count(TopicId(1)),
            messages_sent_notification: self.hub.sent_count(TopicId(2)),
            messages_sent_custom: self.hub.custom.get(),
        }
    }
}

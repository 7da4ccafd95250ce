//! What every part counts, put together, and the two ways it is published.

use super::{
    AuthMetrics, FrontMetrics, HubMetrics, Metrics, MetricsError, Snapshot, SourceMetrics,
    StoreMetrics, process::Process,
};
use crate::notice::Topic;
use std::sync::Arc;

/// Names that label the numbers and belong to the host.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// This program's version.
    pub version: &'a str,
    /// Kinds of change, in the order of [`Topic`]; the original's numbers need file, activity and
    /// notification in this order.
    pub topics: &'a [&'static str],
    /// Channels that are listened to.
    pub channels: &'a [&'static str],
    /// Authenticators.
    pub methods: &'a [&'static str],
}

/// One observer for each part, to be handed to it, and the page that shows them all.
#[derive(Debug, Clone)]
pub struct Observers {
    /// For the hub and its sessions.
    pub hub: Arc<HubMetrics>,
    /// For the source and the pipeline.
    pub source: Arc<SourceMetrics>,
    /// For the log-in chain.
    pub auth: Arc<AuthMetrics>,
    /// For the lookup of mounts.
    pub store: Arc<StoreMetrics>,
    /// For the listeners.
    pub front: Arc<FrontMetrics>,
    metrics: Metrics,
}

impl Observers {
    /// Registers everything in a registry of its own.
    ///
    /// # Errors
    /// [`MetricsError`], when a name is given twice.
    pub fn register(names: Names<'_>) -> Result<Self, MetricsError> {
        let metrics = Metrics::new()?;
        metrics.build_info(names.version)?;
        Ok(Self {
            hub: Arc::new(HubMetrics::register(&metrics, names.topics)?),
            source: Arc::new(SourceMetrics::register(&metrics, names.channels)?),
            auth: Arc::new(AuthMetrics::register(&metrics, names.methods)?),
            store: Arc::new(StoreMetrics::register(&metrics)?),
            front: Arc::new(FrontMetrics::register(&metrics)?),
            metrics,
        })
    }

    /// The registry, for whoever has something of its own to register.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The original's numbers, now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            active_connection_count: self.hub.connections.get(),
            active_user_count: self.hub.users.get(),
            total_connection_count: self.hub.connections_total.get(),
            mapping_query_count: self.store.mapping_queries.get(),
            events_received: self.source.received_so_far(),
            messages_sent_file: self.hub.told_so_far(Topic(0)),
            messages_sent_activity: self.hub.told_so_far(Topic(1)),
            messages_sent_notification: self.hub.told_so_far(Topic(2)),
            messages_sent_custom: self.hub.custom.get(),
        }
    }

    /// The page that Prometheus reads: ours, the process's, and the original's names.
    ///
    /// # Errors
    /// [`MetricsError`], see [`Metrics::text`].
    pub fn page(&self) -> Result<String, MetricsError> {
        Ok(self.metrics.text()? + &Process::read().text() + &self.snapshot().text())
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Observers, Topic};

    #[test]
    fn both_families_of_names_show_the_same_numbers() {
        let names = Names {
            version: "0",
            topics: &["file", "activity", "notification"],
            channels: &["notify_activity"],
            methods: &["ticket"],
        };
        let observers = Observers::register(names).unwrap();
        let _guards = (observers.hub.connections.enter(), observers.hub.users.enter());
        let wait = std::time::Duration::from_millis(100);
        observers.hub.told(Topic(1), 40, wait, wait / 100);
        observers.hub.delivered(wait, 2);
        observers.source.received("notify_activity");
        observers.store.queried(false, std::time::Duration::from_millis(1));
        let page = observers.page().unwrap();
        for line in [
            "\nnotify_push_connections 1\n",
            "\nactive_connection_count 1\n",
            "\nnotify_push_messages_sent_total{topic=\"activity\"} 40\n",
            "\nmessage_count_total{type=\"activity\"} 40\n",
            "\nnotify_push_delivery_seconds_bucket{topic=\"activity\",le=\"0.1\"} 40\n",
            "\nnotify_push_debounce_seconds_sum 3.96\n",
            "\nnotify_push_lateness_seconds_count 42\n",
            "\nnotify_push_messages_sent_total{topic=\"custom\"} 2\n",
            "\nmessage_count_total{type=\"custom\"} 2\n",
            "\nevent_count_total 1\n",
            "\nmapping_query_count 1\n",
            "\nnotify_push_mapping_query_errors_total 1\n",
        ] {
            assert!(page.contains(line), "{line} not in\n{page}");
        }
    }
}

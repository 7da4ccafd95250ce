//! The metrics page: the daemon's own metrics, its services' and the process's.

use crate::{
    server::ServerMetrics,
    services::CompatMetricsReader,
    telemetry::metrics::{MetricsError, MetricsRegistry, process::ProcessMetrics, write_compat},
};
use std::sync::Arc;

/// All metrics of one daemon. Cheap to clone.
#[derive(Clone)]
pub struct MetricsPage {
    /// The metrics of the listeners.
    pub front: Arc<ServerMetrics>,
    metrics: Vec<MetricsRegistry>,
    compat: Vec<(Option<String>, CompatMetricsReader)>,
}

impl MetricsPage {
    /// A page without services; `version` is this program's.
    ///
    /// # Errors
    /// [`MetricsError`] if a name is registered twice.
    pub fn new(version: &str) -> Result<Self, MetricsError> {
        let metrics = MetricsRegistry::new(None)?;
        metrics.build_info(version)?;
        let front = Arc::new(ServerMetrics::register(&metrics)?);
        Ok(Self { front, metrics: vec![metrics], compat: Vec::new() })
    }

    /// Adds a service's metrics, and those under compatibility names.
    pub fn add(
        &mut self,
        name: Option<&str>,
        metrics: MetricsRegistry,
        original: Option<CompatMetricsReader>,
    ) {
        self.metrics.push(metrics);
        self.compat.extend(original.map(|original| (name.map(str::to_owned), original)));
    }

    /// Renders the page as text.
    ///
    /// # Errors
    /// [`MetricsError`], see [`MetricsRegistry::text`].
    pub fn text(&self) -> Result<String, MetricsError> {
        let snapshots: Vec<_> =
            self.compat.iter().map(|(name, now)| (name.as_deref(), now())).collect();
        Ok(MetricsRegistry::text(&self.metrics)?
            + &ProcessMetrics::read().text()
            + &write_compat(&snapshots))
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, MetricsPage};
    use crate::{
        push::notice::TopicId,
        services::{MetricLabelNames, ServiceMetrics, nextcloud::CompatSnapshot},
    };
    use std::time::Duration;

    const NAMES: MetricLabelNames<'_> = MetricLabelNames {
        service: None,
        topics: &["file", "activity", "notification"],
        channels: &["notify_activity"],
        methods: &["ticket"],
    };

    fn page_of(observers: &ServiceMetrics) -> MetricsPage {
        let (mut page, observers) = (MetricsPage::new("0").unwrap(), observers.clone());
        let compat = observers.clone();
        let compat = move || CompatSnapshot::from(&compat).metrics();
        page.add(None, observers.metrics().clone(), Some(Arc::new(compat)));
        page
    }

    #[test]
    fn several_services_share_a_family_and_differ_in_a_label() {
        let mut page = MetricsPage::new("0").unwrap();
        for (name, sessions) in [("a", 1), ("b", 2)] {
            let observers =
                ServiceMetrics::register(MetricLabelNames { service: Some(name), ..NAMES })
                    .unwrap();
            observers.hub.notified(TopicId(0), sessions, Duration::ZERO, Duration::ZERO);
            let metrics = observers.metrics().clone();
            page.add(
                Some(name),
                metrics,
                Some(Arc::new(move || CompatSnapshot::from(&observers).metrics())),
            );
        }
        let page = page.text().unwrap();
        for line in [
            "\nnotify_push_messages_sent_total{topic=\"file\",service=\"a\"} 1\n",
            "\nnotify_push_messages_sent_total{topic=\"file\",service=\"b\"} 2\n",
            "\nmessage_count_total{type=\"file\",service=\"b\"} 2\n",
            "\nactive_user_count{service=\"a\"} 0\n",
        ] {
            assert!(page.contains(line), "{line} not in\n{page}");
        }
        let types: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let mut once = types.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), types.len(), "each family is declared once:\n{page}");
    }

    #[test]
    fn both_families_of_names_show_the_same_numbers() {
        let observers =
            ServiceMetrics::register(MetricLabelNames { service: None, ..NAMES }).unwrap();
        let _guards = (observers.hub.connections.enter(), observers.hub.users.enter());
        let wait = Duration::from_millis(100);
        observers.hub.notified(TopicId(1), 40, wait, wait / 100);
        observers.hub.delivered(wait, 2);
        observers.source.received("notify_activity");
        observers.store.queried(false, Duration::from_millis(1));
        let page = page_of(&observers).text().unwrap();
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

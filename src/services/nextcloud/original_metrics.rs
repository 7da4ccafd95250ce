//! The original's names for the same numbers: dashboards and `occ notify_push:metrics` know them.

use crate::{push::notice::TopicId, services::ServiceMetrics, telemetry::metrics::CompatMetric};
use serde::Serialize;

/// The numbers that the original publishes: `specs/nextcloud.md` section 5.
///
/// Serializes to what the key `notify_push_metrics` holds, with `messages_sent` besides its parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CompatSnapshot {
    /// Sessions logged in.
    pub active_connection_count: u64,
    /// Users with at least one session.
    pub active_user_count: u64,
    /// Sessions begun since the start.
    pub total_connection_count: u64,
    /// Queries for who sees a storage.
    pub mapping_query_count: u64,
    /// Events that arrived.
    pub events_received: u64,
    /// Told to clients: files changed.
    pub messages_sent_file: u64,
    /// Told to clients: new activity.
    pub messages_sent_activity: u64,
    /// Told to clients: new notification.
    pub messages_sent_notification: u64,
    /// Custom messages passed on.
    pub messages_sent_custom: u64,
}

#[derive(Serialize)]
struct CompatSnapshotBody {
    #[serde(flatten)]
    parts: CompatSnapshot,
    messages_sent: u64,
}

impl CompatSnapshot {
    /// What the key `notify_push_metrics` is set to after `notify_query`.
    pub fn json(&self) -> String {
        let published = CompatSnapshotBody { parts: *self, messages_sent: self.messages_sent() };
        // A struct of numbers with names always serializes.
        serde_json::to_string(&published).unwrap_or_default()
    }

    fn messages_sent(&self) -> u64 {
        self.messages_sent_file
            + self.messages_sent_activity
            + self.messages_sent_notification
            + self.messages_sent_custom
    }
}

impl From<&ServiceMetrics> for CompatSnapshot {
    /// The current numbers. The topics are file, activity and notification, in this order.
    fn from(metrics: &ServiceMetrics) -> Self {
        Self {
            active_connection_count: metrics.hub.connections.get(),
            active_user_count: metrics.hub.users.get(),
            total_connection_count: metrics.hub.connections_total.get(),
            mapping_query_count: metrics.store.mapping_queries.get(),
            events_received: metrics.source.received_count(),
            messages_sent_file: metrics.hub.sent_count(TopicId(0)),
            messages_sent_activity: metrics.hub.sent_count(TopicId(1)),
            messages_sent_notification: metrics.hub.sent_count(TopicId(2)),
            messages_sent_custom: metrics.hub.custom.get(),
        }
    }
}

impl CompatSnapshot {
    /// The samples of the original's `/metrics`, with the types it lacks.
    pub fn metrics(&self) -> Vec<CompatMetric> {
        let sample =
            |name, kind, help, label, value| CompatMetric { name, kind, help, label, value };
        let gauge = |name, help, value| sample(name, "gauge", help, "", value);
        let counter = |name, help, value| sample(name, "counter", help, "", value);
        let messages =
            |label, value| sample("message_count_total", "counter", "Messages sent.", label, value);
        vec![
            gauge("active_connection_count", "Sessions logged in.", self.active_connection_count),
            gauge("active_user_count", "Users with a session.", self.active_user_count),
            counter("total_connection_count", "Sessions begun.", self.total_connection_count),
            counter("mapping_query_count", "Storage lookups.", self.mapping_query_count),
            counter("event_count_total", "Events received.", self.events_received),
            // The original's dashboards read the sum.
            messages("", self.messages_sent()),
            messages("type=\"file\"", self.messages_sent_file),
            messages("type=\"activity\"", self.messages_sent_activity),
            messages("type=\"notification\"", self.messages_sent_notification),
            messages("type=\"custom\"", self.messages_sent_custom),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::CompatSnapshot;
    use crate::telemetry::metrics::write_compat;
    use serde_json::json;

    const SNAPSHOT: CompatSnapshot = CompatSnapshot {
        active_connection_count: 1,
        active_user_count: 2,
        total_connection_count: 3,
        mapping_query_count: 4,
        events_received: 5,
        messages_sent_file: 6,
        messages_sent_activity: 7,
        messages_sent_notification: 8,
        messages_sent_custom: 9,
    };

    #[test]
    fn json_has_exactly_the_names_that_occ_reads() {
        let published: serde_json::Value = serde_json::from_str(&SNAPSHOT.json()).unwrap();
        let expected = json!({
            "active_connection_count": 1, "active_user_count": 2, "total_connection_count": 3,
            "mapping_query_count": 4, "events_received": 5, "messages_sent": 30,
            "messages_sent_file": 6, "messages_sent_activity": 7,
            "messages_sent_notification": 8, "messages_sent_custom": 9,
        });
        assert_eq!(published, expected);
    }

    #[test]
    fn text_has_the_names_that_dashboards_know() {
        let text = write_compat(&[(None, SNAPSHOT.metrics())]);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "active_connection_count 1",
            "active_user_count 2",
            "total_connection_count 3",
            "mapping_query_count 4",
            "event_count_total 5",
            "message_count_total 30",
            "message_count_total{type=\"file\"} 6",
            "message_count_total{type=\"activity\"} 7",
            "message_count_total{type=\"notification\"} 8",
            "message_count_total{type=\"custom\"} 9",
        ];
        assert_eq!(samples, expected);
        assert_eq!(text.matches("# TYPE").count(), 6);
    }
}

//! The original's names for the same numbers: dashboards and `occ notify_push:metrics` know them.

use serde::Serialize;

/// The numbers that the original publishes: `specs/nextcloud.md` section 5.
///
/// Serializes to what the key `notify_push_metrics` holds, with `messages_sent` besides its parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
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
struct Published {
    #[serde(flatten)]
    parts: Snapshot,
    messages_sent: u64,
}

impl Snapshot {
    /// What the key `notify_push_metrics` is set to after `notify_query`.
    pub fn json(&self) -> String {
        let published = Published { parts: *self, messages_sent: self.messages_sent() };
        // A struct of numbers with names always serializes.
        serde_json::to_string(&published).unwrap_or_default()
    }

    /// The original's `/metrics`, with the types it lacks.
    pub fn text(&self) -> String {
        let gauge = |name, help, value| family(name, "gauge", help, &[("", value)]);
        let counter = |name, help, value| family(name, "counter", help, &[("", value)]);
        let messages = [
            ("{type=\"file\"}", self.messages_sent_file),
            ("{type=\"activity\"}", self.messages_sent_activity),
            ("{type=\"notification\"}", self.messages_sent_notification),
            ("{type=\"custom\"}", self.messages_sent_custom),
        ];
        [
            gauge("active_connection_count", "Sessions logged in.", self.active_connection_count),
            gauge("active_user_count", "Users with a session.", self.active_user_count),
            counter("total_connection_count", "Sessions begun.", self.total_connection_count),
            counter("mapping_query_count", "Storage lookups.", self.mapping_query_count),
            counter("event_count_total", "Events received.", self.events_received),
            family("message_count_total", "counter", "Messages sent.", &messages),
        ]
        .concat()
    }

    fn messages_sent(&self) -> u64 {
        self.messages_sent_file
            + self.messages_sent_activity
            + self.messages_sent_notification
            + self.messages_sent_custom
    }
}

/// One family in the Prometheus text format; each value with its labels, braces included.
pub(super) fn family<V: std::fmt::Display>(
    name: &str,
    kind: &str,
    help: &str,
    values: &[(&str, V)],
) -> String {
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in values {
        text += &format!("{name}{labels} {value}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Snapshot;
    use serde_json::json;

    const SNAPSHOT: Snapshot = Snapshot {
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
        let text = SNAPSHOT.text();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "active_connection_count 1",
            "active_user_count 2",
            "total_connection_count 3",
            "mapping_query_count 4",
            "event_count_total 5",
            "message_count_total{type=\"file\"} 6",
            "message_count_total{type=\"activity\"} 7",
            "message_count_total{type=\"notification\"} 8",
            "message_count_total{type=\"custom\"} 9",
        ];
        assert_eq!(samples, expected);
        assert_eq!(text.matches("# TYPE").count(), 6);
    }
}

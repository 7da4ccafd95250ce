//! The original's names for the same numbers: dashboards and `occ notify_push:metrics` know them.

use crate::telemetry::metrics::write_family;
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

/// The original's `/metrics`, with the types it lacks. A host's numbers have its name as label, where
/// it has one.
pub(crate) fn text(hosts: &[(Option<&str>, CompatSnapshot)]) -> String {
    type SnapshotField = fn(&CompatSnapshot) -> u64;
    let rows = |labelled: &[(&str, SnapshotField)]| -> Vec<(String, u64)> {
        let of = |(host, numbers): &(Option<&str>, CompatSnapshot)| {
            labelled.iter().map(|(label, part)| (labels(label, *host), part(numbers))).collect()
        };
        hosts.iter().flat_map(|host| -> Vec<_> { of(host) }).collect()
    };
    let gauge = |name, help, part| write_family(name, "gauge", help, &rows(&[("", part)]));
    let counter = |name, help, part| write_family(name, "counter", help, &rows(&[("", part)]));
    let messages: [(&str, SnapshotField); 4] = [
        ("type=\"file\"", |it| it.messages_sent_file),
        ("type=\"activity\"", |it| it.messages_sent_activity),
        ("type=\"notification\"", |it| it.messages_sent_notification),
        ("type=\"custom\"", |it| it.messages_sent_custom),
    ];
    if hosts.is_empty() {
        return String::new();
    }
    [
        gauge("active_connection_count", "Sessions logged in.", |it| it.active_connection_count),
        gauge("active_user_count", "Users with a session.", |it| it.active_user_count),
        counter("total_connection_count", "Sessions begun.", |it| it.total_connection_count),
        counter("mapping_query_count", "Storage lookups.", |it| it.mapping_query_count),
        counter("event_count_total", "Events received.", |it| it.events_received),
        write_family("message_count_total", "counter", "Messages sent.", &rows(&messages)),
    ]
    .concat()
}

/// Labels in their braces, or nothing.
fn labels(own: &str, host: Option<&str>) -> String {
    let host = host.map(|name| format!("host=\"{name}\""));
    let all: Vec<&str> =
        [own, host.as_deref().unwrap_or_default()].into_iter().filter(|l| !l.is_empty()).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::{CompatSnapshot, text};
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
        let text = text(&[(None, SNAPSHOT)]);
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

//! The groups of figures in `notify_push metrics`, and their names for people.

/// How a figure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// A counter, shown with its rate.
    Counter,
    /// A gauge, shown as it is.
    Gauge,
    /// A state: yes or no.
    State,
    /// A histogram in seconds, shown with quantiles.
    Histogram,
    /// A gauge in bytes.
    Bytes,
}

/// A heading with its figures: name in the metrics, name for people, kind.
pub type FigureGroup = (&'static str, &'static [(&'static str, &'static str, FigureKind)]);

use FigureKind::{Bytes, Counter, Gauge, Histogram, State};

/// All groups. Names without the prefix `process_` have the prefix `notify_push_`.
pub const GROUPS: &[FigureGroup] = &[
    (
        "Clients",
        &[
            ("connections", "logged in", Gauge),
            ("users", "users", Gauge),
            ("unauthenticated_connections", "not logged in yet", Gauge),
            ("pending_notices", "pending notices", Gauge),
            ("clients_blocked", "sockets full", Gauge),
            ("connections_total", "sessions begun", Counter),
            ("sessions_refused_total", "sessions refused", Counter),
            ("sessions_ended_total", "sessions ended", Counter),
            ("sockets_blocked_total", "sockets found full", Counter),
            ("pending_notices_overflows_total", "sessions closed as too slow", Counter),
        ],
    ),
    (
        "Messages",
        &[
            ("events_received_total", "events received", Counter),
            ("events_malformed_total", "not understood", Counter),
            ("events_unresolved_total", "dropped, no database set", Counter),
            ("messages_sent_total", "messages sent", Counter),
        ],
    ),
    (
        "How long it takes",
        &[
            ("delivery_seconds", "event to socket", Histogram),
            ("debounce_seconds", "of it meant to wait", Histogram),
            ("lateness_seconds", "of it late", Histogram),
            ("login_check_seconds", "login check", Histogram),
            ("database_query_seconds", "database query", Histogram),
            ("mapping_query_seconds", "who sees a storage", Histogram),
        ],
    ),
    (
        "Logins",
        &[
            ("logins_total", "logins", Counter),
            ("login_checks_total", "answers of checks", Counter),
        ],
    ),
    (
        "What it depends on",
        &[
            ("ready", "ready", State),
            ("dependency_up", "there", State),
            ("source_up", "subscribed", State),
            ("source_gaps_total", "gaps in the subscription", Counter),
            ("source_reconnects_total", "attempts to come back", Counter),
            ("database_queries_total", "database queries", Counter),
            ("mapping_queries_total", "look-ups of who sees a storage", Counter),
            ("mapping_query_errors_total", "of them failed", Counter),
        ],
    ),
    (
        "At the door",
        &[
            ("connections_accepted_total", "connections accepted", Counter),
            ("connections_refused_total", "refused at once", Counter),
            ("accept_errors_total", "failed accepts", Counter),
            ("tls_errors_total", "failed TLS handshakes", Counter),
            ("http_requests_total", "HTTP answers", Counter),
        ],
    ),
    ("Queues", &[("queue_depth", "waiting", Gauge), ("queue_capacity", "of at most", Gauge)]),
    (
        "Process",
        &[
            ("process_resident_memory_bytes", "memory", Bytes),
            ("process_cpu_seconds_total", "processor seconds", Counter),
            ("process_open_fds", "open descriptors", Gauge),
            ("process_max_fds", "of at most", Gauge),
        ],
    ),
];

/// Metrics of the first line, and those that are hidden.
pub const HIDDEN_METRICS: &[&str] = &["notify_push_build_info", "process_start_time_seconds"];

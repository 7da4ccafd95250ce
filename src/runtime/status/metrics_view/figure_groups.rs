//! Which figures belong together, and what people call them.

/// How a figure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// A number that grows: with its rate.
    Counter,
    /// A number as it is now.
    Gauge,
    /// So or not.
    State,
    /// Seconds, with quantiles.
    Histogram,
    /// Bytes as they are now.
    Bytes,
}

/// A heading with its figures: name in the metrics, name for people, kind.
pub type FigureGroup = (&'static str, &'static [(&'static str, &'static str, FigureKind)]);

use FigureKind::{Bytes, Counter, Gauge, Histogram, State};

/// All of them. Names without `process_` in front have the prefix `notify_push_`.
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
            ("login_check_seconds", "log-in check", Histogram),
            ("database_query_seconds", "database query", Histogram),
            ("mapping_query_seconds", "who sees a storage", Histogram),
        ],
    ),
    (
        "Log-ins",
        &[
            ("logins_total", "log-ins", Counter),
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
            ("accepted_total", "connections accepted", Counter),
            ("refused_total", "refused at once", Counter),
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

/// Shown in the first line, or not at all.
pub const HIDDEN_METRICS: &[&str] = &["notify_push_build_info", "process_start_time_seconds"];

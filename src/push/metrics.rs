//! What the hub and its sessions count.

use crate::{
    push::notice::TopicId,
    telemetry::metrics::{
        Counter, Gauge, Histogram, LabeledCounters, MetricsError, MetricsRegistry, label::labels,
    },
};
use std::time::Duration;

labels! {
    /// Why a logged-in session ended.
    pub SessionEndLabel {
        /// The client said good-bye.
        Client = "client",
        /// The connection broke or was reset.
        Lost = "lost",
        /// No answer to a ping.
        Silent = "silent",
        /// It stopped reading and its mailbox or its socket was full.
        Slow = "slow",
        /// It broke the rules of WebSocket or sent too much.
        Protocol = "protocol",
        /// `MAX_CONNECTION_TIME` was over.
        Expired = "expired",
        /// Its password or its user is no longer good, or an operator said so.
        Revoked = "revoked",
        /// `notify_signal: reset`.
        Reset = "reset",
        /// A newer connection took its place.
        Replaced = "replaced",
        /// It wanted more subscriptions than a session may have.
        LimitExceeded = "limit_exceeded",
        /// We are going down.
        Shutdown = "shutdown",
        /// Something failed on our side.
        Internal = "internal",
    }
}

labels! {
    /// Why a client got no session.
    pub SessionRefusalLabel {
        /// Its host has as many clients as it may (`MAX_CONNECTIONS`).
        Full = "full",
        /// Its user has as many sessions as one may have.
        TooMany = "too_many",
        /// We are going down.
        Stopping = "stopping",
    }
}

/// Held by the hub; sessions count through it.
#[derive(Debug)]
pub struct HubMetrics {
    /// Sessions that are logged in; each holds a guard.
    pub connections: Gauge,
    /// Users with at least one session; the hub's entry of a user holds a guard.
    pub users: Gauge,
    /// Sessions that logged in since the start.
    pub connections_total: Counter,
    /// Opaque messages handed to sockets.
    pub custom: Counter,
    /// Sessions that ended, by reason.
    pub ends: LabeledCounters<SessionEndLabel>,
    /// Sessions that had to be closed because their mailbox was full.
    pub overflows: Counter,
    /// Clients that got no session, by reason.
    pub refused: LabeledCounters<SessionRefusalLabel>,
    /// Times that a client's socket was found full.
    pub blocked: Counter,
    changes: Vec<TopicMetrics>,
    custom_delivery: Histogram,
    debounce: Histogram,
    lateness: Histogram,
}

/// One topic.
#[derive(Debug)]
struct TopicMetrics {
    sent: Counter,
    delivery: Histogram,
}

/// The topic of opaque messages.
const CUSTOM: &str = "custom";

const DELIVERY_MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 150_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 15_000_000, 22_500_000, 60_000_000,
];
const LATENESS_MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];
// Nearly all wait exactly as long as the merge window, 100 ms: it has a narrow bucket of its own.
const DEBOUNCE_MICROS: &[u64] = &[
    1_000, 50_000, 99_000, 100_000, 150_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 15_000_000, 22_500_000, 60_000_000,
];

impl HubMetrics {
    /// Registers them; `topics` are the host's names of its kinds of change, in order.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(
        metrics: &MetricsRegistry,
        topics: &[&'static str],
    ) -> Result<Self, MetricsError> {
        const SENT: &str = "Messages handed to clients' sockets.";
        let sent = metrics.counter_family("messages_sent_total", SENT, ["topic"])?;
        const REFUSED: &str = "Clients that got no session.";
        const BLOCKED: &str = "Sockets found full: what is sent waits.";
        const DELIVERY: &str =
            "From reading the event to writing the message, for the first event in it.";
        const DEBOUNCE: &str = "The part of it that is meant: merge window, pace, push rate.";
        const LATENESS: &str = "The part of it that is not.";
        let delivery =
            metrics.histogram_family("delivery_seconds", DELIVERY, DELIVERY_MICROS, ["topic"])?;
        let notified = |topic: &&'static str| TopicMetrics {
            sent: sent.with([topic]),
            delivery: delivery.with([topic]),
        };
        Ok(Self {
            connections: metrics.gauge("connections", "Sessions logged in.")?,
            users: metrics.gauge("users", "Users with at least one session.")?,
            connections_total: metrics.counter("connections_total", "Sessions begun.")?,
            changes: topics.iter().map(notified).collect(),
            custom: sent.with([CUSTOM]),
            ends: metrics.counters("sessions_ended_total", "Sessions ended.", "reason")?,
            overflows: metrics.counter("mailbox_overflows_total", "Mailboxes found full.")?,
            refused: metrics.counters("sessions_refused_total", REFUSED, "reason")?,
            blocked: metrics.counter("sockets_blocked_total", BLOCKED)?,
            custom_delivery: delivery.with([CUSTOM]),
            debounce: metrics.histogram("debounce_seconds", DEBOUNCE, DEBOUNCE_MICROS)?,
            lateness: metrics.histogram("lateness_seconds", LATENESS, LATENESS_MICROS)?,
        })
    }

    /// A change of this topic has been handed to `sessions` sockets, so long after its event
    /// arrived, of which `late` was not meant.
    pub fn notified(&self, topic: TopicId, sessions: u64, after: Duration, late: Duration) {
        if let Some(notified) = self.changes.get(topic.index()) {
            notified.sent.add(sessions);
            notified.delivery.observe_many(after, sessions);
        }
        self.debounce.observe_many(after.saturating_sub(late), sessions);
        self.lateness.observe_many(late, sessions);
    }

    /// How many messages of this topic have been handed to sockets.
    pub fn sent_count(&self, topic: TopicId) -> u64 {
        self.changes.get(topic.index()).map_or(0, |notified| notified.sent.get())
    }

    /// An opaque message was written to `sessions` sockets so long after its event arrived: all of
    /// it is late, as such messages don't wait.
    pub fn delivered(&self, after: Duration, sessions: u64) {
        self.custom.add(sessions);
        self.custom_delivery.observe_many(after, sessions);
        self.lateness.observe_many(after, sessions);
    }
}

//! What the hub and its sessions count.

use super::{
    hub::HubObserver,
    notice::TopicId,
    session::{CloseReason, NoticeLatency, RejectReason},
};
use crate::telemetry::metrics::{
    Counter, Gauge, Histogram, LabeledCounters, MetricsError, MetricsRegistry, label::labels,
};
use std::time::Duration;
use tokio::time::Instant;

labels! {
    /// Why a session ended.
    pub SessionEndLabel {
        /// The client closed the connection.
        Client = "client",
        /// The connection broke or was reset.
        Lost = "lost",
        /// The client didn't answer a ping.
        Silent = "silent",
        /// The client didn't read, or read too slowly.
        Slow = "slow",
        /// The client broke the rules of WebSocket or sent too much.
        Protocol = "protocol",
        /// `MAX_CONNECTION_TIME` was over.
        Expired = "expired",
        /// Its login is no longer valid, or an operator revoked it.
        Revoked = "revoked",
        /// Nextcloud sent `notify_signal: reset`.
        Reset = "reset",
        /// A newer connection took its place.
        Replaced = "replaced",
        /// The client asked for more than a session may have.
        LimitExceeded = "limit_exceeded",
        /// The daemon is shutting down.
        Shutdown = "shutdown",
        /// An error of the daemon.
        Internal = "internal",
    }
}

labels! {
    /// Why a logged-in client got no session.
    pub SessionRefusalLabel {
        /// The service has as many clients as it may (`MAX_CONNECTIONS`).
        Full = "full",
        /// The user has as many sessions as one user may.
        TooMany = "too_many",
        /// The daemon is shutting down.
        Stopping = "stopping",
    }
}

/// The counters of one hub.
#[derive(Debug)]
pub struct HubMetrics {
    /// Sessions of logged-in clients.
    pub connections: Gauge,
    /// Users with at least one session.
    pub users: Gauge,
    /// Sessions since the start.
    pub connections_total: Counter,
    /// Opaque messages written to sockets.
    pub custom: Counter,
    /// Sessions that ended, by reason.
    pub ends: LabeledCounters<SessionEndLabel>,
    /// Sessions that were closed because their client was too slow.
    pub overflows: Counter,
    /// Clients that got no session, by reason.
    pub refused: LabeledCounters<SessionRefusalLabel>,
    /// How often a client's socket was found full.
    pub blocked: Counter,
    changes: Vec<TopicMetrics>,
    custom_delivery: Histogram,
    debounce: Histogram,
    lateness: Histogram,
}

/// Counters for one kind of change.
#[derive(Debug)]
struct TopicMetrics {
    sent: Counter,
    delivery: Histogram,
}

/// Label of opaque messages.
const CUSTOM: &str = "custom";

const DELIVERY_MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 150_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 15_000_000, 22_500_000, 60_000_000,
];
const LATENESS_MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];
// Nearly all wait for exactly the merge window, 100 ms, which has a narrow bucket of its own.
const DEBOUNCE_MICROS: &[u64] = &[
    1_000, 50_000, 99_000, 100_000, 150_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 15_000_000, 22_500_000, 60_000_000,
];

impl HubMetrics {
    /// Registers the counters; `topics` are the names of the service's kinds of change, in order.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is already registered.
    pub fn register(
        metrics: &MetricsRegistry,
        topics: &[&'static str],
    ) -> Result<Self, MetricsError> {
        const SENT: &str = "Messages written to clients' sockets.";
        let sent = metrics.counter_family("messages_sent_total", SENT, ["topic"])?;
        const REFUSED: &str = "Logged-in clients refused.";
        const BLOCKED: &str = "Times that a client's socket was full.";
        const DELIVERY: &str =
            "Time from reading the first event in a message to writing the message.";
        const OVERFLOWS: &str = "Sessions closed because their client was too slow.";
        const DEBOUNCE: &str =
            "The intended part of the delivery time: merge window, debounce, push rate.";
        const LATENESS: &str = "The unintended part of the delivery time.";
        let delivery =
            metrics.histogram_family("delivery_seconds", DELIVERY, DELIVERY_MICROS, ["topic"])?;
        let notified = |topic: &&'static str| TopicMetrics {
            sent: sent.with([topic]),
            delivery: delivery.with([topic]),
        };
        Ok(Self {
            connections: metrics.gauge("connections", "Sessions of logged-in clients.")?,
            users: metrics.gauge("users", "Users with at least one session.")?,
            connections_total: metrics.counter("connections_total", "Sessions since the start.")?,
            changes: topics.iter().map(notified).collect(),
            custom: sent.with([CUSTOM]),
            ends: metrics.counters(
                "sessions_ended_total",
                "Sessions ended, by reason.",
                "reason",
            )?,
            overflows: metrics.counter("pending_notices_overflows_total", OVERFLOWS)?,
            refused: metrics.counters("sessions_refused_total", REFUSED, "reason")?,
            blocked: metrics.counter("sockets_blocked_total", BLOCKED)?,
            custom_delivery: delivery.with([CUSTOM]),
            debounce: metrics.histogram("debounce_seconds", DEBOUNCE, DEBOUNCE_MICROS)?,
            lateness: metrics.histogram("lateness_seconds", LATENESS, LATENESS_MICROS)?,
        })
    }

    /// A change of this topic was written to the sockets of `clients`, `after` its event arrived;
    /// `late` is the unintended part of that time.
    pub fn notified(&self, topic: TopicId, clients: u64, after: Duration, late: Duration) {
        if let Some(counters) = self.changes.get(topic.index()) {
            counters.sent.add(clients);
            counters.delivery.observe_many(after, clients);
        }
        self.debounce.observe_many(after.saturating_sub(late), clients);
        self.lateness.observe_many(late, clients);
    }

    /// An opaque message was written to the sockets of `clients`, `after` its event arrived. Such
    /// messages don't wait, so all of that time counts as late.
    pub fn delivered(&self, after: Duration, clients: u64) {
        self.custom.add(clients);
        self.custom_delivery.observe_many(after, clients);
        self.lateness.observe_many(after, clients);
    }

    /// How many messages of this topic were written to sockets.
    pub fn sent_count(&self, topic: TopicId) -> u64 {
        self.changes.get(topic.index()).map_or(0, |counters| counters.sent.get())
    }
}

impl HubObserver for HubMetrics {
    fn joined(&self) {
        self.connections.step(true);
        self.connections_total.inc();
    }

    fn presence(&self, here: bool) {
        self.users.step(here);
    }

    fn left(&self, close: CloseReason) {
        self.connections.step(false);
        if close == CloseReason::Slow {
            self.overflows.inc();
        }
        self.ends.inc(end_label(close));
    }

    fn refused(&self, why: RejectReason) {
        self.refused.inc(match why {
            RejectReason::TooMany => SessionRefusalLabel::TooMany,
            _ => SessionRefusalLabel::Stopping,
        });
    }

    fn blocked(&self) {
        self.blocked.inc();
    }

    fn notified(&self, topic: TopicId, latency: NoticeLatency, clients: u64) {
        let [after, late] = [latency.since, latency.late].map(Duration::from_millis);
        HubMetrics::notified(self, topic, clients, after, late);
    }

    fn opaque_sent(&self, clients: u64, at: Instant) {
        self.delivered(at.elapsed(), clients);
    }
}

fn end_label(close: CloseReason) -> SessionEndLabel {
    match close {
        CloseReason::ClosedByClient(_) => SessionEndLabel::Client,
        CloseReason::Protocol(_) => SessionEndLabel::Protocol,
        CloseReason::Lost => SessionEndLabel::Lost,
        CloseReason::Silent => SessionEndLabel::Silent,
        CloseReason::Slow => SessionEndLabel::Slow,
        CloseReason::Expired => SessionEndLabel::Expired,
        CloseReason::Reset => SessionEndLabel::Reset,
        CloseReason::Revoked => SessionEndLabel::Revoked,
        CloseReason::Replaced => SessionEndLabel::Replaced,
        CloseReason::LimitExceeded => SessionEndLabel::LimitExceeded,
        CloseReason::Shutdown => SessionEndLabel::Shutdown,
    }
}

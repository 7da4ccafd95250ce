//! Metrics of the listeners.

use super::observer::{ConnectionObserver, RefusalReason};
use crate::telemetry::metrics::{
    Counter, Gauge, LabeledCounters, MetricsError, MetricsRegistry, label::labels,
};

labels! {
    /// Why a connection was closed before its first request.
    pub ConnectionRefusalLabel {
        /// Too many connections that haven't logged in.
        UnauthenticatedLimit = "unauthenticated_limit",
        /// Too many of them from one address.
        Address = "address",
        /// The oldest silent one, evicted for a new connection.
        Evicted = "evicted",
        /// It began without a PROXY protocol header from a trusted proxy.
        NoProxyHeader = "no_proxy_header",
    }
}

labels! {
    /// First digit of an HTTP answer's status.
    StatusClassLabel {
        /// 101: upgraded to WebSocket.
        Upgraded = "1xx",
        /// 200 and on.
        Ok = "2xx",
        /// 300 and on.
        Redirection = "3xx",
        /// 400 and on: an error of the client.
        Client = "4xx",
        /// 500 and on: an error of the daemon.
        Server = "5xx",
    }
}

/// The metrics of all listeners.
#[derive(Debug)]
pub struct ServerMetrics {
    /// The number of accepted connections.
    pub accepted: Counter,
    /// Connections closed at once, by reason.
    pub refused: LabeledCounters<ConnectionRefusalLabel>,
    /// Connections that haven't logged in; each holds a guard until it does.
    pub unauthenticated_connections: Gauge,
    /// Failed `accept` calls, such as with no file descriptor left.
    pub accept_errors: Counter,
    /// TLS handshakes that failed or took too long.
    pub tls_errors: Counter,
    answers: LabeledCounters<StatusClassLabel>,
}

impl ServerMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(metrics: &MetricsRegistry) -> Result<Self, MetricsError> {
        const ANSWERS: &str = "HTTP requests answered.";
        const REFUSED: &str = "Connections refused at once.";
        Ok(Self {
            accepted: metrics.counter("connections_accepted_total", "Connections accepted.")?,
            refused: metrics.counters("connections_refused_total", REFUSED, "reason")?,
            unauthenticated_connections: metrics
                .gauge("unauthenticated_connections", "Connections not logged in.")?,
            accept_errors: metrics.counter("accept_errors_total", "Failed accepts.")?,
            tls_errors: metrics.counter("tls_errors_total", "TLS handshakes that failed.")?,
            answers: metrics.counters("http_requests_total", ANSWERS, "status")?,
        })
    }

    /// Counts a response with this status.
    pub fn answered(&self, status: http::StatusCode) {
        self.answers.inc(match status.as_u16() / 100 {
            1 => StatusClassLabel::Upgraded,
            2 => StatusClassLabel::Ok,
            3 => StatusClassLabel::Redirection,
            4 => StatusClassLabel::Client,
            _ => StatusClassLabel::Server,
        });
    }
}

impl ConnectionObserver for ServerMetrics {
    fn accepted(&self) {
        self.accepted.inc();
    }

    fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    fn refused(&self, why: RefusalReason) {
        self.refused.inc(match why {
            RefusalReason::TotalLimit => ConnectionRefusalLabel::UnauthenticatedLimit,
            RefusalReason::PerAddressLimit => ConnectionRefusalLabel::Address,
            RefusalReason::Evicted => ConnectionRefusalLabel::Evicted,
            RefusalReason::NoProxyHeader => ConnectionRefusalLabel::NoProxyHeader,
        });
    }

    fn pre_auth_connection(&self, here: bool) {
        self.unauthenticated_connections.step(here);
    }

    fn handshake_failed(&self) {
        self.tls_errors.inc();
    }

    fn answered(&self, status: http::StatusCode) {
        ServerMetrics::answered(self, status);
    }
}

#[cfg(test)]
mod tests {
    use super::{MetricsRegistry, ServerMetrics};
    use http::StatusCode;

    #[test]
    fn answers_are_counted_by_class() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let front = ServerMetrics::register(&metrics).unwrap();
        front.answered(StatusCode::SWITCHING_PROTOCOLS);
        front.answered(StatusCode::NOT_FOUND);
        front.answered(StatusCode::METHOD_NOT_ALLOWED);
        let text = MetricsRegistry::text(&[metrics]).unwrap();
        for line in ["{status=\"1xx\"} 1\n", "{status=\"2xx\"} 0\n", "{status=\"4xx\"} 2\n"] {
            assert!(text.contains(line), "{text}");
        }
    }
}

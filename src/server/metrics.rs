//! What the listeners count.

use crate::telemetry::metrics::{Counter, Counters, Gauge, Metrics, MetricsError, label::labels};

labels! {
    /// Why a connection was closed before anybody read from it.
    pub Refusal {
        /// Too many connections that haven't logged in.
        Strangers = "strangers",
        /// Too many of them from one address.
        Address = "address",
        /// It said nothing for longest when too many had come.
        Evicted = "evicted",
        /// No trusted proxy introduced it with the PROXY protocol.
        Unintroduced = "unintroduced",
    }
}

labels! {
    /// First digit of an HTTP answer's status.
    StatusClass {
        /// 101: upgraded to WebSocket.
        Upgraded = "1xx",
        /// 200 and on.
        Ok = "2xx",
        /// 300 and on.
        Elsewhere = "3xx",
        /// 400 and on: the client's fault.
        Client = "4xx",
        /// 500 and on: ours.
        Server = "5xx",
    }
}

/// Held by the listeners.
#[derive(Debug)]
pub struct FrontMetrics {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections closed at once, by reason.
    pub refused: Counters<Refusal>,
    /// Connections that haven't logged in; each holds a guard until it does.
    pub strangers: Gauge,
    /// Failed `accept` calls, such as with no file descriptor left.
    pub accept_errors: Counter,
    /// TLS handshakes that failed or took too long.
    pub tls_errors: Counter,
    answers: Counters<StatusClass>,
}

impl FrontMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        const ANSWERS: &str = "HTTP requests answered.";
        const REFUSED: &str = "Connections refused at once.";
        Ok(Self {
            accepted: metrics.counter("accepted_total", "Connections accepted.")?,
            refused: metrics.counters("refused_total", REFUSED, "reason")?,
            strangers: metrics.gauge("strangers", "Connections not logged in.")?,
            accept_errors: metrics.counter("accept_errors_total", "Failed accepts.")?,
            tls_errors: metrics.counter("tls_errors_total", "TLS handshakes that failed.")?,
            answers: metrics.counters("http_requests_total", ANSWERS, "status")?,
        })
    }

    /// A request was answered with this status.
    pub fn answered(&self, status: http::StatusCode) {
        self.answers.inc(match status.as_u16() / 100 {
            1 => StatusClass::Upgraded,
            2 => StatusClass::Ok,
            3 => StatusClass::Elsewhere,
            4 => StatusClass::Client,
            _ => StatusClass::Server,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{FrontMetrics, Metrics};
    use http::StatusCode;

    #[test]
    fn answers_are_counted_by_class() {
        let metrics = Metrics::new(None).unwrap();
        let front = FrontMetrics::register(&metrics).unwrap();
        front.answered(StatusCode::SWITCHING_PROTOCOLS);
        front.answered(StatusCode::NOT_FOUND);
        front.answered(StatusCode::METHOD_NOT_ALLOWED);
        let text = Metrics::text(&[metrics]).unwrap();
        for line in ["{status=\"1xx\"} 1\n", "{status=\"2xx\"} 0\n", "{status=\"4xx\"} 2\n"] {
            assert!(text.contains(line), "{text}");
        }
    }
}

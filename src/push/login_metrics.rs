//! What the log-in chain counts.

use crate::telemetry::metrics::{
    Histogram, LabeledCounters, MetricLabel, MetricsError, MetricsRegistry, label::labels,
};
use std::time::Duration;

labels! {
    /// How a whole log-in ended, as the client heard it.
    pub LoginResultLabel {
        /// Let in.
        Accepted = "accepted",
        /// Wrong credentials.
        Rejected = "rejected",
        /// Nobody could decide, or there was no room in a queue: "try again later".
        Unavailable = "unavailable",
        /// Refused before anybody looked: too many failures.
        Throttled = "throttled",
        /// The client didn't say who it is in time.
        TimedOut = "timed_out",
        /// The client left before it was decided.
        Abandoned = "abandoned",
    }
}

labels! {
    /// What one authenticator said.
    pub AuthDecisionLabel {
        /// Yes.
        Accept = "accept",
        /// No.
        Reject = "reject",
        /// Not mine.
        Abstain = "abstain",
        /// Mine, but what I need isn't reachable.
        Unavailable = "unavailable",
    }
}

/// Held by the chain of authenticators.
#[derive(Debug)]
pub struct AuthMetrics {
    /// Log-ins that ended, by outcome.
    pub outcomes: LabeledCounters<LoginResultLabel>,
    methods: Vec<AuthMethodMetrics>,
}

#[derive(Debug)]
struct AuthMethodMetrics {
    name: &'static str,
    verdicts: LabeledCounters<AuthDecisionLabel>,
    duration: Histogram,
}

const CHECK_MICROS: &[u64] = &[
    100, 500, 1_000, 5_000, 25_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    30_000_000,
];

impl AuthMetrics {
    /// Registers them; `methods` are the names of the authenticators.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(
        metrics: &MetricsRegistry,
        methods: &[&'static str],
    ) -> Result<Self, MetricsError> {
        const VERDICTS: &str = "Answers of each authenticator.";
        const DURATIONS: &str = "Time each authenticator took, waiting included.";
        let outcomes = metrics.counters("logins_total", "Log-ins that ended.", "outcome")?;
        let verdicts =
            metrics.counter_family("login_checks_total", VERDICTS, ["method", "verdict"])?;
        let durations =
            metrics.histogram_family("login_check_seconds", DURATIONS, CHECK_MICROS, ["method"])?;
        let method = |name: &&'static str| AuthMethodMetrics {
            name,
            verdicts: LabeledCounters::new(|verdict: AuthDecisionLabel| {
                verdicts.with([name, verdict.text()])
            }),
            duration: durations.with([name]),
        };
        Ok(Self { outcomes, methods: methods.iter().map(method).collect() })
    }

    /// The authenticator of this name said so, and took that long. An unknown name isn't counted.
    pub fn checked(&self, method: &str, verdict: AuthDecisionLabel, took: Duration) {
        if let Some(method) = self.methods.iter().find(|known| known.name == method) {
            method.verdicts.inc(verdict);
            method.duration.observe(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthDecisionLabel, AuthMetrics, MetricsRegistry};
    use std::time::Duration;

    #[test]
    fn verdicts_and_durations_are_kept_by_method() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let auth = AuthMetrics::register(&metrics, &["ticket", "database"]).unwrap();
        auth.checked("database", AuthDecisionLabel::Abstain, Duration::from_millis(3));
        auth.checked("database", AuthDecisionLabel::Accept, Duration::from_millis(200));
        auth.checked("nobody", AuthDecisionLabel::Accept, Duration::ZERO);
        let text = MetricsRegistry::text(&[metrics]).unwrap();
        for line in [
            "notify_push_login_checks_total{method=\"database\",verdict=\"abstain\"} 1\n",
            "notify_push_login_checks_total{method=\"ticket\",verdict=\"accept\"} 0\n",
            "notify_push_login_check_seconds_bucket{method=\"database\",le=\"0.005\"} 1\n",
            "notify_push_login_check_seconds_bucket{method=\"database\",le=\"0.25\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
        assert!(!text.contains("nobody"));
    }
}

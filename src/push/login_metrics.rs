//! The counters and timings of logins.

use super::{AuthDecision, LoginResult};
use crate::telemetry::metrics::{
    Histogram, LabeledCounters, MetricLabel, MetricsError, MetricsRegistry,
};
use std::time::Duration;

/// Counts logins and the decisions of each authenticator.
#[derive(Debug)]
pub struct AuthMetrics {
    /// Logins that ended, by result.
    pub outcomes: LabeledCounters<LoginResult>,
    methods: Vec<AuthMethodMetrics>,
}

#[derive(Debug)]
struct AuthMethodMetrics {
    name: &'static str,
    verdicts: LabeledCounters<AuthDecision<()>>,
    duration: Histogram,
}

const CHECK_MICROS: &[u64] = &[
    100, 500, 1_000, 5_000, 25_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    30_000_000,
];

impl AuthMetrics {
    /// Registers the metrics; `methods` are the names of the authenticators.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is already taken.
    pub fn register(
        metrics: &MetricsRegistry,
        methods: &[&'static str],
    ) -> Result<Self, MetricsError> {
        const VERDICTS: &str = "Decisions of each authenticator.";
        const DURATIONS: &str = "Time each authenticator took, including its queue.";
        let outcomes = metrics.counters("logins_total", "Logins that ended.", "outcome")?;
        let verdicts =
            metrics.counter_family("login_checks_total", VERDICTS, ["method", "verdict"])?;
        let durations =
            metrics.histogram_family("login_check_seconds", DURATIONS, CHECK_MICROS, ["method"])?;
        let method = |name: &&'static str| AuthMethodMetrics {
            name,
            verdicts: LabeledCounters::new(|verdict: AuthDecision<()>| {
                verdicts.with([name, verdict.text()])
            }),
            duration: durations.with([name]),
        };
        Ok(Self { outcomes, methods: methods.iter().map(method).collect() })
    }

    /// Counts a decision of the authenticator with this name; an unknown name isn't counted.
    pub fn checked(&self, method: &str, verdict: AuthDecision<()>, took: Duration) {
        if let Some(method) = self.methods.iter().find(|known| known.name == method) {
            method.verdicts.inc(verdict);
            method.duration.observe(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthDecision, AuthMetrics, MetricsRegistry};
    use std::time::Duration;

    #[test]
    fn decisions_and_durations_are_counted_by_method() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let auth = AuthMetrics::register(&metrics, &["ticket", "database"]).unwrap();
        auth.checked("database", AuthDecision::Abstain, Duration::from_millis(3));
        auth.checked("database", AuthDecision::Accept(()), Duration::from_millis(200));
        auth.checked("unknown", AuthDecision::Accept(()), Duration::ZERO);
        let text = MetricsRegistry::text(&[metrics]).unwrap();
        for line in [
            "notify_push_login_checks_total{method=\"database\",verdict=\"abstain\"} 1\n",
            "notify_push_login_checks_total{method=\"ticket\",verdict=\"accept\"} 0\n",
            "notify_push_login_check_seconds_bucket{method=\"database\",le=\"0.005\"} 1\n",
            "notify_push_login_check_seconds_bucket{method=\"database\",le=\"0.25\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
        assert!(!text.contains("unknown"));
    }
}

//! Metrics of admissions and messages.

use crate::{
    push::{AuthMetrics, LoginResult},
    services::webhook::{
        admission::{AdmissionError, AdmissionObserver},
        rest::PushCounters,
    },
    telemetry::metrics::{MetricsError, MetricsRegistry},
};
use std::sync::Arc;

/// Counts the results of admissions.
pub(super) fn join_requests(metrics: &Arc<AuthMetrics>) -> AdmissionObserver {
    let metrics = Arc::clone(metrics);
    Arc::new(move |ended| {
        metrics.outcomes.inc(match ended {
            Ok(()) => LoginResult::Accepted(()),
            Err(AdmissionError::Malformed | AdmissionError::Unknown) => LoginResult::Rejected,
            Err(AdmissionError::TryLater | AdmissionError::Full) => LoginResult::Unavailable,
        });
    })
}

/// Counts accepted messages.
pub(super) fn message_counters(metrics: &MetricsRegistry) -> Result<PushCounters, MetricsError> {
    const HELP: &str = "Messages taken in, from back ends and over private URLs.";
    let family = metrics.counter_family("webhook_messages_total", HELP, ["from"])?;
    let (pushes, hooks) = (family.with(["push"]), family.with(["hook"]));
    Ok(PushCounters {
        pushes: Box::new(move || pushes.inc()),
        hooks: Box::new(move || hooks.inc()),
    })
}

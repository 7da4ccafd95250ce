//! What clients and back ends do, turned into numbers.

use crate::{
    services::{
        nextcloud::login::{AuthMetrics, LoginOutcome},
        webhook::{
            door::{Observe, Refused},
            rest::Counts,
        },
    },
    telemetry::metrics::{Metrics, MetricsError},
};
use std::sync::Arc;

/// Counts how clients fare at the door.
pub(super) fn entrances(metrics: &Arc<AuthMetrics>) -> Observe {
    let metrics = Arc::clone(metrics);
    Arc::new(move |ended| {
        metrics.outcomes.inc(match ended {
            Ok(()) => LoginOutcome::Accepted,
            Err(Refused::Malformed | Refused::Unknown) => LoginOutcome::Rejected,
            Err(Refused::Throttled) => LoginOutcome::Throttled,
            Err(Refused::TryLater | Refused::Full) => LoginOutcome::Unavailable,
        });
    })
}

/// Counts messages that are taken in.
pub(super) fn taken_in(metrics: &Metrics) -> Result<Counts, MetricsError> {
    const HELP: &str = "Messages taken in, from back ends and over private URLs.";
    let family = metrics.counter_family("webhook_messages_total", HELP, ["from"])?;
    let (pushes, hooks) = (family.with(["push"]), family.with(["hook"]));
    Ok(Counts { pushes: Box::new(move || pushes.inc()), hooks: Box::new(move || hooks.inc()) })
}

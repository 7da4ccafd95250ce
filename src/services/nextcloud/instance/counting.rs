//! What log-ins and the database report, turned into numbers.

use crate::{
    client::{
        database,
        database::{Query, StoreError, StoreMetrics},
    },
    services::nextcloud::login::{
        AuthMetrics, CheckVerdict, Ending, LoginOutcome, Observation, Said,
    },
};
use std::sync::Arc;

/// Counts what each authenticator says.
pub(super) fn checks(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(Observation) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |Observation { method, said, took }| {
        let verdict = match said {
            Said::Accept => CheckVerdict::Accept,
            Said::Reject => CheckVerdict::Reject,
            Said::Abstain => CheckVerdict::Abstain,
            Said::Unavailable => CheckVerdict::Unavailable,
        };
        metrics.checked(method, verdict, took);
    })
}

/// Counts how log-ins end.
pub(super) fn log_ins(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(Ending) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |ending| {
        metrics.outcomes.inc(match ending {
            Ending::Accepted => LoginOutcome::Accepted,
            Ending::Refused => LoginOutcome::Rejected,
            Ending::TryLater => LoginOutcome::Unavailable,
            Ending::Throttled => LoginOutcome::Throttled,
            Ending::TimedOut => LoginOutcome::TimedOut,
            Ending::Abandoned => LoginOutcome::Abandoned,
        });
    })
}

/// Counts how queries end.
pub(super) fn queries(metrics: &Arc<StoreMetrics>) -> database::Observe {
    let metrics = Arc::clone(metrics);
    Box::new(move |outcome, took| {
        let how = match outcome {
            Ok(()) => Query::Answered,
            Err(StoreError::Unavailable(_)) => Query::Unavailable,
            Err(_) => Query::Refused,
        };
        metrics.ended(how, took);
    })
}

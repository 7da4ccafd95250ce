//! What log-ins and the database report, turned into numbers.

use crate::{
    client::{
        database,
        database::{DatabaseClientError, DatabaseMetrics, QueryResultLabel},
    },
    push::{AuthDecisionLabel, AuthMetrics, LoginResultLabel},
    services::nextcloud::login::{AuthObservation, LoginResult, VerdictKind},
};
use std::sync::Arc;

/// Counts what each authenticator says.
pub(super) fn checks(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(AuthObservation) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |AuthObservation { method, said, took }| {
        let verdict = match said {
            VerdictKind::Accept => AuthDecisionLabel::Accept,
            VerdictKind::Reject => AuthDecisionLabel::Reject,
            VerdictKind::Abstain => AuthDecisionLabel::Abstain,
            VerdictKind::Unavailable => AuthDecisionLabel::Unavailable,
        };
        metrics.checked(method, verdict, took);
    })
}

/// Counts how log-ins end.
pub(super) fn logins(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(LoginResult) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |ending| {
        metrics.outcomes.inc(match ending {
            LoginResult::Accepted => LoginResultLabel::Accepted,
            LoginResult::Refused => LoginResultLabel::Rejected,
            LoginResult::TryLater => LoginResultLabel::Unavailable,
            LoginResult::Throttled => LoginResultLabel::Throttled,
            LoginResult::TimedOut => LoginResultLabel::TimedOut,
            LoginResult::Abandoned => LoginResultLabel::Abandoned,
        });
    })
}

/// Counts how queries end.
pub(super) fn queries(metrics: &Arc<DatabaseMetrics>) -> database::QueryObserver {
    let metrics = Arc::clone(metrics);
    Box::new(move |outcome, took| {
        let how = match outcome {
            Ok(()) => QueryResultLabel::Answered,
            Err(DatabaseClientError::Unavailable(_)) => QueryResultLabel::Unavailable,
            Err(_) => QueryResultLabel::Refused,
        };
        metrics.ended(how, took);
    })
}

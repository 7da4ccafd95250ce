//! Counts the results of logins and queries.

use crate::{
    client::{
        database,
        database::{DatabaseClientError, DatabaseMetrics, QueryResultLabel},
    },
    push::{AuthMetrics, LoginResult},
    services::nextcloud::login::AuthObservation,
};
use std::sync::Arc;

/// Counts the decisions of each authenticator.
pub(super) fn checks(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(AuthObservation) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |AuthObservation { method, decision, took }| {
        metrics.checked(method, decision, took);
    })
}

/// Counts the results of logins.
pub(super) fn logins(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(LoginResult) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |result| metrics.outcomes.inc(result))
}

/// Counts the results of queries.
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

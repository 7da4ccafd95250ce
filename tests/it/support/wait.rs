//! Waiting for conditions, never for time.

use std::time::Duration;

/// How long anything may take before a test gives up: far more than it needs, because machines differ.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, asking(ask)).await
}

/// The same for what is promised within a time of its own.
pub(crate) async fn until_promised<T>(
    promise: Duration,
    what: &str,
    ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let answer = tokio::time::timeout(promise, asking(ask)).await;
    answer.unwrap_or_else(|_| panic!("waited the promised {promise:?} in vain: {what}"))
}

async fn asking<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
}

/// The outcome of a future that is expected to be done soon.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

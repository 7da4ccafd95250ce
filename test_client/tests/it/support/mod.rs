//! Small real servers, and the probe as a process.

pub(crate) mod probe;
pub(crate) mod push;
pub(crate) mod web;

use std::{future::Future, time::Duration};
use tokio::task::JoinHandle;

/// Far more than anything needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The outcome of something that is expected to be done soon.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

/// A task that ends with the test that holds it.
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    #[expect(clippy::disallowed_methods, reason = "a test has no lifecycle::Tasks")]
    pub(crate) fn start(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

//! Carries out the messages that concern the daemon itself: tickets, log filter, metrics, test cookie.

use super::{CompatSnapshot, channels::NextcloudCommand, login::ticket::TicketStore};
use crate::{
    client::redis::RedisClient, lifecycle::TaskGroup, services::ServiceMetrics,
    telemetry::log::LogControl,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::time::Instant;

/// The key that `occ notify_push:metrics` reads.
const METRICS_KEY: &str = "notify_push_metrics";

/// The last number received on `notify_test_cookie`; `/test/cookie` answers it.
#[derive(Debug, Clone, Default)]
pub struct TestCookie(Arc<AtomicU64>);

impl TestCookie {
    /// The number; 0 before the first one.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Stores a newly received number.
    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}

/// What the commands work on.
pub struct NextcloudEventHandler {
    /// Receives the tickets.
    pub tickets: TicketStore,
    /// Receives the test cookies.
    pub cookie: TestCookie,
    /// Changes the log filter.
    pub log: LogControl,
    /// Receives the metrics; without Redis there is no query for them.
    pub keys: Option<Arc<RedisClient>>,
    /// The metrics to publish.
    pub observers: ServiceMetrics,
    /// Runs the task that writes the metrics.
    pub tasks: TaskGroup,
    /// Only one report at a time: a second query meanwhile gets the same numbers.
    pub reporting: Arc<AtomicBool>,
}

impl NextcloudEventHandler {
    /// Carries out a command without blocking.
    pub fn execute(&self, command: NextcloudCommand) {
        match command {
            NextcloudCommand::Ticket(user, token) => {
                self.tickets.issue(user, &token, Instant::now())
            }
            NextcloudCommand::Cookie(number) => self.cookie.set(number),
            NextcloudCommand::SetLog(filter) => match self.log.set(&filter) {
                Ok(()) => tracing::info!(filter, "log filter set over Redis"),
                Err(error) => tracing::warn!("log filter from Redis not set: {error}"),
            },
            NextcloudCommand::RestoreLog => {
                // Logged before: the configured filter may hide it.
                tracing::info!("log filter restored over Redis");
                self.log.restore();
            }
            NextcloudCommand::ReportMetrics => self.report(),
        }
    }

    fn report(&self) {
        let Some(keys) = self.keys.clone() else { return };
        if self.reporting.swap(true, Ordering::AcqRel) {
            return;
        }
        let (json, reporting) =
            (CompatSnapshot::from(&self.observers).json(), Arc::clone(&self.reporting));
        self.tasks.spawn(async move {
            if let Err(error) = keys.set(METRICS_KEY, json).await {
                tracing::warn!("metrics not written to Redis: {error}");
            }
            reporting.store(false, Ordering::Release);
        });
    }
}

//! Nextcloud as a host: understands its messages and carries out what only it asks for.

use super::{CompatSnapshot, channels, channels::NextcloudCommand};
use crate::{
    client::{SourceMessage, redis::RedisClient},
    lifecycle::TaskGroup,
    services::{
        ServiceMetrics,
        nextcloud::{
            event::ServiceEvent,
            login::ticket::TicketStore,
            message_handler::{MessageHandler, UndecodableMessage},
        },
    },
    telemetry::log::LogControl,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::time::Instant;

/// The key that `occ notify_push:metrics` reads.
const METRICS_KEY: &str = "notify_push_metrics";

/// The last number heard on `notify_test_cookie`; `/test/cookie` answers it.
#[derive(Debug, Clone, Default)]
pub struct TestCookie(Arc<AtomicU64>);

impl TestCookie {
    /// The number; 0 before any was heard.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Remembers a number.
    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}

/// What the host's orders work on.
pub struct NextcloudEventHandler {
    /// Where tickets go.
    pub tickets: TicketStore,
    /// Where test cookies go.
    pub cookie: TestCookie,
    /// The log filter.
    pub log: LogControl,
    /// Where the metrics go; without Redis nobody asks for them.
    pub keys: Option<Arc<RedisClient>>,
    /// The metrics.
    pub observers: ServiceMetrics,
    /// Where reports are written.
    pub tasks: TaskGroup,
    /// One report at a time: a second request meanwhile gets the same numbers.
    pub reporting: Arc<AtomicBool>,
}

impl MessageHandler for NextcloudEventHandler {
    type Order = NextcloudCommand;

    fn decode(
        &self,
        message: &SourceMessage,
    ) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
        channels::decode(message)
    }

    fn execute(&self, order: NextcloudCommand) {
        match order {
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
}

impl NextcloudEventHandler {
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

//! Nextcloud as a host: understands its messages and carries out what only it asks for.

use super::channels::{self, Order};
use crate::{
    client::{Message, redis::Keys},
    lifecycle::Tasks,
    services::{
        Observers,
        nextcloud::{
            decoder::{Host, Malformed},
            event::Event,
            login::ticket::Tickets,
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
pub struct Cookie(Arc<AtomicU64>);

impl Cookie {
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
pub struct Nextcloud {
    /// Where tickets go.
    pub tickets: Tickets,
    /// Where test cookies go.
    pub cookie: Cookie,
    /// The log filter.
    pub log: LogControl,
    /// Where the metrics go; without Redis nobody asks for them.
    pub keys: Option<Arc<Keys>>,
    /// The metrics.
    pub observers: Observers,
    /// Where reports are written.
    pub tasks: Tasks,
    /// One report at a time: a second request meanwhile gets the same numbers.
    pub reporting: Arc<AtomicBool>,
}

impl Host for Nextcloud {
    type Order = Order;

    fn decode(&self, message: &Message) -> Result<Event<Order>, Malformed> {
        channels::decode(message)
    }

    fn obey(&self, order: Order) {
        match order {
            Order::Ticket(user, token) => self.tickets.issue(user, &token, Instant::now()),
            Order::Cookie(number) => self.cookie.set(number),
            Order::SetLog(filter) => match self.log.set(&filter) {
                Ok(()) => tracing::info!(filter, "log filter set over Redis"),
                Err(error) => tracing::warn!("log filter from Redis not set: {error}"),
            },
            Order::RestoreLog => self.log.restore(),
            Order::ReportMetrics => self.report(),
        }
    }
}

impl Nextcloud {
    fn report(&self) {
        let Some(keys) = self.keys.clone() else { return };
        if self.reporting.swap(true, Ordering::AcqRel) {
            return;
        }
        let (json, reporting) = (self.observers.snapshot().json(), Arc::clone(&self.reporting));
        self.tasks.spawn(async move {
            if let Err(error) = keys.set(METRICS_KEY, json).await {
                tracing::warn!("metrics not written to Redis: {error}");
            }
            reporting.store(false, Ordering::Release);
        });
    }
}

//! The supervised subscription: it reconnects after every loss and reports each gap.

use super::{
    RedisClientError, RedisSettings, RedisTimeouts,
    connector::RedisConnector,
    listener::{ListenerExit, RedisListener},
};
use crate::{
    client::{
        LogLimiter, SourceBarrier, SourceEvent, backoff::ReconnectBackoff,
        source_barrier::BarrierQueue,
    },
    health::DependencyState,
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// The outage is logged at once, then once per interval, also when a connection comes and goes.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What to subscribe to, and where.
#[derive(Debug)]
pub struct RedisSubscription {
    /// The Redis to connect to.
    pub settings: RedisSettings,
    /// The channels' names; at least one.
    pub channels: &'static [&'static str],
    /// The timeouts of the connection.
    pub timeouts: RedisTimeouts,
    /// Randomness for the jitter and for the choice among several servers.
    pub rng: fastrand::Rng,
    /// Callers that wait for everything published before; `None` where there are none.
    pub barriers: Option<BarrierQueue>,
}

impl RedisSubscription {
    /// Listens until `stop` and reconnects after every loss. Messages go to `queue` in the order
    /// Redis sent them; while it is full nothing is read. [`SourceEvent::Gap`] precedes the messages
    /// of every subscription except one made by the very first attempt: clients that are already
    /// connected may have missed something. Returns early only when the queue's receiver is gone.
    pub async fn run(
        self,
        queue: mpsc::Sender<SourceEvent>,
        state: watch::Sender<DependencyState>,
        stop: CancellationToken,
    ) {
        let mut rng = self.rng;
        let supervisor = SubscriptionSupervisor {
            finder: RedisConnector::new(self.settings, self.timeouts, rng.fork()),
            channels: self.channels,
            timeouts: self.timeouts,
            backoff: ReconnectBackoff::new(rng),
            log_limiter: LogLimiter::new(LOG_INTERVAL),
            missed: false,
            queue,
            state,
        };
        let barriers = self.barriers.unwrap_or_else(|| SourceBarrier::new().1);
        stop.run_until_cancelled(supervisor.run(barriers)).await;
    }
}

struct SubscriptionSupervisor {
    finder: RedisConnector,
    channels: &'static [&'static str],
    timeouts: RedisTimeouts,
    backoff: ReconnectBackoff,
    log_limiter: LogLimiter<()>,
    /// Something may have been missed since the last subscription, or since the start.
    missed: bool,
    queue: mpsc::Sender<SourceEvent>,
    state: watch::Sender<DependencyState>,
}

impl SubscriptionSupervisor {
    async fn run(mut self, mut barriers: BarrierQueue) {
        while let ListenerExit::Lost(fault) = self.run_connection(&mut barriers).await {
            let wait = self.lost(&fault);
            sleep(wait).await;
        }
    }

    async fn run_connection(&mut self, barriers: &mut BarrierQueue) -> ListenerExit {
        let connection = match self.finder.connect().await {
            Ok(connection) => connection,
            Err(fault) => return fault.into(),
        };
        let at = connection.at.clone();
        let queue = self.queue.clone();
        barriers.restart();
        let mut listener =
            RedisListener::new(connection, &self.timeouts, self.channels, (&queue, barriers));
        if let Err(end) = listener.subscribe().await {
            return end;
        }
        if self.missed && queue.send(SourceEvent::Gap).await.is_err() {
            return ListenerExit::QueueClosed;
        }
        self.connected(&at);
        tokio::select! {
            end = listener.listen() => end,
            fault = self.finder.wait_until_outdated(&at) => fault.into(),
        }
    }

    fn connected(&mut self, at: &super::RedisAddress) {
        let now = Instant::now();
        self.backoff.connected(now);
        match self.state.send_replace(DependencyState::Up { since: now }) {
            DependencyState::Down { since, .. } => tracing::info!(
                "subscribed to Redis at {at} again after {:.1} s; clients are asked to resync",
                now.saturating_duration_since(since).as_secs_f32()
            ),
            _ => tracing::info!("subscribed to Redis at {at}"),
        }
        self.missed = false;
    }

    /// Logs and publishes the loss; returns how long to wait before the next attempt.
    fn lost(&mut self, fault: &RedisClientError) -> Duration {
        let now = Instant::now();
        self.missed = true;
        if self.log_limiter.should_log((), now) {
            tracing::warn!("no messages from Redis: {fault}; reconnecting");
        } else {
            tracing::debug!("no messages from Redis: {fault}");
        }
        let since = match &*self.state.borrow() {
            DependencyState::Down { since, .. } => *since,
            _ => now,
        };
        self.state.send_replace(DependencyState::Down { since, why: fault.to_string().into() });
        self.backoff.wait(now)
    }
}

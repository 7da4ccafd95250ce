//! The supervised subscription: always either listening or on its way back, and never silent about a gap.

use super::{
    RedisClientError, RedisSettings, RedisTimeouts,
    connector::RedisConnector,
    listener::{ListenerExit, RedisListener},
};
use crate::client::{
    SourceEvent, SourceState, backoff::ReconnectBackoff, outage_log::OutageLogLimiter,
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// What to subscribe to, and where.
#[derive(Debug)]
pub struct RedisSubscription {
    /// Which Redis.
    pub settings: RedisSettings,
    /// The channels' names; at least one.
    pub channels: &'static [&'static str],
    /// How patient to be.
    pub timeouts: RedisTimeouts,
    /// Chance, for the jitter and for choosing among several servers.
    pub rng: fastrand::Rng,
}

impl RedisSubscription {
    /// Listens until `stop`, coming back after every loss. Messages go to `queue` in the order
    /// Redis sent them; while it is full nothing is read. [`SourceEvent::Gap`] follows every
    /// subscription but one made by the very first try: whoever was already connected may have
    /// missed something. Returns early only when the queue's reader is gone.
    pub async fn run(
        self,
        queue: mpsc::Sender<SourceEvent>,
        state: watch::Sender<SourceState>,
        stop: CancellationToken,
    ) {
        let mut rng = self.rng;
        let supervisor = SubscriptionSupervisor {
            finder: RedisConnector::new(self.settings, self.timeouts, rng.fork()),
            channels: self.channels,
            timeouts: self.timeouts,
            backoff: ReconnectBackoff::new(rng),
            outage: OutageLogLimiter::default(),
            missed: false,
            queue,
            state,
        };
        stop.run_until_cancelled(supervisor.run()).await;
    }
}

struct SubscriptionSupervisor {
    finder: RedisConnector,
    channels: &'static [&'static str],
    timeouts: RedisTimeouts,
    backoff: ReconnectBackoff,
    outage: OutageLogLimiter,
    /// Something may have been missed since the last subscription, or since the start.
    missed: bool,
    queue: mpsc::Sender<SourceEvent>,
    state: watch::Sender<SourceState>,
}

impl SubscriptionSupervisor {
    async fn run(mut self) {
        while let ListenerExit::Lost(fault) = self.run_connection().await {
            let wait = self.lost(&fault);
            sleep(wait).await;
        }
    }

    async fn run_connection(&mut self) -> ListenerExit {
        let wire = match self.finder.connect().await {
            Ok(wire) => wire,
            Err(fault) => return fault.into(),
        };
        let at = wire.at.clone();
        let queue = self.queue.clone();
        let mut listener = RedisListener::new(wire, &self.timeouts, self.channels, &queue);
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
        self.state.send_replace(SourceState::Connected { since: now });
        match self.outage.ended(now) {
            None => tracing::info!("listening to Redis at {at}"),
            Some(away) => tracing::info!(
                "listening to Redis at {at} again after {:.1} s; clients are told to look for changes",
                away.as_secs_f32()
            ),
        }
        self.missed = false;
    }

    /// Tells everyone concerned and says how long to wait before the next try.
    fn lost(&mut self, fault: &RedisClientError) -> Duration {
        let now = Instant::now();
        self.missed = true;
        if self.outage.should_log(now) {
            tracing::warn!("no messages from Redis: {fault}; trying again until it works");
        } else {
            tracing::debug!("no messages from Redis: {fault}");
        }
        let since = self.outage.since().unwrap_or(now);
        self.state.send_replace(SourceState::Away { since, why: fault.to_string().into() });
        self.backoff.wait(now)
    }
}

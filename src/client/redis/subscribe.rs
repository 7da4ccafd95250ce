//! The supervised subscription: always either listening or on its way back, and never silent about a gap.

use super::{
    Fault, Pace, RedisSettings,
    listener::{End, Listener},
    topology::Finder,
};
use crate::client::{Delivery, State, backoff::Backoff, complaint::Complaint};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// What to subscribe to, and where.
#[derive(Debug)]
pub struct Subscription {
    /// Which Redis.
    pub settings: RedisSettings,
    /// The channels' names; at least one.
    pub channels: &'static [&'static str],
    /// How patient to be.
    pub pace: Pace,
    /// Chance, for the jitter and for choosing among several servers.
    pub rng: fastrand::Rng,
}

impl Subscription {
    /// Listens until `stop`, coming back after every loss. Messages go to `queue` in the order
    /// Redis sent them; while it is full nothing is read. [`Delivery::Gap`] follows every
    /// subscription but one made by the very first try: whoever was already connected may have
    /// missed something. Returns early only when the queue's reader is gone.
    pub async fn run(
        self,
        queue: mpsc::Sender<Delivery>,
        state: watch::Sender<State>,
        stop: CancellationToken,
    ) {
        let mut rng = self.rng;
        let supervisor = Supervisor {
            finder: Finder::new(self.settings, self.pace, rng.fork()),
            channels: self.channels,
            pace: self.pace,
            backoff: Backoff::new(rng),
            trouble: Complaint::default(),
            missed: false,
            queue,
            state,
        };
        stop.run_until_cancelled(supervisor.run()).await;
    }
}

struct Supervisor {
    finder: Finder,
    channels: &'static [&'static str],
    pace: Pace,
    backoff: Backoff,
    trouble: Complaint,
    /// Something may have been missed since the last subscription, or since the start.
    missed: bool,
    queue: mpsc::Sender<Delivery>,
    state: watch::Sender<State>,
}

impl Supervisor {
    async fn run(mut self) {
        while let End::Lost(fault) = self.one_connection().await {
            let wait = self.lost(&fault);
            sleep(wait).await;
        }
    }

    async fn one_connection(&mut self) -> End {
        let wire = match self.finder.connect().await {
            Ok(wire) => wire,
            Err(fault) => return fault.into(),
        };
        let at = wire.at.clone();
        let queue = self.queue.clone();
        let mut listener = Listener::new(wire, &self.pace, self.channels, &queue);
        if let Err(end) = listener.subscribe().await {
            return end;
        }
        if self.missed && queue.send(Delivery::Gap).await.is_err() {
            return End::Unread;
        }
        self.connected(&at);
        tokio::select! {
            end = listener.listen() => end,
            fault = self.finder.outdated(&at) => fault.into(),
        }
    }

    fn connected(&mut self, at: &super::Address) {
        let now = Instant::now();
        self.backoff.connected(now);
        self.state.send_replace(State::Connected { since: now });
        match self.trouble.over(now) {
            None => tracing::info!("listening to Redis at {at}"),
            Some(away) => tracing::info!(
                "listening to Redis at {at} again after {:.1} s; clients are told to look for changes",
                away.as_secs_f32()
            ),
        }
        self.missed = false;
    }

    /// Tells everyone concerned and says how long to wait before the next try.
    fn lost(&mut self, fault: &Fault) -> Duration {
        let now = Instant::now();
        self.missed = true;
        if self.trouble.worth_a_line(now) {
            tracing::warn!("no messages from Redis: {fault}; trying again until it works");
        } else {
            tracing::debug!("no messages from Redis: {fault}");
        }
        let since = self.trouble.since().unwrap_or(now);
        self.state.send_replace(State::Away { since, why: fault.to_string().into() });
        self.backoff.wait(now)
    }
}

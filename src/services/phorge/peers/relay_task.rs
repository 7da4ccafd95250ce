//! The task of one peer: it sends one message after the other and retries while the peer is unreachable,
//! until the message is too old to matter.

use super::{
    LostRelayCounter, QueuedRelay,
    client::{PeerClient, PeerError},
};
use crate::{
    client::backoff::ReconnectBackoff,
    health::DependencyRecord,
    services::phorge::{fingerprint::ServerFingerprint, history::MAX_AGE},
    telemetry::metrics::Counter,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// Relays messages to one peer.
pub(super) struct PeerRelayTask {
    post: PeerClient,
    condition: Arc<DependencyRecord>,
    lost: Arc<LostRelayCounter>,
    own: ServerFingerprint,
    relayed: Counter,
    backoff: ReconnectBackoff,
    /// The peer's fingerprint in its last answer.
    known: Option<String>,
    /// Whether the last request reached it; None before the first one.
    reachable: Option<bool>,
}

impl PeerRelayTask {
    pub(super) fn new(
        post: PeerClient,
        condition: Arc<DependencyRecord>,
        lost: Arc<LostRelayCounter>,
        own: ServerFingerprint,
        relayed: Counter,
    ) -> Self {
        let backoff = ReconnectBackoff::new(fastrand::Rng::with_seed(0));
        Self { post, condition, lost, own, relayed, backoff, known: None, reachable: None }
    }

    pub(super) fn jittered(self, rng: fastrand::Rng) -> Self {
        Self { backoff: ReconnectBackoff::new(rng), ..self }
    }

    /// Runs until the queue is closed.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<QueuedRelay>) {
        self.check_silently().await;
        loop {
            let wait = match self.reachable {
                Some(true) => Duration::MAX,
                _ => self.backoff.wait(Instant::now()),
            };
            tokio::select! {
                waiting = queue.recv() => match waiting {
                    Some(waiting) => self.deliver(waiting).await,
                    None => return,
                },
                () = sleep(wait) => self.check_status().await,
            }
        }
    }

    /// The first check logs no failure: the peer may be this server, which doesn't listen yet, or start
    /// at the same time. The next check logs it.
    async fn check_silently(&mut self) {
        match self.post.check_status().await {
            Ok(()) => self.mark_reachable(),
            Err(error) => self.condition.failed(error.to_string(), Instant::now()),
        }
    }

    /// Checks whether the peer is reachable before the first message needs it.
    async fn check_status(&mut self) {
        match self.post.check_status().await {
            Ok(()) => self.mark_reachable(),
            Err(error) => self.mark_unreachable(&error),
        }
    }

    async fn deliver(&mut self, waiting: QueuedRelay) {
        while !self.already_handled(&waiting) {
            if waiting.since.elapsed() > MAX_AGE {
                return self.lost.count(
                    self.post.url(),
                    "unreachable for longer than the history holds messages",
                );
            }
            match self.post.relay(&waiting.relay).await {
                Ok(fingerprint) => {
                    self.learn(fingerprint);
                    self.relayed.inc();
                    return self.mark_reachable();
                }
                Err(error) if error.is_transient() => {
                    self.mark_unreachable(&error);
                    sleep(self.backoff.wait(Instant::now())).await;
                }
                Err(error) => {
                    self.condition.failed(error.to_string(), Instant::now());
                    return self.lost.count(self.post.url(), "rejected by the peer");
                }
            }
        }
    }

    /// Whether the peer has handled the message, or is this server.
    fn already_handled(&self, waiting: &QueuedRelay) -> bool {
        let Some(known) = &self.known else { return false };
        known == self.own.as_str() || waiting.relay.touched.contains(known)
    }

    fn learn(&mut self, fingerprint: Option<String>) {
        if fingerprint.is_some() && fingerprint != self.known {
            let ourselves = fingerprint.as_deref() == Some(self.own.as_str());
            tracing::debug!(peer = %self.post.url(), ourselves, "learned the fingerprint of a peer");
            self.known = fingerprint;
        }
    }

    fn mark_reachable(&mut self) {
        let now = Instant::now();
        if self.reachable.replace(true) != Some(true) {
            self.backoff.connected(now);
        }
        self.condition.succeeded(now);
        self.lost.recovered(self.post.url());
    }

    fn mark_unreachable(&mut self, error: &PeerError) {
        if self.reachable.replace(false) != Some(false) {
            let peer = super::display_address(self.post.url());
            tracing::warn!(peer, "peer unreachable: {error}");
        }
        self.condition.failed(error.to_string(), Instant::now());
    }
}

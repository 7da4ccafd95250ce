//! The task of one peer: one message after the other, again and again while the peer is away, and no
//! longer than a message is worth.

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

/// What the task knows of its peer.
pub(super) struct PeerRelayTask {
    post: PeerClient,
    condition: Arc<DependencyRecord>,
    lost: Arc<LostRelayCounter>,
    own: ServerFingerprint,
    relayed: Counter,
    backoff: ReconnectBackoff,
    /// What the peer called itself last.
    known: Option<String>,
    /// Whether it was there when it was last needed; before that nobody knows.
    there: Option<bool>,
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
        Self { post, condition, lost, own, relayed, backoff, known: None, there: None }
    }

    pub(super) fn jittered(self, rng: fastrand::Rng) -> Self {
        Self { backoff: ReconnectBackoff::new(rng), ..self }
    }

    /// Until the queue ends.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<QueuedRelay>) {
        self.check_silently().await;
        loop {
            let wait = match self.there {
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

    /// Says nothing when the peer isn't there: it may be ourselves, who don't listen yet, or one that is
    /// started together with us. The next check_status does.
    async fn check_silently(&mut self) {
        match self.post.check_status().await {
            Ok(()) => self.mark_reachable(),
            Err(trouble) => self.condition.failed(trouble.to_string(), Instant::now()),
        }
    }

    /// Whether the peer is there at all, so that it is known before the first message needs it.
    async fn check_status(&mut self) {
        match self.post.check_status().await {
            Ok(()) => self.mark_reachable(),
            Err(trouble) => self.mark_unreachable(&trouble),
        }
    }

    async fn deliver(&mut self, waiting: QueuedRelay) {
        while !self.already_handled(&waiting) {
            if waiting.since.elapsed() > MAX_AGE {
                return self.lost.one(self.post.url(), "it is away for longer than they are held");
            }
            match self.post.relay(&waiting.relay).await {
                Ok(fingerprint) => {
                    self.learn(fingerprint);
                    self.relayed.inc();
                    return self.mark_reachable();
                }
                Err(trouble) if trouble.is_transient() => {
                    self.mark_unreachable(&trouble);
                    sleep(self.backoff.wait(Instant::now())).await;
                }
                Err(trouble) => {
                    self.condition.failed(trouble.to_string(), Instant::now());
                    return self.lost.one(self.post.url(), "it refuses them");
                }
            }
        }
    }

    /// Whether it has handled the message before, or is ourselves.
    fn already_handled(&self, waiting: &QueuedRelay) -> bool {
        let Some(known) = &self.known else { return false };
        known == self.own.as_str() || waiting.relay.touched.contains(known)
    }

    fn learn(&mut self, fingerprint: Option<String>) {
        if fingerprint.is_some() && fingerprint != self.known {
            let ourselves = fingerprint.as_deref() == Some(self.own.as_str());
            tracing::debug!(peer = %self.post.url(), ourselves, "a peer is known");
            self.known = fingerprint;
        }
    }

    fn mark_reachable(&mut self) {
        let now = Instant::now();
        if self.there.replace(true) != Some(true) {
            self.backoff.connected(now);
        }
        self.condition.succeeded(now);
        self.lost.recovered(self.post.url());
    }

    fn mark_unreachable(&mut self, trouble: &PeerError) {
        if self.there.replace(false) != Some(false) {
            let peer = super::shown(self.post.url());
            tracing::warn!(peer, "a peer can't be told: {trouble}");
        }
        self.condition.failed(trouble.to_string(), Instant::now());
    }
}

//! The task of one peer: one message after the other, again and again while the peer is away, and no
//! longer than a message is worth.

use super::{
    Lost, Waiting,
    post::{Post, Trouble},
};
use crate::{
    client::backoff::Backoff,
    health::Record,
    services::phorge::{fingerprint::Fingerprint, history::MAX_AGE},
    telemetry::metrics::Counter,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// What the task knows of its peer.
pub(super) struct Line {
    post: Post,
    condition: Arc<Record>,
    lost: Arc<Lost>,
    own: Fingerprint,
    relayed: Counter,
    backoff: Backoff,
    /// What the peer called itself last.
    known: Option<String>,
    /// Whether it was there when it was last needed; before that nobody knows.
    there: Option<bool>,
}

impl Line {
    pub(super) fn new(
        post: Post,
        condition: Arc<Record>,
        lost: Arc<Lost>,
        own: Fingerprint,
        relayed: Counter,
    ) -> Self {
        let backoff = Backoff::new(fastrand::Rng::with_seed(0));
        Self { post, condition, lost, own, relayed, backoff, known: None, there: None }
    }

    pub(super) fn jittered(self, rng: fastrand::Rng) -> Self {
        Self { backoff: Backoff::new(rng), ..self }
    }

    /// Until the queue ends.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Waiting>) {
        self.first_look().await;
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
                () = sleep(wait) => self.look().await,
            }
        }
    }

    /// Says nothing when the peer isn't there: it may be ourselves, who don't listen yet, or one that is
    /// started together with us. The next look does.
    async fn first_look(&mut self) {
        match self.post.look().await {
            Ok(()) => self.is_there(),
            Err(trouble) => self.condition.failed(trouble.to_string(), Instant::now()),
        }
    }

    /// Whether the peer is there at all, so that it is known before the first message needs it.
    async fn look(&mut self) {
        match self.post.look().await {
            Ok(()) => self.is_there(),
            Err(trouble) => self.is_away(&trouble),
        }
    }

    async fn deliver(&mut self, waiting: Waiting) {
        while !self.has_it(&waiting) {
            if waiting.since.elapsed() > MAX_AGE {
                return self.lost.one(self.post.url(), "it is away for longer than they are held");
            }
            match self.post.relay(&waiting.relay).await {
                Ok(fingerprint) => {
                    self.learn(fingerprint);
                    self.relayed.inc();
                    return self.is_there();
                }
                Err(trouble) if trouble.may_pass() => {
                    self.is_away(&trouble);
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
    fn has_it(&self, waiting: &Waiting) -> bool {
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

    fn is_there(&mut self) {
        let now = Instant::now();
        if self.there.replace(true) != Some(true) {
            self.backoff.connected(now);
        }
        self.condition.succeeded(now);
        self.lost.over(self.post.url());
    }

    fn is_away(&mut self, trouble: &Trouble) {
        if self.there.replace(false) != Some(false) {
            let peer = super::shown(self.post.url());
            tracing::warn!(peer, "a peer can't be told: {trouble}");
        }
        self.condition.failed(trouble.to_string(), Instant::now());
    }
}

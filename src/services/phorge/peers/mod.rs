//! The other servers of a cluster: each gets what is published here, in order, by a task of its own
//! (`specs/aphlict.md` section 8).

mod client;
mod relay_task;

pub use client::{PeerClientError, PeerHttpClient, cause, http, loopback_client};

use super::{fingerprint::ServerFingerprint, instance::PhorgeInstance};
use crate::{
    health::{DependencyRecord, DependencyState},
    lifecycle::TaskGroup,
    services::spawn_until_stopped,
    telemetry::metrics::Counter,
    websocket::frame::Frame,
};
use relay_task::PeerRelayTask;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use url::Url;

/// Messages that may wait for one peer; of more the newest are lost to it.
pub const QUEUE: usize = 1024;
/// What they may take in memory, in bytes.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// A message as peers get it.
#[derive(Debug, Clone)]
pub struct RelayedMessage {
    /// Whose it is.
    pub instance: PhorgeInstance,
    /// What browsers get, and the body of what peers get.
    pub frame: Frame,
    /// Who had handled it before.
    pub touched: Arc<[String]>,
}

/// All peers. Cheap to clone.
#[derive(Clone)]
pub struct PeerRelay(Arc<[PeerHandle]>);

/// What is known of a peer from outside of its task.
struct PeerHandle {
    url: Url,
    queue: mpsc::Sender<QueuedRelay>,
    room: Arc<Semaphore>,
    condition: Arc<DependencyRecord>,
    lost: Arc<LostRelayCounter>,
}

/// A message that waits for a peer.
struct QueuedRelay {
    relay: RelayedMessage,
    since: Instant,
    /// Its bytes' room in the queue.
    _room: OwnedSemaphorePermit,
}

/// Messages that a peer didn't get.
struct LostRelayCounter {
    /// Since it was last there.
    since_last_contact: AtomicU64,
    /// For whoever watches.
    counter: Counter,
}

/// Where peers are, and what they are reached with.
pub struct PeerRelayConfig {
    /// Their admin servers.
    pub urls: Vec<Url>,
    /// Who dials.
    pub dial: PeerHttpClient,
    /// What we are called.
    pub own: ServerFingerprint,
    /// Counts messages that peers took.
    pub relayed: Counter,
    /// Counts messages that peers didn't get.
    pub lost: Counter,
}

impl PeerRelay {
    /// Begins to talk to all of them.
    pub fn start(cluster: PeerRelayConfig, tasks: &TaskGroup, rng: &mut fastrand::Rng) -> Self {
        let PeerRelayConfig { urls, dial, own, relayed, lost } = cluster;
        let start = |url: Url| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            let condition = Arc::new(DependencyRecord::default());
            let lost =
                LostRelayCounter { since_last_contact: AtomicU64::new(0), counter: lost.clone() };
            let lost = Arc::new(lost);
            let (record, missed) = (Arc::clone(&condition), Arc::clone(&lost));
            let post = client::PeerClient::new(dial.clone(), url.clone());
            let line = PeerRelayTask::new(post, record, missed, own.clone(), relayed.clone())
                .jittered(rng.fork());
            spawn_until_stopped(tasks, "peer", line.run(waiting));
            PeerHandle { url, queue, room: Arc::new(Semaphore::new(QUEUE_BYTES)), condition, lost }
        };
        Self(urls.into_iter().map(start).collect())
    }

    /// Lays a message into each peer's queue; never waits.
    pub fn forward(&self, relay: &RelayedMessage) {
        for peer in self.0.iter() {
            peer.forward(relay.clone());
        }
    }

    /// Each peer's address and how it is.
    pub fn conditions(
        &self,
    ) -> impl Iterator<Item = (String, Arc<dyn Fn() -> DependencyState + Send + Sync>)> {
        self.0.iter().map(|peer| {
            let condition = Arc::clone(&peer.condition);
            (shown(&peer.url), Arc::new(move || condition.get()) as _)
        })
    }

    /// How many messages wait for the slowest.
    pub fn waiting(&self) -> usize {
        let depth = |peer: &PeerHandle| peer.queue.max_capacity() - peer.queue.capacity();
        self.0.iter().map(depth).max().unwrap_or_default()
    }
}

impl PeerHandle {
    fn forward(&self, relay: RelayedMessage) {
        let bytes = u32::try_from(relay.frame.bytes().len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
            return self.lost.one(&self.url, "too much waits for it");
        };
        let waiting = QueuedRelay { relay, since: Instant::now(), _room: room };
        if self.queue.try_send(waiting).is_err() {
            self.lost.one(&self.url, "too many wait for it");
        }
    }
}

impl LostRelayCounter {
    /// One more; the first since the peer was there is told.
    fn one(&self, url: &Url, why: &str) {
        self.counter.inc();
        if self.since_last_contact.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(peer = %shown(url), why, "messages are lost to a peer");
        }
    }

    /// The peer is there: how many it missed is told, if any.
    fn recovered(&self, url: &Url) {
        let missed = self.since_last_contact.swap(0, Relaxed);
        if missed > 0 {
            tracing::warn!(peer = %shown(url), missed, "a peer takes messages again");
        }
    }
}

/// A peer as the log and the health page have it.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{
        Counter, PeerRelay, PeerRelayConfig, QUEUE, QUEUE_BYTES, RelayedMessage, ServerFingerprint,
        http,
    };
    use crate::{
        lifecycle::TaskGroup, services::phorge::instance::PhorgeInstance,
        telemetry::metrics::MetricsRegistry, websocket::frame::Frame,
    };

    /// A peer that nobody is, on a runtime that doesn't run in between.
    fn peers(tasks: &TaskGroup) -> (PeerRelay, Counter) {
        let metrics = MetricsRegistry::new(None).unwrap();
        let lost = metrics.counter("lost_total", "Lost.").unwrap();
        let urls = vec!["http://127.0.0.1:9".parse().unwrap()];
        let mut rng = fastrand::Rng::with_seed(1);
        let cluster = PeerRelayConfig {
            dial: http(&urls, None).unwrap(),
            urls,
            own: ServerFingerprint::draw(&mut rng),
            relayed: metrics.counter("relayed_total", "Relayed.").unwrap(),
            lost: lost.clone(),
        };
        (PeerRelay::start(cluster, tasks, &mut rng), lost)
    }

    fn relay(length: usize) -> RelayedMessage {
        let frame = Frame::text(&"x".repeat(length));
        RelayedMessage {
            instance: PhorgeInstance::of_query("").unwrap(),
            frame,
            touched: [].into(),
        }
    }

    #[tokio::test]
    async fn what_waits_for_a_peer_is_bounded_in_number() {
        let tasks = TaskGroup::default();
        let (peers, lost) = peers(&tasks);
        for _ in 0..QUEUE + 5 {
            peers.forward(&relay(10));
        }
        assert_eq!((peers.waiting(), lost.get()), (QUEUE, 5));
    }

    #[tokio::test]
    async fn what_waits_for_a_peer_is_bounded_in_bytes() {
        let tasks = TaskGroup::default();
        let (peers, lost) = peers(&tasks);
        for _ in 0..10 {
            peers.forward(&relay(QUEUE_BYTES / 8));
        }
        assert_eq!((peers.waiting(), lost.get()), (7, 3));
        peers.forward(&relay(10));
        assert_eq!(peers.waiting(), 8);
    }
}

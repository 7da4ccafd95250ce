//! The peers of a cluster: a task for each relays what is published here, in order (`specs/aphlict.md`
//! section 8).

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

/// The most bytes that wait for one peer; beyond it the newest messages are dropped for that peer. This is
/// enough for 25 000 of Phorge's messages of 300 bytes: a peer that is slow for some seconds misses none.
/// Messages that have waited for longer than a minute are dropped as well.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// The bytes that a message takes in the queue besides its text.
const OVERHEAD: usize = 256;
/// The most messages that wait for one peer: the queue's bytes are the bound, this follows from it.
pub const QUEUE: usize = QUEUE_BYTES / OVERHEAD;

/// A message for peers.
#[derive(Debug, Clone)]
pub struct RelayedMessage {
    /// The instance it was published for.
    pub instance: PhorgeInstance,
    /// The frame for browsers, whose payload is also the body for peers.
    pub frame: Frame,
    /// Fingerprints of the servers that had handled it before this one.
    pub touched: Arc<[String]>,
}

/// Relays messages to all peers. Cheap to clone.
#[derive(Clone)]
pub struct PeerRelay(Arc<[PeerHandle]>);

/// One peer, as seen from outside its task.
struct PeerHandle {
    url: Url,
    queue: mpsc::Sender<QueuedRelay>,
    byte_budget: Arc<Semaphore>,
    condition: Arc<DependencyRecord>,
    lost: Arc<LostRelayCounter>,
}

/// A message that waits for a peer.
struct QueuedRelay {
    relay: RelayedMessage,
    since: Instant,
    /// Its share of the queue's bytes.
    _permit: OwnedSemaphorePermit,
}

/// Counts the messages that a peer did not get.
struct LostRelayCounter {
    /// Dropped since the peer was last reachable.
    since_last_contact: AtomicU64,
    /// The metric over all peers.
    counter: Counter,
}

/// The addresses of the peers and what is needed to reach them.
pub struct PeerRelayConfig {
    /// The URLs of their admin servers.
    pub urls: Vec<Url>,
    /// The client for all requests.
    pub dial: PeerHttpClient,
    /// This server's fingerprint.
    pub own: ServerFingerprint,
    /// Counts messages that peers accepted.
    pub relayed: Counter,
    /// Counts messages that peers did not get.
    pub lost: Counter,
}

impl PeerRelay {
    /// Starts a task for each peer.
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
            PeerHandle {
                url,
                queue,
                byte_budget: Arc::new(Semaphore::new(QUEUE_BYTES)),
                condition,
                lost,
            }
        };
        Self(urls.into_iter().map(start).collect())
    }

    /// Puts a message into each peer's queue; never waits.
    pub fn forward(&self, relay: &RelayedMessage) {
        for peer in self.0.iter() {
            peer.forward(relay.clone());
        }
    }

    /// Each peer's address and its health.
    pub fn conditions(
        &self,
    ) -> impl Iterator<Item = (String, Arc<dyn Fn() -> DependencyState + Send + Sync>)> {
        self.0.iter().map(|peer| {
            let condition = Arc::clone(&peer.condition);
            (display_address(&peer.url), Arc::new(move || condition.get()) as _)
        })
    }

    /// How many messages wait for the slowest peer.
    pub fn waiting(&self) -> usize {
        let depth = |peer: &PeerHandle| peer.queue.max_capacity() - peer.queue.capacity();
        self.0.iter().map(depth).max().unwrap_or_default()
    }
}

impl PeerHandle {
    fn forward(&self, relay: RelayedMessage) {
        let bytes = relay.frame.bytes().len() + OVERHEAD;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.byte_budget).try_acquire_many_owned(bytes) else {
            return self.lost.count(&self.url, "too many bytes are queued");
        };
        let waiting = QueuedRelay { relay, since: Instant::now(), _permit: permit };
        if self.queue.try_send(waiting).is_err() {
            self.lost.count(&self.url, "too many messages are queued");
        }
    }
}

impl LostRelayCounter {
    /// Counts one message; the first since the peer was reachable is logged.
    fn count(&self, url: &Url, why: &str) {
        self.counter.inc();
        if self.since_last_contact.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(peer = %display_address(url), why, "messages to peer dropped");
        }
    }

    /// The peer is reachable: logs how many messages it missed, if any.
    fn recovered(&self, url: &Url) {
        let missed = self.since_last_contact.swap(0, Relaxed);
        if missed > 0 {
            tracing::warn!(peer = %display_address(url), missed, "peer reachable again");
        }
    }
}

/// A peer's address for the log and the health page.
fn display_address(url: &Url) -> String {
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

    /// An unreachable peer; its task doesn't run during the test.
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
    async fn a_burst_of_short_messages_waits_for_a_slow_peer() {
        let tasks = TaskGroup::default();
        let (peers, lost) = peers(&tasks);
        for _ in 0..25_000 {
            peers.forward(&relay(300));
        }
        assert_eq!((peers.waiting(), lost.get()), (25_000, 0));
        for _ in 0..QUEUE {
            peers.forward(&relay(300));
        }
        assert!(peers.waiting() < QUEUE && lost.get() > 0);
    }

    #[tokio::test]
    async fn a_peers_queue_is_bounded_in_bytes() {
        let tasks = TaskGroup::default();
        let (peers, lost) = peers(&tasks);
        for _ in 0..10 {
            peers.forward(&relay(QUEUE_BYTES / 8));
        }
        assert_eq!((peers.waiting(), lost.get()), (7, 3));
        peers.forward(&relay(10));
        assert_eq!(peers.waiting(), 8, "a short one still fits");
    }
}

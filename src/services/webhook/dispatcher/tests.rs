//! Tests of a dispatcher with a real hub of several shards and a real store.

use super::{ClientJoinRequest, DispatcherDependencies, MessageDispatcher};
use crate::{
    lifecycle::TaskGroup,
    push::{
        ConnectionCount, ConnectionLimit,
        hub::{
            BacklogMemory, Hub, HubLimits, HubObserver, HubSettings, SessionPolicy, ShardPolicy,
        },
        session::DebouncePolicy,
    },
    server::stream::ClientStream,
    services::webhook::{
        dialect::WebhookDialect,
        feed::ReplicaFeed,
        message_id::MessageId,
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
        replay::MessageReplay,
        state_writer,
        store::{
            ExpiredRegistration, MemoryStore, RegistrationRenewal, RegistrationState,
            RegistrationStore, SessionEntry, StoreLimits,
        },
    },
};
use bytes::Bytes;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

struct SilentDispatcherObserver;

impl HubObserver for SilentDispatcherObserver {}

/// Long enough for any machine; reached by failures only.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

struct DispatcherHarness {
    store: Arc<MemoryStore>,
    hub: Hub,
    admission: mpsc::Sender<ClientJoinRequest>,
    tasks: TaskGroup,
}

impl Drop for DispatcherHarness {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

fn hub(tasks: &TaskGroup) -> Hub {
    let limits = HubLimits {
        per_recipient: 8,
        max_connection: None,
        subscriptions: 1,
        subscription_bytes: usize::MAX,
    };
    let settings = HubSettings {
        dialect: Arc::new(WebhookDialect::new(mpsc::channel(1).0)),
        session_policy: SessionPolicy {
            debounce: DebouncePolicy { max: 0, enabled: false },
            limits,
        },
        push_rate: 0,
        shards: 3,
        shard_policy: ShardPolicy::ByPrimary,
        grace: Duration::ZERO,
        observer: Arc::new(SilentDispatcherObserver),
    };
    Hub::start(settings, BacklogMemory::default(), tasks, &mut fastrand::Rng::with_seed(7)).unwrap()
}

impl DispatcherHarness {
    /// Also returns the unattended ends of the state queue and of the expired queue.
    fn bare() -> (Self, mpsc::Receiver<RegistrationRenewal>, mpsc::Sender<ExpiredRegistration>) {
        let (replica_events, queue) = mpsc::channel(64);
        let limits = StoreLimits::default();
        let store =
            Arc::new(MemoryStore::new(limits, Arc::new(|| SystemTime::UNIX_EPOCH), replica_events));
        let tasks = TaskGroup::default();
        let hub = hub(&tasks);
        let (admission, join_requests) = mpsc::channel(64);
        let ((noted, notes), (expirations, expired)) = (state_writer::notes(), mpsc::channel(64));
        let dispatcher = MessageDispatcher::new(DispatcherDependencies {
            hub: hub.clone(),
            store: Arc::clone(&store) as _,
            feed: ReplicaFeed::Memory(queue),
            join_requests,
            noted,
            expired,
            replay: MessageReplay::new(limits, MessageId::default()),
            renewal: Duration::from_secs(900),
        });
        tasks.spawn(dispatcher.run(tasks.stopping().clone()));
        (Self { store, hub, admission, tasks }, notes, expirations)
    }

    fn start() -> Self {
        let (harness, notes, expirations) = Self::bare();
        harness.tasks.spawn(state_writer::run(Arc::clone(&harness.store) as _, notes, expirations));
        harness
    }

    /// Enters the pair's next client in the store.
    async fn enters(&self, claim: &RegistrationKey) -> SessionEntry {
        self.store.enter(claim).await.unwrap().unwrap()
    }

    async fn joins(&self, claim: &RegistrationKey, entry: SessionEntry) -> DispatcherTestClient {
        let (near, far) = UnixStream::pair().unwrap();
        let (done, joined) = oneshot::channel();
        self.admission.send(join_request(claim, entry, near, done)).await.ok().unwrap();
        timeout(TEST_TIMEOUT, joined).await.unwrap().unwrap();
        DispatcherTestClient(far)
    }

    async fn client(&self, claim: &RegistrationKey) -> DispatcherTestClient {
        self.joins(claim, self.enters(claim).await).await
    }

    async fn push(&self, claim: &RegistrationKey, message: &str) {
        let to = MessageTarget::User(claim.user.clone());
        self.store.post(&to, &MessageValue::text(message)).await.unwrap();
    }
}

fn join_request(
    claim: &RegistrationKey,
    entry: SessionEntry,
    near: UnixStream,
    done: oneshot::Sender<()>,
) -> ClientJoinRequest {
    let limit = ConnectionLimit::new(None, "probe".into(), ConnectionCount::default(), || ());
    let permit = limit.acquire(&claim.primary()).unwrap();
    ClientJoinRequest {
        permit,
        claim: claim.clone(),
        entry,
        transport: ClientStream::Unix(near).into_idle().unwrap(),
        leftover: Bytes::new(),
        since: None,
        greeting: None,
        done,
    }
}

struct DispatcherTestClient(UnixStream);

impl DispatcherTestClient {
    /// Opcode and payload of the next frame.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        timeout(TEST_TIMEOUT, self.0.read_exact(&mut head)).await.expect("a frame").unwrap();
        assert!(head[1] < 126, "short and not masked");
        let mut payload = vec![0; head[1].into()];
        self.0.read_exact(&mut payload).await.unwrap();
        (head[0] & 15, payload)
    }

    async fn receives(&mut self) -> String {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, 1, "a text, not {payload:?}");
        let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        json["message"].as_str().unwrap().to_owned()
    }

    /// The close code, after any other frames.
    async fn closed(&mut self) -> u16 {
        loop {
            if let (8, payload) = self.frame().await {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

async fn alice(harness: &DispatcherHarness) -> RegistrationKey {
    let claim = RegistrationKey::new("alice", "c").unwrap();
    harness.store.register(&claim).await.unwrap();
    claim
}

#[tokio::test]
async fn each_newer_client_replaces_the_previous_even_if_it_closes_late() {
    let harness = DispatcherHarness::start();
    let claim = alice(&harness).await;
    let mut last = harness.client(&claim).await;
    for round in 0..4 {
        let mut newer = harness.client(&claim).await;
        assert_eq!(last.closed().await, 4409, "in round {round}");
        drop(last);
        // Until the older session has ended and the dispatcher knows.
        let gone = async { while harness.hub.count(&claim.primary()).await != Ok(1) {} };
        timeout(TEST_TIMEOUT, gone).await.unwrap();
        harness.push(&claim, "1").await;
        assert_eq!(newer.receives().await, "1");
        last = newer;
    }
    assert_eq!(harness.enters(&claim).await.notified, None, "in the store it is there");
}

#[tokio::test]
async fn messages_sent_into_a_broken_connection_are_replayed_to_the_next() {
    let harness = DispatcherHarness::start();
    let claim = alice(&harness).await;
    harness.push(&claim, "before").await;
    let mut broken = harness.client(&claim).await;
    assert_eq!(broken.receives().await, "before");
    harness.push(&claim, "into the void").await;
    let mut newer = harness.client(&claim).await;
    assert_eq!(newer.receives().await, "into the void");
    harness.push(&claim, "next").await;
    assert_eq!(newer.receives().await, "next");
}

#[tokio::test]
async fn a_client_that_entered_earlier_but_joins_later_is_closed() {
    let harness = DispatcherHarness::start();
    let claim = alice(&harness).await;
    let (earlier, later) = (harness.enters(&claim).await, harness.enters(&claim).await);
    let mut newer = harness.joins(&claim, later).await;
    let mut older = harness.joins(&claim, earlier).await;
    assert_eq!(older.closed().await, 4409);
    harness.push(&claim, "1").await;
    assert_eq!(newer.receives().await, "1");
    assert_eq!(harness.hub.count(&RegistrationKey::user_recipient("alice")).await, Ok(1));
}

#[tokio::test]
async fn a_pair_that_is_unregistered_while_it_enters_does_not_stay() {
    let harness = DispatcherHarness::start();
    let claim = alice(&harness).await;
    let entry = harness.enters(&claim).await;
    assert_eq!(harness.store.unregister(&claim).await, Ok(true));
    let mut client = harness.joins(&claim, entry).await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn only_the_expired_session_of_a_pair_is_closed() {
    let (harness, _notes, expirations) = DispatcherHarness::bare();
    let claim = alice(&harness).await;
    let entry = harness.enters(&claim).await;
    let mut client = harness.joins(&claim, entry).await;
    let expired = |at, newer| ExpiredRegistration { claim: claim.clone(), at, newer };
    expirations.send(expired(MessageId(0), false)).await.unwrap();
    harness.push(&claim, "1").await;
    assert_eq!(client.receives().await, "1", "it was about an earlier one");
    expirations.send(expired(entry.at, true)).await.unwrap();
    assert_eq!(client.closed().await, 4409);
}

#[tokio::test]
async fn a_client_that_gives_up_while_it_joins_is_recorded_as_offline() {
    let (harness, mut notes, _lapses) = DispatcherHarness::bare();
    let claim = alice(&harness).await;
    let entry = harness.enters(&claim).await;
    let (near, _far) = UnixStream::pair().unwrap();
    let (done, _) = oneshot::channel();
    harness.admission.send(join_request(&claim, entry, near, done)).await.ok().unwrap();
    let noted = timeout(TEST_TIMEOUT, notes.recv()).await.unwrap();
    let state = RegistrationState::Offline(entry.received());
    assert_eq!(noted, Some(RegistrationRenewal { claim, at: entry.at, state }));
}

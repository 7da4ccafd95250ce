//! A teller with a real hub of several shards and a real book.

use super::{Entrance, Outfit, Teller};
use crate::{
    lifecycle::Tasks,
    push::{
        hub::{Dealing, Hub, HubSettings, Limits, Observer, Terms},
        session::Pace,
    },
    server::stream::ClientStream,
    services::webhook::{
        book::{Book, BookLimits, Entry, Kept, Lapsed, MemoryBook, State},
        claim::{Claim, Target},
        dialect::WebhookDialect,
        feed::Feed,
        id::MessageId,
        keeper,
        replay::Replay,
        value::Value,
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

struct Nobody;

impl Observer for Nobody {}

/// Long enough for any machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    book: Arc<MemoryBook>,
    hub: Hub,
    door: mpsc::Sender<Entrance>,
    tasks: Tasks,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

fn hub(tasks: &Tasks) -> Hub {
    let limits = Limits { per_recipient: 8, max_connection: None, subscriptions: 1 };
    let settings = HubSettings {
        dialect: Arc::new(WebhookDialect::new(mpsc::channel(1).0)),
        terms: Terms { pace: Pace { max: 0, enabled: false }, limits },
        push_rate: 0,
        shards: 3,
        dealing: Dealing::ByHome,
        grace: Duration::ZERO,
        observer: Arc::new(Nobody),
    };
    Hub::start(settings, tasks, &mut fastrand::Rng::with_seed(7)).unwrap()
}

impl Scene {
    /// With the ends of what is noted and of what has lapsed, which nobody takes care of.
    fn bare() -> (Self, mpsc::Receiver<Kept>, mpsc::Sender<Lapsed>) {
        let (news, queue) = mpsc::channel(64);
        let limits = BookLimits::default();
        let book = Arc::new(MemoryBook::new(limits, Arc::new(|| SystemTime::UNIX_EPOCH), news));
        let tasks = Tasks::default();
        let hub = hub(&tasks);
        let (door, entrances) = mpsc::channel(64);
        let ((noted, notes), (lapses, lapsed)) = (keeper::notes(), mpsc::channel(64));
        let teller = Teller::new(Outfit {
            hub: hub.clone(),
            book: Arc::clone(&book) as _,
            feed: Feed::Memory(queue),
            entrances,
            noted,
            lapsed,
            replay: Replay::new(limits),
            renewal: Duration::from_secs(900),
        });
        tasks.spawn(teller.run(tasks.stopping().clone()));
        (Self { book, hub, door, tasks }, notes, lapses)
    }

    fn start() -> Self {
        let (scene, notes, lapses) = Self::bare();
        scene.tasks.spawn(keeper::run(Arc::clone(&scene.book) as _, notes, lapses));
        scene
    }

    /// The pair's next client, as the book lets it in.
    async fn enters(&self, claim: &Claim) -> Entry {
        self.book.enter(claim).await.unwrap().unwrap()
    }

    async fn joins(&self, claim: &Claim, entry: Entry) -> Client {
        let (near, far) = UnixStream::pair().unwrap();
        let (done, joined) = oneshot::channel();
        self.door.send(entrance(claim, entry, near, done)).await.ok().unwrap();
        timeout(PATIENCE, joined).await.unwrap().unwrap();
        Client(far)
    }

    async fn client(&self, claim: &Claim) -> Client {
        self.joins(claim, self.enters(claim).await).await
    }

    async fn push(&self, claim: &Claim, message: &str) {
        let to = Target::User(claim.user.clone());
        self.book.post(&to, &Value::text(message)).await.unwrap();
    }
}

fn entrance(claim: &Claim, entry: Entry, near: UnixStream, done: oneshot::Sender<()>) -> Entrance {
    Entrance {
        claim: claim.clone(),
        entry,
        transport: ClientStream::Unix(near).into_idle().unwrap(),
        leftover: Bytes::new(),
        since: None,
        welcome: None,
        done,
    }
}

struct Client(UnixStream);

impl Client {
    /// The next frame: opcode and payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        timeout(PATIENCE, self.0.read_exact(&mut head)).await.expect("a frame").unwrap();
        assert!(head[1] < 126, "short and not masked");
        let mut payload = vec![0; head[1].into()];
        self.0.read_exact(&mut payload).await.unwrap();
        (head[0] & 15, payload)
    }

    async fn hears(&mut self) -> String {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, 1, "a text, not {payload:?}");
        let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        json["message"].as_str().unwrap().to_owned()
    }

    /// The code that it is closed with; what is said before is passed over.
    async fn closed(&mut self) -> u16 {
        loop {
            if let (8, payload) = self.frame().await {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

async fn alice(scene: &Scene) -> Claim {
    let claim = Claim::new("alice", "c").unwrap();
    scene.book.register(&claim).await.unwrap();
    claim
}

#[tokio::test]
async fn each_newer_client_takes_the_place_of_the_one_before_though_older_ones_go_late() {
    let scene = Scene::start();
    let claim = alice(&scene).await;
    let mut last = scene.client(&claim).await;
    for round in 0..4 {
        let mut newer = scene.client(&claim).await;
        assert_eq!(last.closed().await, 4409, "in round {round}");
        drop(last);
        // Until the older one has gone and the teller has seen it.
        let gone = async { while scene.hub.count(&claim.home()).await != Ok(1) {} };
        timeout(PATIENCE, gone).await.unwrap();
        scene.push(&claim, "1").await;
        assert_eq!(newer.hears().await, "1");
        last = newer;
    }
    assert_eq!(scene.enters(&claim).await.told, None, "in the book it is there");
}

#[tokio::test]
async fn what_was_told_into_a_broken_connection_is_told_to_its_successor() {
    let scene = Scene::start();
    let claim = alice(&scene).await;
    scene.push(&claim, "before").await;
    let mut broken = scene.client(&claim).await;
    assert_eq!(broken.hears().await, "before");
    scene.push(&claim, "into the void").await;
    let mut newer = scene.client(&claim).await;
    assert_eq!(newer.hears().await, "into the void");
    scene.push(&claim, "next").await;
    assert_eq!(newer.hears().await, "next");
}

#[tokio::test]
async fn who_entered_earlier_and_comes_later_gives_way() {
    let scene = Scene::start();
    let claim = alice(&scene).await;
    let (earlier, later) = (scene.enters(&claim).await, scene.enters(&claim).await);
    let mut newer = scene.joins(&claim, later).await;
    let mut older = scene.joins(&claim, earlier).await;
    assert_eq!(older.closed().await, 4409);
    scene.push(&claim, "1").await;
    assert_eq!(newer.hears().await, "1");
    assert_eq!(scene.hub.count(&Claim::everywhere("alice")).await, Ok(1));
}

#[tokio::test]
async fn a_pair_that_is_unregistered_while_it_enters_does_not_stay() {
    let scene = Scene::start();
    let claim = alice(&scene).await;
    let entry = scene.enters(&claim).await;
    assert_eq!(scene.book.unregister(&claim).await, Ok(true));
    let mut client = scene.joins(&claim, entry).await;
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn of_a_session_that_has_lapsed_only_that_one_ends() {
    let (scene, _notes, lapses) = Scene::bare();
    let claim = alice(&scene).await;
    let entry = scene.enters(&claim).await;
    let mut client = scene.joins(&claim, entry).await;
    let lapsed = |at, newer| Lapsed { claim: claim.clone(), at, newer };
    lapses.send(lapsed(MessageId(0), false)).await.unwrap();
    scene.push(&claim, "1").await;
    assert_eq!(client.hears().await, "1", "it was about an earlier one");
    lapses.send(lapsed(entry.at, true)).await.unwrap();
    assert_eq!(client.closed().await, 4409);
}

#[tokio::test]
async fn a_client_that_gives_up_while_it_enters_is_not_here() {
    let (scene, mut notes, _lapses) = Scene::bare();
    let claim = alice(&scene).await;
    let entry = scene.enters(&claim).await;
    let (near, _far) = UnixStream::pair().unwrap();
    let (done, _) = oneshot::channel();
    scene.door.send(entrance(&claim, entry, near, done)).await.ok().unwrap();
    let noted = timeout(PATIENCE, notes.recv()).await.unwrap();
    let state = State::Away(entry.heard());
    assert_eq!(noted, Some(Kept { claim, at: entry.at, state }));
}

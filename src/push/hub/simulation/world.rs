//! A shard with a clock of its own, and a host that words things plainly.

use super::wire::{Nobody, Socket};
use crate::{
    push::{
        hub::{
            Observer, Shared,
            command::{Newcomer, Tell, What, Whom},
            shard::Shard,
            shared::{Dealing, HubSettings, Limits, Terms},
        },
        notice::{Ids, Topic},
        recipient::Recipient,
        session::{Close, Dialect, Heard, Held, Millis, Pace, Past, Refusal, Tempo, TopicSpec},
    },
    services::nextcloud::login::{Admission, Grounds},
    websocket::frame::Frame,
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Wording that shows what it was made from.
struct Words;

impl Dialect for Words {
    fn topics(&self) -> &[TopicSpec] {
        const TOPICS: &[TopicSpec] = &[
            TopicSpec { name: "file", tempo: Tempo::Crowd },
            TopicSpec { name: "activity", tempo: Tempo::Crowd },
            TopicSpec { name: "notification", tempo: Tempo::Fixed(1000) },
        ];
        TOPICS
    }
    fn change(&self, topic: Topic, ids: &Ids) -> Frame {
        match ids {
            Ids::Unknown => Frame::text(&format!("t{}", topic.0)),
            Ids::Known(ids) => Frame::text(&format!("t{} {ids:?}", topic.0)),
        }
    }
    fn hear(&self, text: &str, home: &Recipient) -> Heard {
        let names = |names: &str| names.split(' ').map(Recipient::from).collect();
        match text.split_once(' ') {
            Some(("listen", "ids")) => Heard::WantIds,
            Some(("subscribe", more)) => Heard::Subscribe(names(more)),
            Some(("unsubscribe", less)) => Heard::Unsubscribe(names(less)),
            Some(("whoami", _)) => Heard::Answer(Frame::text(home)),
            Some(("replay", past)) => {
                let held: Vec<Held> = past.split(' ').map(held).collect();
                Heard::Replay(Past::new(|| held))
            }
            _ => Heard::Nothing,
        }
    }
    fn welcome(&self) -> Option<Frame> {
        Some(Frame::text("hello"))
    }
    fn refusal(&self, refusal: Refusal) -> Option<Frame> {
        Some(Frame::text(&format!("err: {refusal:?}")))
    }
}

/// `alice,bob:text` as a message of the past.
pub(super) fn held(past: &str) -> Held {
    let (to, text) = past.split_once(':').unwrap();
    Held { to: to.split(',').map(Recipient::from).collect(), frame: Frame::text(text) }
}

/// How sessions ended.
#[derive(Default)]
struct Ends(std::sync::Mutex<Vec<Close>>);

impl Observer for Ends {
    fn left(&self, close: Close) {
        self.0.lock().unwrap().push(close);
    }
}

/// A shard with a clock of its own.
pub(super) struct World {
    pub(super) shard: Shard<Socket, Nobody>,
    ends: Arc<Ends>,
    pub(super) now: Millis,
}

impl World {
    pub(super) fn new(push_rate: u32) -> Self {
        Self::with(push_rate, Limits { per_recipient: 3, max_connection: None, subscriptions: 3 })
    }

    pub(super) fn with(push_rate: u32, limits: Limits) -> Self {
        Self::at(Pace { max: 15_000, enabled: true }, push_rate, limits)
    }

    pub(super) fn at(pace: Pace, push_rate: u32, limits: Limits) -> Self {
        let ends = Arc::new(Ends::default());
        let settings = HubSettings {
            dialect: Arc::new(Words),
            terms: Terms { pace, limits },
            push_rate,
            shards: 1,
            dealing: Dealing::ByRecipient,
            grace: Duration::from_secs(3),
            observer: Arc::clone(&ends) as Arc<dyn Observer>,
        };
        let shared = Arc::new(Shared::new(settings));
        let shard = Shard::new(shared, Nobody, 0, fastrand::Rng::with_seed(7));
        Self { shard, ends, now: 0 }
    }

    pub(super) fn join(&mut self, name: &str) -> Socket {
        self.join_saying(name, &[])
    }

    pub(super) fn join_saying(&mut self, name: &str, leftover: &[u8]) -> Socket {
        let socket = Socket::default();
        let admission = Admission { recipient: name.into(), grounds: Grounds::Open };
        let leftover = Bytes::copy_from_slice(leftover);
        self.shard.join(Newcomer::new(socket.clone(), leftover, admission), self.now);
        socket
    }

    pub(super) fn tell(&mut self, name: &str, what: What) {
        let whom = Whom::One(name.into());
        let tell = Tell {
            whom,
            what,
            heard_at: self.now,
            at: Instant::now(),
            crowd: Some(Arc::default()),
        };
        self.shard.tell(&tell, self.now);
    }

    pub(super) fn change(&mut self, name: &str, topic: u8, id: Option<i64>) {
        self.tell(name, What::Change(Topic(topic), id.map_or(Ids::Unknown, Ids::one)));
    }

    /// Lets time pass, stopping at every deadline as the event loop does.
    pub(super) fn until(&mut self, then: Millis) {
        while let Some(at) = self.shard.next_deadline().filter(|at| *at <= then) {
            self.now = self.now.max(at);
            self.shard.pass_time(self.now, 16);
        }
        self.now = then;
    }

    pub(super) fn ends(&self) -> Vec<Close> {
        self.ends.0.lock().unwrap().clone()
    }
}

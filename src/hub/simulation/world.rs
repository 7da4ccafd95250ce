//! A shard with a clock of its own, and a host that words things plainly.

use super::wire::{Nobody, Socket};
use crate::{
    auth::{Admission, Grounds},
    frame::Frame,
    hub::{
        Observer, Shared,
        command::{Newcomer, Tell, What, Whom},
        shard::Shard,
        shared::{HubSettings, Limits},
    },
    notice::{Ids, Topic},
    session::{Close, Dialect, Heard, Millis, Pace, Refusal, Tempo, TopicSpec},
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
    fn hear(&self, text: &str) -> Heard {
        if text == "listen ids" { Heard::WantIds } else { Heard::Nothing }
    }
    fn welcome(&self) -> Frame {
        Frame::text("hello")
    }
    fn refusal(&self, refusal: Refusal) -> Frame {
        Frame::text(&format!("err: {refusal:?}"))
    }
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
        Self::with(push_rate, Limits { per_recipient: 3, max_connection: None })
    }

    pub(super) fn with(push_rate: u32, limits: Limits) -> Self {
        Self::at(Pace { max: 15_000, enabled: true }, push_rate, limits)
    }

    pub(super) fn at(pace: Pace, push_rate: u32, limits: Limits) -> Self {
        let ends = Arc::new(Ends::default());
        let settings = HubSettings {
            dialect: Arc::new(Words),
            pace,
            push_rate,
            limits,
            shards: 1,
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
        self.shard.join(Newcomer { transport: socket.clone(), leftover, admission }, self.now);
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

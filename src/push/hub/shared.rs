//! What the shards of one hub have in common.

use super::{observe::Observer, pacer::Pacer, presence::Presence, tally::Depth};
use crate::{
    push::{
        recipient::Recipient,
        session::{Close, Dialect, Millis, Pace},
    },
    websocket,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What a hub allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Sessions of one recipient.
    pub per_recipient: usize,
    /// How long a session may last, in milliseconds.
    pub max_connection: Option<Millis>,
    /// What a session may listen as besides its home; one that wants more is closed.
    pub subscriptions: usize,
}

/// How clients are dealt out to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dealing {
    /// By their home: who tells a recipient asks one shard. For hosts whose clients listen as one
    /// recipient each: what a client subscribed to besides would be looked for in that shard only.
    ByRecipient,
    /// By their home, so that whether a home has a client is one shard's to know; who tells a
    /// recipient asks every shard. For hosts whose clients subscribe and take each other's place.
    ByHome,
    /// One after the other: who tells a recipient asks every shard. For hosts whose clients
    /// subscribe.
    Evenly,
}

/// What clients are served on; may change while the hub runs.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How often a client may be told of a topic.
    pub pace: Pace,
    /// What clients are allowed; how long a session may last counts for those that join later.
    pub limits: Limits,
}

/// Everything a hub is made of.
pub struct HubSettings {
    /// The host's wording.
    pub dialect: Arc<dyn Dialect>,
    /// What clients are served on at first.
    pub terms: Terms,
    /// How many members of a crowd may be told in a second; 0: no limit.
    pub push_rate: u32,
    /// How many shards; each is one task.
    pub shards: u16,
    /// Which client goes to which.
    pub dealing: Dealing,
    /// At the end everybody is seen off within this time.
    pub grace: Duration,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
}

/// Read by every shard; only counters change.
pub struct Shared {
    pub dialect: Arc<dyn Dialect>,
    /// For what clients send.
    pub rules: websocket::Rules,
    /// At the start; each shard has its own, which may be others by now.
    pub terms: Terms,
    pub dealing: Dealing,
    pub pacer: Pacer,
    pub grace: Duration,
    pub observer: Arc<dyn Observer>,
    pub presence: Arc<Presence>,
    /// One for each shard.
    pub depths: Box<[Depth]>,
    connections: AtomicUsize,
    /// Clients dealt out so far, for those who are dealt out evenly.
    dealt: AtomicUsize,
}

impl Shared {
    pub fn new(settings: HubSettings) -> Self {
        Self {
            rules: websocket::Rules {
                max_message: settings.dialect.max_message(),
                ..websocket::Rules::FROM_CLIENT
            },
            dialect: settings.dialect,
            terms: settings.terms,
            dealing: settings.dealing,
            pacer: Pacer::new(settings.push_rate),
            grace: settings.grace,
            observer: settings.observer,
            presence: Arc::default(),
            depths: (0..settings.shards.max(1)).map(|_| Depth::default()).collect(),
            connections: AtomicUsize::new(0),
            dealt: AtomicUsize::new(0),
        }
    }

    /// How many clients were dealt out before this one.
    pub fn deal(&self) -> usize {
        self.dealt.fetch_add(1, Ordering::Relaxed)
    }

    /// Clients in all shards.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A client has joined; `first` names its home if nobody listened as it before.
    pub fn arrived(&self, first: Option<Recipient>) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.observer.joined();
        if let Some(recipient) = first {
            self.report_presence(true);
            self.presence.note(recipient, true);
        }
    }

    /// A client has left; `last` names its home if nobody listens as it any more.
    pub fn left(&self, last: Option<Recipient>, close: Close) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.observer.left(close);
        if let Some(recipient) = last {
            self.report_presence(false);
            self.presence.note(recipient, false);
        }
    }

    /// Where clients are dealt out evenly, each shard sees a first and a last of its own.
    fn report_presence(&self, here: bool) {
        if self.dealing != Dealing::Evenly {
            self.observer.presence(here);
        }
    }
}

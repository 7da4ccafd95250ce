//! What the shards of one hub have in common.

use super::{
    observer::HubObserver, presence::PresenceTracker, rate_limiter::RateLimiter,
    round_stats::ShardDepth,
};
use crate::{
    push::{
        ConnectionCount, ConnectionPermit,
        recipient::Recipient,
        session::{ClientDialect, CloseReason, DebouncePolicy, Millis},
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
pub struct HubLimits {
    /// Sessions of one recipient.
    pub per_recipient: usize,
    /// How long a session may last, in milliseconds.
    pub max_connection: Option<Millis>,
    /// What a session may listen as besides its primary; one that wants more is closed.
    pub subscriptions: usize,
}

/// How clients are assigned out to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardPolicy {
    /// By their primary: who notifies a recipient asks one shard. For hosts whose clients listen as one
    /// recipient each: what a client subscribed to besides would be looked for in that shard only.
    ByRecipient,
    /// By their primary, so that whether a primary has a client is one shard's to know; who notifies a
    /// recipient asks every shard. For hosts whose clients subscribe and take each other's place.
    ByPrimary,
    /// One after the other: who notifies a recipient asks every shard. For hosts whose clients
    /// subscribe.
    RoundRobin,
}

/// What clients are served on; may change while the hub runs.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// How often a client may be notified of a topic.
    pub debounce: DebouncePolicy,
    /// What clients are allowed; how long a session may last counts for those that join later.
    pub limits: HubLimits,
}

/// Everything a hub is made of.
pub struct HubSettings {
    /// The host's wording.
    pub dialect: Arc<dyn ClientDialect>,
    /// What clients are served on at first.
    pub session_policy: SessionPolicy,
    /// How many members of a fan_out may be notified in a second; 0: no limit.
    pub push_rate: u32,
    /// How many shards; each is one task.
    pub shards: u16,
    /// Which client goes to which.
    pub shard_policy: ShardPolicy,
    /// At the end everybody is seen off within this time.
    pub grace: Duration,
    /// Who counts.
    pub observer: Arc<dyn HubObserver>,
}

/// Read by every shard; only counters change.
pub struct HubContext {
    pub dialect: Arc<dyn ClientDialect>,
    /// For what clients send.
    pub rules: websocket::DecoderRules,
    /// At the start; each shard has its own, which may be others by now.
    pub session_policy: SessionPolicy,
    pub shard_policy: ShardPolicy,
    pub rate_limiter: RateLimiter,
    pub grace: Duration,
    pub observer: Arc<dyn HubObserver>,
    pub presence: Arc<PresenceTracker>,
    /// One for each shard.
    pub depths: Box<[ShardDepth]>,
    connections: ConnectionCount,
    /// Clients assigned out so far, for those who are assigned out evenly.
    assigned: AtomicUsize,
}

impl HubContext {
    pub fn new(settings: HubSettings) -> Self {
        Self {
            rules: websocket::DecoderRules {
                max_message: settings.dialect.max_message(),
                ..websocket::DecoderRules::FROM_CLIENT
            },
            dialect: settings.dialect,
            session_policy: settings.session_policy,
            shard_policy: settings.shard_policy,
            rate_limiter: RateLimiter::new(settings.push_rate),
            grace: settings.grace,
            observer: settings.observer,
            presence: Arc::default(),
            depths: (0..settings.shards.max(1)).map(|_| ShardDepth::default()).collect(),
            connections: ConnectionCount::default(),
            assigned: AtomicUsize::new(0),
        }
    }

    /// How many clients were assigned out before this one.
    pub fn next_index(&self) -> usize {
        self.assigned.fetch_add(1, Ordering::Relaxed)
    }

    /// Clients in all shards.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Counts clients, with those on their way here.
    pub fn connection_count(&self) -> &ConnectionCount {
        &self.connections
    }

    /// A client has joined; `first` names its primary if nobody listened as it before.
    pub fn arrived(&self, first: Option<Recipient>, permit: Option<ConnectionPermit>) {
        match permit {
            Some(permit) => permit.transfer(),
            None => self.connections.add(),
        }
        self.observer.joined();
        if let Some(recipient) = first {
            self.report_presence(true);
            self.presence.note(recipient, true);
        }
    }

    /// A client has left; `last` names its primary if nobody listens as it any more.
    pub fn left(&self, last: Option<Recipient>, close: CloseReason) {
        self.connections.subtract();
        self.observer.left(close);
        if let Some(recipient) = last {
            self.report_presence(false);
            self.presence.note(recipient, false);
        }
    }

    /// Where clients are assigned out evenly, each shard sees a first and a last of its own.
    fn report_presence(&self, here: bool) {
        if self.shard_policy != ShardPolicy::RoundRobin {
            self.observer.presence(here);
        }
    }
}

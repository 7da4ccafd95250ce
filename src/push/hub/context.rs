//! What the shards of one hub share: limits, policy, counters.

use super::{
    backlog_memory::BacklogMemory, observer::HubObserver, presence::PresenceTracker,
    rate_limiter::RateLimiter, round_stats::ShardDepth,
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

/// The limits for the clients of a hub.
#[derive(Debug, Clone, Copy)]
pub struct HubLimits {
    /// Sessions of one recipient.
    pub per_recipient: usize,
    /// How long a session may last, in milliseconds.
    pub max_connection: Option<Millis>,
    /// Subscriptions of a session besides its primary one; a session with more is closed.
    pub subscriptions: usize,
    /// The bytes that the subscriptions of one shard's clients may take together.
    pub subscription_bytes: usize,
}

/// How clients are assigned to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardPolicy {
    /// By their primary subscription; a notice for one recipient goes to one shard. For services whose
    /// clients have only that subscription: others would be looked for in that shard only.
    ByRecipient,
    /// By their primary subscription, so that one shard knows whether a recipient has a client; a
    /// notice goes to every shard. For services whose clients subscribe and replace one another.
    ByPrimary,
    /// One after the other; a notice goes to every shard. For services whose clients subscribe.
    RoundRobin,
}

/// How clients are served; may change while the hub runs.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// How often a client is notified of a topic.
    pub debounce: DebouncePolicy,
    /// The clients' limits. A changed `max_connection` applies to clients that join later.
    pub limits: HubLimits,
}

/// What a hub is made of.
pub struct HubSettings {
    /// The service's wording.
    pub dialect: Arc<dyn ClientDialect>,
    /// How clients are served at first.
    pub session_policy: SessionPolicy,
    /// How many clients of one fan-out are notified in a second; 0: no limit.
    pub push_rate: u32,
    /// The number of shards; each is one task.
    pub shards: u16,
    /// How clients are assigned to them.
    pub shard_policy: ShardPolicy,
    /// The time over which the sessions end at the shutdown.
    pub grace: Duration,
    /// Receives what is worth counting.
    pub observer: Arc<dyn HubObserver>,
}

/// Read by every shard; only counters change.
pub struct HubContext {
    pub dialect: Arc<dyn ClientDialect>,
    /// The limits for what clients send.
    pub rules: websocket::DecoderRules,
    /// The policy at the start; each shard has its own copy, which may have changed since.
    pub session_policy: SessionPolicy,
    pub shard_policy: ShardPolicy,
    pub rate_limiter: RateLimiter,
    pub backlog_memory: BacklogMemory,
    pub grace: Duration,
    pub observer: Arc<dyn HubObserver>,
    pub presence: Arc<PresenceTracker>,
    /// One for each shard.
    pub depths: Box<[ShardDepth]>,
    connections: ConnectionCount,
    /// Clients assigned to shards so far.
    assigned: AtomicUsize,
}

impl HubContext {
    /// The context of a hub with these settings, whose clients share this memory.
    pub fn new(settings: HubSettings, backlog_memory: BacklogMemory) -> Self {
        Self {
            rules: websocket::DecoderRules {
                max_message: settings.dialect.max_message(),
                ..websocket::DecoderRules::FROM_CLIENT
            },
            dialect: settings.dialect,
            session_policy: settings.session_policy,
            shard_policy: settings.shard_policy,
            rate_limiter: RateLimiter::new(settings.push_rate),
            backlog_memory,
            grace: settings.grace,
            observer: settings.observer,
            presence: Arc::default(),
            depths: (0..settings.shards.max(1)).map(|_| ShardDepth::default()).collect(),
            connections: ConnectionCount::default(),
            assigned: AtomicUsize::new(0),
        }
    }

    /// How many clients were assigned to shards before this one.
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

    /// A client has joined; `first` is its primary recipient if no other client listens as it.
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

    /// A client has left; `last` is its primary recipient if no client listens as it any more.
    pub fn left(&self, last: Option<Recipient>, close: CloseReason) {
        self.connections.subtract();
        self.observer.left(close);
        if let Some(recipient) = last {
            self.report_presence(false);
            self.presence.note(recipient, false);
        }
    }

    /// With [`ShardPolicy::RoundRobin`] each shard has a first and a last client of its own.
    fn report_presence(&self, here: bool) {
        if self.shard_policy != ShardPolicy::RoundRobin {
            self.observer.presence(here);
        }
    }
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

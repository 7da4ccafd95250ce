//! What the hub's handle asks of its shards.

use super::{context::SessionPolicy, rate_limiter::FanOut};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient, ConnectionPermit,
        notice::{ChangedIds, TopicId},
        recipient::Recipient,
        session::{CloseReason, Millis},
    },
    websocket::frame::Frame,
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::{sync::oneshot, time::Instant};

/// A client that has logged in, with what it sent after its credentials.
pub struct JoinRequest<T> {
    /// Its socket, non-blocking.
    pub transport: T,
    /// Bytes already read from it.
    pub leftover: Bytes,
    /// Who it is and why it may be here. The recipient is its primary for as long as it stays.
    pub authenticated: AuthenticatedClient,
    /// What it listens as besides.
    pub subscriptions: Vec<Recipient>,
    /// What it receives first; none: the dialect's welcome.
    pub greeting: Option<GreetingFrames>,
    /// Its place within the connection limit, where the service has one.
    pub permit: Option<ConnectionPermit>,
}

/// Makes what a client receives first, once it is registered: what is notified from then on comes behind
/// it, and nothing falls in between. Runs on the push path: must be quick and must not block.
pub type GreetingFrames = Box<dyn FnOnce() -> Vec<Frame> + Send>;

impl<T> JoinRequest<T> {
    /// A client that listens as one recipient and is welcomed like all others.
    pub fn new(transport: T, leftover: Bytes, authenticated: AuthenticatedClient) -> Self {
        Self {
            transport,
            leftover,
            authenticated,
            subscriptions: Vec::new(),
            greeting: None,
            permit: None,
        }
    }
}

/// Whom a shard notifies.
#[derive(Debug, Clone)]
pub enum NoticeAudience {
    /// One recipient.
    One(Recipient),
    /// These; those of other shards are passed over.
    Many(Arc<[Recipient]>),
    /// Every client.
    Everyone,
}

/// What they are notified.
#[derive(Debug, Clone)]
pub enum NoticeBody {
    /// Something of this topic changed.
    Change(TopicId, ChangedIds),
    /// This, at once.
    Frame(Frame),
}

/// One thing to notify.
#[derive(Debug)]
pub struct NotifyCommand {
    /// Whom.
    pub audience: NoticeAudience,
    /// What.
    pub what: NoticeBody,
    /// When it happened, as far as we know: what the promised times count from.
    pub received_at: Millis,
    /// The same, as the statistics want it.
    pub at: Instant,
    /// Those notified of it so far, over all shards; `None` where only this one is concerned.
    pub fan_out: Option<Arc<FanOut>>,
}

/// Names one client for good: the serial notifies it from a later one in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// Which shard.
    pub shard: u16,
    /// Its place there.
    pub slot: u32,
    /// How manieth client of that shard it is.
    pub serial: u32,
}

/// A session as the re-check sees it.
#[derive(Debug, Clone)]
pub struct ListedSession {
    /// Which one.
    pub id: SessionId,
    /// Whom it listens as.
    pub recipient: Recipient,
    /// Why it may be here.
    pub auth_method: AuthMethod,
}

/// What a shard is asked to do.
pub enum ShardCommand<T> {
    /// Take in a client.
    Join(JoinRequest<T>),
    /// Tell somebody something.
    Tell(NotifyCommand),
    /// Events may have been missed: notify everyone that something changed, within this time.
    Gap {
        /// Over how long to spread it.
        spread: Millis,
        /// Counts over all shards.
        fan_out: Arc<FanOut>,
    },
    /// Serve clients on other session_policy from now on.
    ApplyPolicy(SessionPolicy),
    /// Close one session.
    Close(SessionId, CloseReason),
    /// Close every session of a recipient, or of everybody; say how many.
    Disconnect(Option<Recipient>, CloseReason, oneshot::Sender<usize>),
    /// Say how many clients listen as this recipient.
    Count(Recipient, oneshot::Sender<usize>),
    /// List sessions from this place on, so many at most.
    List(u32, usize, oneshot::Sender<Vec<ListedSession>>),
}

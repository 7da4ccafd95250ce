//! The commands that the hub's handle sends to its shards.

use super::{context::SessionPolicy, rate_limiter::FanOut};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient, ConnectionPermit,
        notice::{Notice, NoticeAudience},
        recipient::Recipient,
        session::{CloseReason, Millis},
    },
    websocket::frame::Frame,
};
use bytes::Bytes;
use std::{any::Any, sync::Arc};
use tokio::{sync::oneshot, time::Instant};

/// A client that has logged in, with what it sent after its credentials.
pub struct JoinRequest<T> {
    /// Its socket, non-blocking.
    pub transport: T,
    /// Bytes already read from the socket.
    pub leftover: Bytes,
    /// The login. Its recipient is the client's primary subscription, which lasts as long as the session.
    pub authenticated: AuthenticatedClient,
    /// Subscriptions besides the primary one.
    pub subscriptions: Vec<Recipient>,
    /// What the client receives first; without it, the dialect's welcome.
    pub greeting: Option<GreetingFrames>,
    /// Its place within the connection limit, where the service has one.
    pub permit: Option<ConnectionPermit>,
    /// Dropped when the session ends, for a limit of the service's own.
    pub guard: Option<SessionGuard>,
}

/// A value that lasts as long as a session.
pub type SessionGuard = Box<dyn Any + Send>;

/// Makes the frames that a client receives first, once it is registered: every later notice comes after
/// them, and none is lost in between. Runs on the push path: it must be quick and must not block.
pub type GreetingFrames = Box<dyn FnOnce() -> Vec<Frame> + Send>;

impl<T> JoinRequest<T> {
    /// A client with only its primary subscription and the usual welcome.
    pub fn new(transport: T, leftover: Bytes, authenticated: AuthenticatedClient) -> Self {
        Self {
            transport,
            leftover,
            authenticated,
            subscriptions: Vec::new(),
            greeting: None,
            permit: None,
            guard: None,
        }
    }
}

/// A notice for some of a shard's clients.
#[derive(Debug)]
pub struct NotifyCommand {
    /// The clients concerned; recipients of other shards are skipped.
    pub audience: NoticeAudience,
    /// What they are notified of.
    pub notice: Notice,
    /// When the event was received: debounce and delivery times count from here.
    pub received_at: Millis,
    /// The same time for the statistics.
    pub at: Instant,
    /// Counts the clients of this notice over all shards; `None` where only this shard is concerned.
    pub fan_out: Option<Arc<FanOut>>,
}

/// Identifies one session for good: the serial differs from that of a later session in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// The number of the shard.
    pub shard: u16,
    /// The client's slot in the shard.
    pub slot: u32,
    /// Counts the clients of the shard.
    pub serial: u32,
}

/// A session as the recheck of logins needs it.
#[derive(Debug, Clone)]
pub struct ListedSession {
    /// Identifies the session.
    pub id: SessionId,
    /// Its primary subscription.
    pub recipient: Recipient,
    /// How it logged in.
    pub auth_method: AuthMethod,
}

/// A request to one shard.
pub enum ShardCommand<T> {
    /// Register a client.
    Join(JoinRequest<T>),
    /// Notify some of the clients.
    Notify(NotifyCommand),
    /// Events may have been missed: notify every client of every topic.
    Gap {
        /// The time over which the clients are spread.
        spread: Millis,
        /// Counts the clients over all shards.
        fan_out: Arc<FanOut>,
    },
    /// Use another policy from now on.
    ApplyPolicy(SessionPolicy),
    /// Close one session.
    Close(SessionId, CloseReason),
    /// Close every session of a recipient, or all sessions; reply with their number.
    Disconnect(Option<Recipient>, CloseReason, oneshot::Sender<usize>),
    /// Reply with the number of clients that listen as this recipient.
    Count(Recipient, oneshot::Sender<usize>),
    /// List at most so many sessions, starting at this slot.
    List(u32, usize, oneshot::Sender<Vec<ListedSession>>),
}

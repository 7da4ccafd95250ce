//! What the hub's handle asks of its shards.

use super::{pacer::Crowd, shared::Terms};
use crate::{
    push::{
        notice::{Ids, Topic},
        recipient::Recipient,
        session::{Close, Millis},
    },
    services::nextcloud::login::{Admission, Grounds},
    websocket::frame::Frame,
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::{sync::oneshot, time::Instant};

/// A client that has logged in, with what it sent after its credentials.
pub struct Newcomer<T> {
    /// Its socket, non-blocking.
    pub transport: T,
    /// Bytes already read from it.
    pub leftover: Bytes,
    /// Who it is and why it may be here. The recipient is its home for as long as it stays.
    pub admission: Admission,
    /// What it listens as besides.
    pub also: Vec<Recipient>,
    /// What it hears first; none: the dialect's welcome.
    pub greeting: Option<Greeting>,
}

/// Makes what a client hears first, once it is registered: what is told from then on comes behind
/// it, and nothing falls in between. Runs on the push path: must be quick and must not block.
pub type Greeting = Box<dyn FnOnce() -> Vec<Frame> + Send>;

impl<T> Newcomer<T> {
    /// A client that listens as one recipient and is welcomed like all others.
    pub fn new(transport: T, leftover: Bytes, admission: Admission) -> Self {
        Self { transport, leftover, admission, also: Vec::new(), greeting: None }
    }
}

/// Whom a shard tells.
#[derive(Debug, Clone)]
pub enum Whom {
    /// One recipient.
    One(Recipient),
    /// These; those of other shards are passed over.
    Many(Arc<[Recipient]>),
    /// Every client.
    Everyone,
}

/// What they are told.
#[derive(Debug, Clone)]
pub enum What {
    /// Something of this topic changed.
    Change(Topic, Ids),
    /// This, at once.
    Frame(Frame),
}

/// One thing to tell.
#[derive(Debug)]
pub struct Tell {
    /// Whom.
    pub whom: Whom,
    /// What.
    pub what: What,
    /// When it happened, as far as we know: what the promised times count from.
    pub heard_at: Millis,
    /// The same, as the statistics want it.
    pub at: Instant,
    /// Those told of it so far, over all shards; `None` where only this one is concerned.
    pub crowd: Option<Arc<Crowd>>,
}

/// Names one client for good: the serial tells it from a later one in the same place.
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
pub struct Present {
    /// Which one.
    pub id: SessionId,
    /// Whom it listens as.
    pub recipient: Recipient,
    /// Why it may be here.
    pub grounds: Grounds,
}

/// What a shard is asked to do.
pub enum Command<T> {
    /// Take in a client.
    Join(Newcomer<T>),
    /// Tell somebody something.
    Tell(Tell),
    /// Events may have been missed: tell everyone that something changed, within this time.
    Gap {
        /// Over how long to spread it.
        spread: Millis,
        /// Counts over all shards.
        crowd: Arc<Crowd>,
    },
    /// Serve clients on other terms from now on.
    Adopt(Terms),
    /// Close one session.
    Close(SessionId, Close),
    /// Close every session of a recipient, or of everybody; say how many.
    Disconnect(Option<Recipient>, Close, oneshot::Sender<usize>),
    /// Say how many clients listen as this recipient.
    Count(Recipient, oneshot::Sender<usize>),
    /// List sessions from this place on, so many at most.
    List(u32, usize, oneshot::Sender<Vec<Present>>),
}

//! How one host words what its clients receive and say: the seam between the core and a host's codec.

use super::debounce::DebounceInterval;
use crate::{
    push::{
        notice::{ChangedIds, TopicId},
        recipient::Recipient,
    },
    websocket,
    websocket::frame::{CloseCode, Frame},
};
use std::{fmt, sync::Arc};

/// One kind of change a host knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name for metrics (`file`).
    pub name: &'static str,
    /// How often a client may be notified.
    pub debounce_interval: DebounceInterval,
}

/// What a client's message asks for.
#[derive(Debug, PartialEq)]
pub enum ClientRequest {
    /// Nothing that changes anything.
    Nothing,
    /// Tell me the ids of what changed from now on.
    WantIds,
    /// From now on I listen as these as well.
    Subscribe(Vec<Recipient>),
    /// And no longer as these.
    Unsubscribe(Vec<Recipient>),
    /// This is to be answered.
    Answer(Frame),
    /// What these messages are, of which I want those that are for me, in this order.
    Replay(ReplaySource),
    /// Nothing that a client may ask for: it has to go.
    Close(CloseReason),
}

/// Messages of the past, looked up only if the client may have them now.
pub struct ReplaySource(Box<dyn FnOnce() -> Vec<BacklogEntry> + Send>);

impl ReplaySource {
    /// What `look_up` finds. It runs on the push path: must be quick and must not block.
    pub fn new(look_up: impl FnOnce() -> Vec<BacklogEntry> + Send + 'static) -> Self {
        Self(Box::new(look_up))
    }

    /// Looks them up, oldest first.
    pub fn held(self) -> Vec<BacklogEntry> {
        (self.0)()
    }
}

/// Which messages they are isn't known before they are looked up: none is equal to another.
impl PartialEq for ReplaySource {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl fmt::Debug for ReplaySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Past")
    }
}

/// A message of the past, with those it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogEntry {
    /// For any of these.
    pub to: Arc<[Recipient]>,
    /// The message.
    pub frame: Frame,
}

/// Why a client is not let in: the closed set of what a peer may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// The credentials are wrong.
    Invalid,
    /// Nobody can say right now.
    TryLater,
    /// This user has as many connections as allowed.
    TooMany,
    /// The client did not say who it is in time.
    TimedOut,
    /// What was valid at log-in no longer is.
    Revoked,
}

/// Why a session ends: close codes of RFC 6455 section 7.4 with a short reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client said goodbye, with this code.
    ClosedByClient(CloseCode),
    /// The client broke the protocol; the code says how.
    Protocol(CloseCode),
    /// The connection ended without a word.
    Lost,
    /// No answer to a ping.
    Silent,
    /// The client doesn't read what it is sent.
    Slow,
    /// `MAX_CONNECTION_TIME` is over.
    Expired,
    /// An operator asked for it (`notify_signal: reset`).
    Reset,
    /// No longer entitled.
    Revoked,
    /// A newer connection has taken this one's place.
    Replaced,
    /// It asks for more than a session may have: subscriptions, or replays in a second.
    LimitExceeded,
    /// The daemon ends.
    Shutdown,
}

impl CloseReason {
    /// The code for the close frame.
    pub fn code(self) -> CloseCode {
        match self {
            Self::ClosedByClient(code) | Self::Protocol(code) => code,
            Self::Lost | Self::Silent | Self::LimitExceeded => CloseCode::POLICY,
            Self::Expired => CloseCode::NORMAL,
            Self::Slow => CloseCode::TRY_AGAIN,
            Self::Reset | Self::Shutdown => CloseCode::RESTART,
            Self::Revoked => CloseCode(4401),
            Self::Replaced => CloseCode(4409),
        }
    }

    /// The reason for the close frame.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ClosedByClient(_) | Self::Lost => "",
            Self::Protocol(_) => "protocol error",
            Self::Silent => "no answer to ping",
            Self::Slow => "too slow",
            Self::Expired => "connection time is over",
            Self::Reset => "reset",
            Self::Revoked => "login revoked",
            Self::Replaced => "replaced by a newer connection",
            Self::LimitExceeded => "too many subscriptions or replays",
            Self::Shutdown => "service restart",
        }
    }

    /// Name for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClosedByClient(_) => "client",
            Self::Protocol(_) => "protocol",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Expired => "expired",
            Self::Reset => "reset",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::LimitExceeded => "limit_exceeded",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A host's wording. Pure; called for each session, so frames that are alike should be made once.
pub trait ClientDialect: Send + Sync + 'static {
    /// The kinds of change, at most [`crate::push::notice::TOPICS`]; a [`TopicId`] is an index into it.
    fn topics(&self) -> &[TopicSpec];

    /// A change, for a client that wants ids or one that doesn't.
    fn change(&self, topic: TopicId, ids: &ChangedIds) -> Frame;

    /// What the text of a client that has joined as `primary` means.
    fn receive(&self, text: &str, primary: &Recipient) -> ClientRequest;

    /// The same for a binary message.
    fn receive_binary(&self, _message: &[u8], _home: &Recipient) -> ClientRequest {
        ClientRequest::Nothing
    }

    /// The first frame of a session, where the host has one.
    fn welcome(&self) -> Option<Frame>;

    /// The last text of a client that may not be here, where the host has words for it.
    fn refusal(&self, refusal: RejectReason) -> Option<Frame>;

    /// The longest message that a client may send, in bytes over all fragments.
    fn max_message(&self) -> usize {
        websocket::DecoderRules::FROM_CLIENT.max_message
    }
}

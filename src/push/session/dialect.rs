//! A service's wording of what its clients send and receive: the interface between hub and service.

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

/// One kind of change that a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// The label in metrics, for example `file`.
    pub name: &'static str,
    /// How often a client may be notified.
    pub debounce_interval: DebounceInterval,
}

/// What a client's message asks the hub to do.
#[derive(Debug, PartialEq)]
pub enum ClientRequest {
    /// Nothing that concerns the hub.
    Nothing,
    /// Send the ids of changed things from now on.
    WantIds,
    /// Add these subscriptions.
    Subscribe(Vec<Recipient>),
    /// End these subscriptions.
    Unsubscribe(Vec<Recipient>),
    /// Send this answer.
    Answer(Frame),
    /// Answer a ping; of many in a row only the last must be answered.
    Pong(Frame),
    /// Send those of these past messages that are for this client, in this order.
    Replay(ReplaySource),
    /// Close the session.
    Close(CloseReason),
}

/// Past messages, looked up only if the client may have them now.
pub struct ReplaySource(Box<dyn FnOnce() -> Vec<BacklogEntry> + Send>);

impl ReplaySource {
    /// The messages that `look_up` returns. It runs on the push path: it must be quick, must not block, and
    /// must hold no lock longer than it takes to copy them.
    pub fn new(look_up: impl FnOnce() -> Vec<BacklogEntry> + Send + 'static) -> Self {
        Self(Box::new(look_up))
    }

    /// Looks the messages up, oldest first.
    pub fn entries(self) -> Vec<BacklogEntry> {
        (self.0)()
    }
}

/// Two sources are never equal: their messages aren't known before they are looked up.
impl PartialEq for ReplaySource {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl fmt::Debug for ReplaySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplaySource")
    }
}

/// A past message with its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogEntry {
    /// The recipients that may receive it.
    pub to: Arc<[Recipient]>,
    /// The message as a frame.
    pub frame: Frame,
}

/// Why a login is rejected: everything that a client may learn about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// The credentials are wrong.
    Invalid,
    /// The login can't be decided now.
    TryLater,
    /// This user has as many connections as allowed.
    TooMany,
    /// The client sent no credentials in time.
    TimedOut,
    /// The login is no longer valid.
    Revoked,
}

/// Why a session ends: close codes of RFC 6455 section 7.4 with a short reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client closed the connection with this code.
    ClosedByClient(CloseCode),
    /// The client broke the protocol; the code says how.
    Protocol(CloseCode),
    /// The connection ended without a close frame.
    Lost,
    /// No answer to a ping.
    Silent,
    /// The client doesn't read, or reads too slowly.
    Slow,
    /// `MAX_CONNECTION_TIME` is over.
    Expired,
    /// An operator asked for it (`notify_signal: reset`).
    Reset,
    /// The login is no longer valid.
    Revoked,
    /// A newer connection has taken this one's place.
    Replaced,
    /// The client asked for too many subscriptions, or too many replays in a second.
    LimitExceeded,
    /// The daemon shuts down.
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

    /// The name in logs.
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

/// A service's wording. It has no side effects on the session. It is called for each session, so equal
/// frames should be made once.
pub trait ClientDialect: Send + Sync + 'static {
    /// The kinds of change, at most [`crate::push::notice::TOPICS`]; a [`TopicId`] is an index into it.
    fn topics(&self) -> &[TopicSpec];

    /// A change, for a client that wants ids or one that doesn't.
    fn change(&self, topic: TopicId, ids: &ChangedIds) -> Frame;

    /// What a client with this primary recipient asks for with a text message.
    fn receive(&self, text: &str, primary: &Recipient) -> ClientRequest;

    /// What it asks for with a binary message.
    fn receive_binary(&self, _message: &[u8], _primary: &Recipient) -> ClientRequest {
        ClientRequest::Nothing
    }

    /// The first frame of a session, where the service has one.
    fn welcome(&self) -> Option<Frame>;

    /// The last text to a client whose login is rejected or revoked, where the service has one.
    fn refusal(&self, refusal: RejectReason) -> Option<Frame>;

    /// Whether clients of this recipient are notified of changes at all: where not, they aren't asked to
    /// resync after a gap either.
    fn receives_changes(&self, _primary: &Recipient) -> bool {
        true
    }

    /// The longest message that a client may send, in bytes over all fragments.
    fn max_message(&self) -> usize {
        websocket::DecoderRules::FROM_CLIENT.max_message
    }
}

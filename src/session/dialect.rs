//! How one host words what its clients hear and say: the seam between the core and a host's codec.

use super::pace::Tempo;
use crate::{
    frame::{CloseCode, Frame},
    notice::{Ids, Topic},
};

/// One kind of change a host knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name for metrics (`file`).
    pub name: &'static str,
    /// How often a client may be told.
    pub tempo: Tempo,
}

/// What a client's text frame asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that changes anything.
    Nothing,
    /// Tell me the ids of what changed from now on.
    WantIds,
}

/// Why a client is not let in: the closed set of what a peer may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
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
pub enum Close {
    /// The client said goodbye, with this code.
    Goodbye(CloseCode),
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
    /// The daemon ends.
    Shutdown,
}

impl Close {
    /// The code for the close frame.
    pub fn code(self) -> CloseCode {
        match self {
            Self::Goodbye(code) | Self::Protocol(code) => code,
            Self::Lost | Self::Silent => CloseCode::POLICY,
            Self::Expired => CloseCode::NORMAL,
            Self::Slow => CloseCode::TRY_AGAIN,
            Self::Reset | Self::Shutdown => CloseCode::RESTART,
            Self::Revoked => CloseCode(4401),
        }
    }

    /// The reason for the close frame.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Goodbye(_) | Self::Lost => "",
            Self::Protocol(_) => "protocol error",
            Self::Silent => "no answer to ping",
            Self::Slow => "too slow",
            Self::Expired => "connection time is over",
            Self::Reset => "reset",
            Self::Revoked => "login revoked",
            Self::Shutdown => "service restart",
        }
    }

    /// Name for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Goodbye(_) => "goodbye",
            Self::Protocol(_) => "protocol",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Expired => "expired",
            Self::Reset => "reset",
            Self::Revoked => "revoked",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A host's wording. Pure; called for each session, so frames that are alike should be made once.
pub trait Dialect: Send + Sync + 'static {
    /// The kinds of change, at most [`crate::notice::TOPICS`]; a [`Topic`] is an index into it.
    fn topics(&self) -> &[TopicSpec];

    /// A change, for a client that wants ids or one that doesn't.
    fn change(&self, topic: Topic, ids: &Ids) -> Frame;

    /// What a logged-in client's text means.
    fn hear(&self, text: &str) -> Heard;

    /// The first frame of a session.
    fn welcome(&self) -> Frame;

    /// The last text of a client that may not be here.
    fn refusal(&self, refusal: Refusal) -> Frame;
}

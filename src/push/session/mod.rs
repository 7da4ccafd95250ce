//! The session of one client as a state machine without the socket.
//!
//! Time is passed in as [`Millis`], and frames to send are returned: no socket, no clock, no task.

mod debounce;
mod dialect;
mod heartbeat;
mod machine;
mod pending_notices;

pub use debounce::{DebounceInterval, DebouncePolicy};
pub use dialect::{
    BacklogEntry, ClientDialect, ClientRequest, CloseReason, RejectReason, ReplaySource, TopicSpec,
};
pub use heartbeat::{ANSWER_WITHIN, PING_AFTER};
pub use machine::{Session, SessionAction, SessionRules};
pub use pending_notices::{NoticeLatency, PendingNotices};

/// Milliseconds since the start of the hub.
pub type Millis = u64;

//! One client's conversation as a state machine without the socket.
//!
//! Time comes in as [`Millis`], what is to be sent goes out as frames: no socket, no clock, no task.

mod dialect;
mod heartbeat;

mod debounce;
mod machine;
mod pending_notices;

pub use dialect::{
    BacklogEntry, ClientDialect, ClientRequest, CloseReason, RejectReason, ReplaySource, TopicSpec,
};
pub use heartbeat::{ANSWER_WITHIN, PING_AFTER};

pub use debounce::{DebounceInterval, DebouncePolicy};
pub use machine::{Session, SessionAction, SessionRules};
pub use pending_notices::{NoticeLatency, PendingNotices};

/// Milliseconds since the hub's epoch (its start).
pub type Millis = u64;

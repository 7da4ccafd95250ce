//! One client's conversation as a state machine without the socket.
//!
//! Time comes in as [`Millis`], what is to be sent goes out as frames: no socket, no clock, no task.

mod dialect;
mod heartbeat;

mod machine;
mod outbox;
mod pace;

pub use dialect::{Close, Dialect, Heard, Held, Past, Refusal, TopicSpec};
pub use heartbeat::{ANSWER_WITHIN, PING_AFTER};

pub use machine::{Due, Rules, Session};
pub use outbox::{Outbox, Waited};
pub use pace::{Pace, Tempo};

/// Milliseconds since the hub's epoch (its start).
pub type Millis = u64;

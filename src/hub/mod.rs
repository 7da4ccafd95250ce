//! Recipients to sessions: the shards that hold every logged-in client.
//!
//! A recipient's clients all live in one shard, which one task looks after: no lock on the push
//! path, and the order of what one recipient is told is the order it was told in.

mod backlog;
mod client;
mod command;
mod event_loop;
mod fan_out;
mod handle;
mod members;
mod observe;
mod pacer;
mod presence;
mod shard;
mod shared;
#[cfg(test)]
mod simulation;
mod tally;
mod timers;
mod transport;

pub use backlog::{MAX_BYTES, MAX_FRAMES, WRITE_DEADLINE};
pub use command::{Newcomer, Present, SessionId};
pub use handle::{Depths, Hub, HubClosed};
pub use observe::{Observer, Unobserved};
pub use pacer::AT_ONCE;
pub use presence::Presence;
pub use shared::{HubSettings, Limits, Terms};
pub use transport::{Transport, Watcher};

use shared::Shared;

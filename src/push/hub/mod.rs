//! Recipients to sessions: the shards that hold every logged-in client.
//!
//! Each client lives in one shard, which one task looks after: no lock on the push path, and the
//! order of what a client is told is the order it was told in. Where clients listen as one recipient
//! each, all of a recipient's share a shard and no other is asked ([`Dealing`]).

mod backlog;
mod client;
mod command;
mod departure;
mod event_loop;
mod fan_out;
mod handle;
mod listening;
mod members;
mod observe;
mod pacer;
mod presence;
mod shard;
mod shared;
#[cfg(test)]
mod simulation;
mod subscriptions;
mod tally;
mod timers;
mod transport;

pub use command::{Greeting, Newcomer, Present, SessionId};
pub use handle::{Depths, Hub, HubClosed};
pub use observe::Observer;
pub use presence::Presence;
pub use shared::{Dealing, HubSettings, Limits, Terms};
pub use transport::{Transport, Watcher};

use shared::Shared;

//! Recipients to sessions: the shards that hold every logged-in client.
//!
//! Each client lives in one shard, which one task looks after: no lock on the push path, and the
//! order of what a client is notified is the order it was notified in. Where clients listen as one recipient
//! each, all of a recipient's share a shard and no other is asked ([`ShardPolicy`]).

mod backlog;
mod client;
mod closing;
mod command;
mod context;
mod deadlines;
mod event_loop;
mod fan_out;
mod handle;
mod membership;
mod observer;
mod presence;
mod rate_limiter;
mod requests;
mod round_stats;
mod shard;
#[cfg(test)]
mod simulation;
mod subscription_table;
mod transport;

pub use command::{GreetingFrames, JoinRequest, ListedSession, SessionId};
pub use context::{HubLimits, HubSettings, SessionPolicy, ShardPolicy};
pub use handle::{Hub, HubClosed, HubDepths};
pub use observer::HubObserver;
pub use presence::PresenceTracker;
pub use transport::{ClientTransport, TransportWatcher};

use context::HubContext;

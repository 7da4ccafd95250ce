//! From recipients to sockets: the shards that hold every logged-in client.
//!
//! Each client lives in one shard, which one task serves: the push path has no lock, and a client
//! receives notices in the order in which they were sent. Where clients have only a primary
//! subscription, all clients of a recipient share a shard, and no other is asked ([`ShardPolicy`]).

mod backlog;
mod backlog_memory;
mod client;
mod clients;
mod closing;
mod command;
mod context;
mod deadlines;
mod delay_cause;
mod event_loop;
mod fan_out;
mod fan_out_job;
mod handle;
mod inbound;
mod inbound_queue;
mod inbound_rate;
mod joining;
mod membership;
mod observer;
mod presence;
mod rate_limiter;
mod replay_limiter;
mod requests;
mod round_stats;
mod sending;
mod shard;
#[cfg(test)]
mod simulation;
mod transport;
mod work;

pub use backlog_memory::BacklogMemory;
pub use command::{GreetingFrames, JoinRequest, ListedSession, SessionGuard, SessionId};
pub use context::{HubLimits, HubSettings, SessionPolicy, ShardPolicy};
pub use handle::{Hub, HubClosed, HubDepths};
pub use observer::HubObserver;
pub use presence::PresenceTracker;
pub use transport::{ClientTransport, TransportWatcher};

use context::HubContext;

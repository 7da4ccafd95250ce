//! TODO purpose.

mod bridge;
mod connection_limit;
pub mod hub;
mod metrics;
pub mod notice;
pub mod recipient;
pub mod session;
pub use bridge::{Relay, Relayed};
pub use connection_limit::{Aside, PROBE, Room, Seat};
pub use metrics::{HubMetrics, SessionEnd, SessionRefusal};

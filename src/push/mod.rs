//! TODO purpose.

mod authentication;
pub use authentication::{AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials};
mod bridge;
mod connection_limit;
pub mod hub;
mod metrics;
pub mod notice;
pub mod recipient;
pub mod session;
pub use bridge::{BridgeEvent, SessionBridge};
pub use connection_limit::{ConnectionLimit, ConnectionPermit, ExemptPermit, PROBE};
pub use metrics::{HubMetrics, SessionEndLabel, SessionRefusalLabel};

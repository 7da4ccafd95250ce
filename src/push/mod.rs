//! Delivery to logged-in clients: the hub, its sessions, and what both are addressed with.
//!
//! Only services that have clients use it. It knows no service: how messages are worded, and who may
//! log in, comes from the service through [`session::ClientDialect`] and [`AuthenticatedClient`].

mod login_metrics;
pub use login_metrics::AuthMetrics;
mod decision;
pub use decision::{AuthDecision, LoginResult};
mod authentication;
mod bridge;
mod connection_limit;
pub mod hub;
mod metrics;
pub mod notice;
#[cfg(test)]
pub(crate) mod plain_dialect;
pub mod recipient;
pub mod session;

pub use authentication::{
    AppPasswordLogin, AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials, TicketOwner,
};
pub use bridge::{BridgeEvent, SessionBridge};
pub use connection_limit::{ConnectionCount, ConnectionLimit, ConnectionPermit, ExemptPermit};
pub use metrics::{HubMetrics, SessionEndLabel, SessionRefusalLabel};

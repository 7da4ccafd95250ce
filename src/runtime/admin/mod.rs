//! What operators use: the metrics listener for anyone who reaches it, and the admin listener for
//! programs on this machine.

mod access;
mod client;
mod healthcheck;
mod routes;
mod status;

pub use client::{AdminClientError, AdminCommand, ask};
pub use healthcheck::healthcheck;
pub use routes::{AdminApi, NamedSessions, admin, metrics};
pub use status::{MAX_WATCHERS, StatusContext};

/// The path of the metrics page.
const METRICS: &str = "metrics";
/// The path of the log filter: GET, PUT a new one, DELETE the temporary one.
const LOG_LEVEL: &str = "log-level";
/// The path to POST a user's name to, whose sessions are then closed.
const REVOKE: &str = "revoke";
/// The path of the list of sessions.
const SESSIONS: &str = "sessions";
/// The query parameter that names a service, where there are several.
const SERVICE: &str = "service";
/// The query parameter that names a user.
const USER: &str = "user";

/// The longest body of a control request, in bytes.
const MAX_BODY: usize = 1024;

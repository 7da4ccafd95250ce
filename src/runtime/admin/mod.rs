//! What the metrics listener answers: numbers to anybody, the status page and control to this
//! machine alone.

mod access;
mod client;
mod healthcheck;
mod routes;
mod status;

pub use client::{AdminClientError, AdminCommand, ask};
pub use healthcheck::healthcheck;
pub use routes::{AdminApi, RevokeSessions, admin};
pub use status::{MAX_WATCHERS, StatusContext};

/// Where the metrics are.
const METRICS: &str = "metrics";
/// The log filter: GET, PUT a new one, DELETE the temporary one.
const LOG_LEVEL: &str = "log-level";
/// POST the name of a user, whose sessions are then closed.
const REVOKE: &str = "revoke";
/// The query that says of which host the user is, where there are several.
const HOST_QUERY: &str = "host=";

/// The longest body of a control request, in bytes.
const MAX_BODY: usize = 1024;

//! Who may listen, and as whom: authenticators in a chain, tickets, throttle, hashing.

mod dialogue;
mod handler;
mod metrics;
pub use dialogue::{Dialogue, Step};
pub use handler::{Ending, Login};
pub use metrics::{AuthMetrics, CheckVerdict, LoginOutcome};
mod chain;
mod credentials;
pub(crate) mod fair_queue;
mod fingerprint;
mod guard;
pub mod hashing;

pub mod throttle;
pub mod ticket;

pub use chain::{Chain, Observation, Outcome, Said};
pub use credentials::{Admission, Attempt, Credentials, Grounds};
pub use fingerprint::{Fingerprint, Fingerprints};
pub use guard::Guard;

use futures_util::future::BoxFuture;

/// What one authenticator says of an attempt.
#[derive(Debug)]
pub enum Verdict {
    /// Yes, and this is who it is.
    Accept(Admission),
    /// No, and nobody else need be asked.
    Reject,
    /// Not mine to decide: ask the next.
    Abstain,
    /// Mine to decide, but what I need is not reachable: ask the next; if nobody decides, the
    /// client hears "try again later", never "no".
    Unavailable,
}

/// One way to decide a log-in.
pub trait Authenticator: Send + Sync {
    /// Short lower-case name for metrics and logs (`ticket`, `database`, `nextcloud`).
    fn name(&self) -> &'static str;

    /// Decides. Must be bounded in time and must not block the thread. Dropping the future is how
    /// a client that left gives its turn up.
    fn check<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Verdict>;
}

//! Who may listen, and as whom: authenticators in a chain, tickets, throttle, hashing.

mod handler;
mod login_exchange;

pub use handler::{LoginHandler, LoginResult};
pub use login_exchange::{LoginExchange, LoginProgress};

mod chain;

pub(crate) mod fair_queue;
mod fingerprint;
mod guard;
pub mod hashing;

pub mod throttle;
pub mod ticket;

pub use chain::{AuthDecision, AuthObservation, AuthenticatorChain, VerdictKind};

pub use fingerprint::{ClaimFingerprint, ClaimFingerprinter};
pub use guard::LoginGuard;

use crate::push::{AuthenticatedClient, LoginAttempt};
use futures_util::future::BoxFuture;

/// What one authenticator says of an attempt.
#[derive(Debug)]
pub enum AuthVerdict {
    /// Yes, and this is who it is.
    Accept(AuthenticatedClient),
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
    fn check<'a>(&'a self, attempt: &'a LoginAttempt) -> BoxFuture<'a, AuthVerdict>;
}

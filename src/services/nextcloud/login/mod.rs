//! Logins of Nextcloud's clients: credentials, a chain of authenticators, tickets, throttle, hashing.

mod attempt_record;
mod chain;
pub(crate) mod fair_queue;
mod fingerprint;
mod guard;
mod handler;
pub mod hashing;
mod login_exchange;
mod refusal_log;
pub mod throttle;
pub mod ticket;

pub use attempt_record::AttemptRecord;
pub use chain::{AuthObservation, AuthenticatorChain};
pub use fingerprint::{ClaimFingerprint, ClaimFingerprinter};
pub use guard::LoginGuard;
pub use handler::LoginHandler;
pub use login_exchange::{LoginExchange, LoginProgress};
pub use refusal_log::RefusalLog;

use crate::push::{AuthDecision, LoginAttempt};
use futures_util::{FutureExt, future::BoxFuture};

/// One way to decide a login.
pub trait Authenticator: Send + Sync {
    /// A short lower-case name for metrics and logs (`ticket`, `database`, `nextcloud`).
    fn name(&self) -> &'static str;

    /// Decides the attempt, and notes in `record` what speaks against it. The time must be bounded
    /// and the thread must not block. Dropping the future gives the place in a queue up.
    fn check<'a>(
        &'a self,
        attempt: &'a LoginAttempt,
        record: &'a AttemptRecord,
    ) -> BoxFuture<'a, AuthDecision>;

    /// Spends the time that this attempt has not cost so far, although an attempt with the name of
    /// a known user would have. Called for attempts that no authenticator accepted, so that the
    /// time tells no user names.
    fn equalize<'a>(
        &'a self,
        _attempt: &'a LoginAttempt,
        _record: &'a AttemptRecord,
    ) -> BoxFuture<'a, ()> {
        std::future::ready(()).boxed()
    }
}

//! Log-ins decided from Nextcloud's database, exactly as Nextcloud would (`specs/nextcloud.md`
//! section 7), and whether those who are in may stay.

mod account_password;
mod app_password;
mod database_authenticator;
mod fingerprint;
mod revocation;
mod token_lookup;

pub use database_authenticator::{ChainPosition, DatabaseAuthenticator, LoginRules, WallClock};
pub use fingerprint::PasswordFingerprinter;
pub use revocation::{RevocationBasis, RevocationChecker, SessionCheck};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, as Nextcloud stores moments.
fn seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// What the rules make of a log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AccountDecision {
    /// Let in as this user id, canonical.
    Yes(String),
    /// Nextcloud would refuse.
    No,
    /// Only Nextcloud itself can tell.
    Abstain,
}

/// `preferences(userid, 'core', 'enabled')` as it reads for a disabled user.
const DISABLED: &str = "false";

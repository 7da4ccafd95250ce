//! Log-ins decided from Nextcloud's database, exactly as Nextcloud would (`specs/nextcloud.md`
//! section 7), and whether those who are in may stay.

mod account_password;
mod app_password;
mod authenticator;
mod fingerprint;
mod revocation;
mod tokens;

pub use authenticator::{Accounts, Clock, LoginRules, Voice};
pub use fingerprint::Fingerprint;
pub use revocation::{Claim, Revocation, Tenure};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, as Nextcloud stores moments.
fn seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// What the rules make of a log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// Let in as this user id, canonical.
    Yes(String),
    /// Nextcloud would refuse.
    No,
    /// Only Nextcloud itself can tell.
    NotOurs,
}

/// `preferences(userid, 'core', 'enabled')` as it reads for a disabled user.
const DISABLED: &str = "false";

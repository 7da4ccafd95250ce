//! Decides logins from Nextcloud's database as Nextcloud itself would (`specs/nextcloud.md` section
//! 7), and which sessions are no longer valid.

mod account_password;
mod app_password;
mod database_authenticator;
mod fingerprint;
mod hash_cost;
mod revocation;
mod ticket_owner;
mod token_lookup;

pub use app_password::UncheckedTokens;
pub use database_authenticator::{ChainPosition, DatabaseAuthenticator, LoginRules, WallClock};
pub use fingerprint::PasswordFingerprinter;
pub use revocation::{RecheckFindings, RevocationBasis, RevocationChecker, SessionCheck};
pub use ticket_owner::TicketOwnerLookup;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, as Nextcloud stores times.
fn seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// The value of `preferences(userid, 'core', 'enabled')` for a disabled user.
const DISABLED: &str = "false";

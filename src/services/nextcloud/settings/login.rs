//! Who may log in, and what a wrong password costs.

use crate::config::secret::Secret;
use std::{fmt, num::NonZeroU32, time::Duration};

/// The settings of logins: `specs/nextcloud.md` section 7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSettings {
    /// The authenticators after the tickets, in this order; never empty, each at most once.
    pub steps: Vec<AuthStep>,
    /// config.php's `secret`, which app passwords are hashed with. None: app passwords are not
    /// decided from the database.
    pub secret: Option<Secret>,
    /// config.php's `token_auth_enforced`: account passwords are refused.
    pub token_auth_enforced: bool,
    /// The users for which config.php enforces a second factor.
    pub two_factor: TwoFactorPolicy,
    /// What a wrong password costs.
    pub throttle: ThrottleSettings,
    /// How long a session decided by Nextcloud lasts before Nextcloud is asked again.
    pub reauth_interval: Duration,
    /// What happens to an app password whose last check by Nextcloud is old.
    pub token_check: TokenCheck,
    /// In this time every session is looked at in the database once: [`RECHECK_ROUND`].
    pub recheck_round: Duration,
}

/// With the queries themselves a look at everybody stays below the promised minute. Nothing that an
/// operator sets: a promise.
pub const RECHECK_ROUND: Duration = Duration::from_secs(28);

/// What happens to an app password that is valid in the database, but whose account password Nextcloud
/// hasn't checked for five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenCheck {
    /// Nextcloud is asked before the client is accepted.
    First,
    /// The client is accepted, and Nextcloud is asked afterwards, so many times a second.
    Later(NonZeroU32),
}

impl fmt::Display for TokenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Later(rate) => write!(f, "{rate} a second"),
        }
    }
}

/// One of those who are asked whether a password is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthStep {
    /// Nextcloud's tables in its database.
    Database,
    /// Nextcloud over HTTP.
    Nextcloud,
}

impl fmt::Display for AuthStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Nextcloud => "nextcloud",
        })
    }
}

/// The users that need a second factor: `twofactor_enforced*` in config.php.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TwoFactorPolicy {
    /// `twofactor_enforced`; the groups below mean nothing without it.
    pub enforced: bool,
    /// Only for members of these; empty: for everybody.
    pub groups: Vec<String>,
    /// But not for members of these.
    pub excluded_groups: Vec<String>,
}

/// The throttle of failed logins per client address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// `auth.bruteforce.protection.enabled`.
    pub enabled: bool,
    /// Failures in 30 minutes after which an address is refused: `auth.bruteforce.max-attempts`.
    pub max_attempts: u32,
    /// Leading bits of an IPv4 address that count as one client, at most 32.
    pub ipv4_prefix: u8,
    /// The same for IPv6, at most 128: `security.ipv6_normalized_subnet_size`.
    pub ipv6_prefix: u8,
}

impl Default for ThrottleSettings {
    /// Nextcloud's own: `specs/nextcloud.md` section 7.
    fn default() -> Self {
        Self { enabled: true, max_attempts: 10, ipv4_prefix: 32, ipv6_prefix: 56 }
    }
}

//! Takes over the settings of a Nextcloud that take effect on reload.

use super::NextcloudServiceSettings;
use crate::config::{
    SettingChange,
    change::{SettingComparison, differing},
};

/// The same for one Nextcloud: [`NextcloudServiceSettings::take_over`].
const LIVE: &[SettingComparison<NextcloudServiceSettings>] = &[
    ("MAX_DEBOUNCE_TIME", |a, b| a.delivery.max_debounce == b.delivery.max_debounce),
    ("DEBOUNCE_DISABLE", |a, b| a.delivery.debounce_disabled == b.delivery.debounce_disabled),
    ("PUSH_RATE", |a, b| a.delivery.push_rate == b.delivery.push_rate),
    ("MAX_CONNECTION_TIME", |a, b| a.delivery.max_connection == b.delivery.max_connection),
    ("MAX_CONNECTIONS", |a, b| a.delivery.max_connections == b.delivery.max_connections),
    ("TRUSTED_PROXIES or trusted_proxies", |a, b| a.proxies.trusted == b.proxies.trusted),
    ("THROTTLE_MAX_ATTEMPTS or auth.bruteforce.max-attempts", |a, b| {
        a.auth.throttle.max_attempts == b.auth.throttle.max_attempts
    }),
];

/// Connections that stand, and who decides.
const FIXED: &[SettingComparison<NextcloudServiceSettings>] = &[
    ("the database (DATABASE_URL, DATABASE_PREFIX or db…)", |a, b| a.database == b.database),
    ("Redis (REDIS_… or redis…)", |a, b| a.redis == b.redis),
    (
        "Nextcloud (NEXTCLOUD_URL, NEXTCLOUD_CA, ALLOW_SELF_SIGNED, USER_AGENT, COMPAT_VERSION)",
        |a, b| a.nextcloud == b.nextcloud,
    ),
    ("AUTH", |a, b| a.auth.steps == b.auth.steps),
    ("NEXTCLOUD_SECRET or secret", |a, b| a.auth.secret == b.auth.secret),
    ("token_auth_enforced", |a, b| a.auth.token_auth_enforced == b.auth.token_auth_enforced),
    ("twofactor_enforced", |a, b| a.auth.two_factor == b.auth.two_factor),
    ("TOKEN_CHECK_RATE", |a, b| a.auth.token_check == b.auth.token_check),
    ("REAUTH_INTERVAL", |a, b| a.auth.reauth_interval == b.auth.reauth_interval),
    ("auth.bruteforce.protection.enabled", |a, b| {
        a.auth.throttle.enabled == b.auth.throttle.enabled
    }),
    ("THROTTLE_IPV4_PREFIX or THROTTLE_IPV6_PREFIX", |a, b| prefixes(a) == prefixes(b)),
    ("FORWARDED_FOR_HEADERS", |a, b| a.proxies.headers == b.proxies.headers),
];

fn prefixes(settings: &NextcloudServiceSettings) -> (u8, u8) {
    (settings.auth.throttle.ipv4_prefix, settings.auth.throttle.ipv6_prefix)
}

impl NextcloudServiceSettings {
    /// Takes over the settings that take effect at once; the others stay as they are.
    pub fn apply_live(&mut self, new: &Self) {
        self.delivery.clone_from(&new.delivery);
        self.proxies.trusted.clone_from(&new.proxies.trusted);
        self.auth.throttle.max_attempts = new.auth.throttle.max_attempts;
    }
}

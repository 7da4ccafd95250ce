//! What differs between the settings in force and those that were read again.

use super::{InstanceSettings, Settings};
use std::fmt;

/// A setting that has another value than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What an operator calls it.
    pub name: &'static str,
    /// When it takes effect.
    pub effect: Effect,
}

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// As soon as it has been read again.
    AtOnce,
    /// Never in a running daemon.
    AtTheNextStart,
}

impl Change {
    /// Other hosts than those that were started with.
    pub const HOSTS: Self = Self { name: "the list of hosts", effect: Effect::AtTheNextStart };
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.effect {
            Effect::AtOnce => write!(f, "{} changed: in effect now", self.name),
            Effect::AtTheNextStart => write!(
                f,
                "{} changed: takes effect at the next start, systemctl restart notify_push",
                self.name
            ),
        }
    }
}

/// A part of settings with its names; whether it is the same in both.
type Part<S> = (&'static str, fn(&S, &S) -> bool);

/// What of the daemon's settings takes effect at once: [`Settings::take_over`].
const LIVE: &[Part<Settings>] = &[
    ("LOG", |a, b| a.log.filter == b.log.filter),
    ("TLS_CERT or TLS_KEY", |a, b| {
        a.listen.tls.is_none() || b.listen.tls.is_none() || a.listen.tls == b.listen.tls
    }),
    ("MAX_UNAUTHENTICATED or MAX_UNAUTHENTICATED_PER_ADDRESS", |a, b| a.strangers == b.strangers),
];

/// What only a start takes in: sockets that are bound.
const FIXED: &[Part<Settings>] = &[
    ("PORT, BIND or SOCKET_PATH", |a, b| a.listen.bind == b.listen.bind),
    ("TLS switched on or off", |a, b| a.listen.tls.is_some() == b.listen.tls.is_some()),
    ("PROXY_PROTOCOL", |a, b| a.listen.proxy_protocol == b.listen.proxy_protocol),
    ("METRICS_PORT or METRICS_SOCKET_PATH", |a, b| a.metrics == b.metrics),
    ("ADMIN_PORT or ADMIN_SOCKET_PATH", |a, b| a.admin == b.admin),
    ("LOG_FORMAT or NO_ANSI", |a, b| a.log.style == b.log.style && a.log.no_ansi == b.log.no_ansi),
    ("DRAIN_TIME", |a, b| a.drain_time == b.drain_time),
];

/// The same for one Nextcloud: [`InstanceSettings::take_over`].
const INSTANCE_LIVE: &[Part<InstanceSettings>] = &[
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
const INSTANCE_FIXED: &[Part<InstanceSettings>] = &[
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
    ("REAUTH_INTERVAL", |a, b| a.auth.reauth_interval == b.auth.reauth_interval),
    ("auth.bruteforce.protection.enabled", |a, b| {
        a.auth.throttle.enabled == b.auth.throttle.enabled
    }),
    ("THROTTLE_IPV4_PREFIX or THROTTLE_IPV6_PREFIX", |a, b| prefixes(a) == prefixes(b)),
    ("FORWARDED_FOR_HEADERS", |a, b| a.proxies.headers == b.proxies.headers),
];

fn prefixes(settings: &InstanceSettings) -> (u8, u8) {
    (settings.auth.throttle.ipv4_prefix, settings.auth.throttle.ipv6_prefix)
}

/// Every part that differs, those that take effect at once first.
fn differing<S>(live: &[Part<S>], fixed: &[Part<S>], old: &S, new: &S) -> Vec<Change> {
    let with = |effect| move |(name, same): &Part<S>| (*name, *same, effect);
    let parts = live.iter().map(with(Effect::AtOnce));
    let parts = parts.chain(fixed.iter().map(with(Effect::AtTheNextStart)));
    let differ = parts.filter(|(_, same, _)| !same(old, new));
    differ.map(|(name, _, effect)| Change { name, effect }).collect()
}

impl Settings {
    /// What another value of them changes.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        differing(LIVE, FIXED, self, new)
    }

    /// Takes over whatever takes effect at once; the rest stays as it was.
    pub fn take_over(&mut self, new: &Self) {
        self.log.filter.clone_from(&new.log.filter);
        if let (Some(files), Some(new)) = (&mut self.listen.tls, &new.listen.tls) {
            files.clone_from(new);
        }
        self.strangers.clone_from(&new.strangers);
    }
}

impl InstanceSettings {
    /// What another value of them changes.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        differing(INSTANCE_LIVE, INSTANCE_FIXED, self, new)
    }

    /// Takes over whatever takes effect at once; the rest stays as it was.
    pub fn take_over(&mut self, new: &Self) {
        self.delivery.clone_from(&new.delivery);
        self.proxies.trusted.clone_from(&new.proxies.trusted);
        self.auth.throttle.max_attempts = new.auth.throttle.max_attempts;
    }
}

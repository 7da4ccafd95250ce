//! Keys about logins: `secret`, second factor, brute-force protection.

use super::keys::{ConfigEntry, ConfigKeys};
use crate::{
    config::{ConfigError, ConfigFileValue, SourcedValue, secret::Secret},
    services::nextcloud::settings::{ThrottleSettings, TwoFactorPolicy},
};

pub(super) fn secret(keys: &ConfigKeys) -> ConfigFileValue<Secret> {
    let Some(entry) = keys.get("secret")? else { return Ok(None) };
    Ok(Some(SourcedValue { value: Secret::from(entry.text()?), source: entry.source }))
}

pub(super) fn token_auth_enforced(keys: &ConfigKeys) -> ConfigFileValue<bool> {
    let entry = keys.get("token_auth_enforced")?;
    Ok(entry.map(|entry| SourcedValue { value: entry.value.as_bool(), source: entry.source }))
}

/// Nextcloud writes `'true'`, as text; whatever is neither that nor plainly false is taken as true.
pub(super) fn two_factor(keys: &ConfigKeys) -> ConfigFileValue<TwoFactorPolicy> {
    let Some(entry) = keys.get("twofactor_enforced")? else { return Ok(None) };
    let off = entry.value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("false"));
    let value = TwoFactorPolicy {
        enforced: entry.value.as_bool() && !off,
        groups: groups(keys, "twofactor_enforced_groups")?,
        excluded_groups: groups(keys, "twofactor_enforced_excluded_groups")?,
    };
    Ok(Some(SourcedValue { value, source: entry.source }))
}

fn groups(keys: &ConfigKeys, name: &str) -> Result<Vec<String>, ConfigError> {
    let Some(entry) = keys.get(name)? else { return Ok(Vec::new()) };
    entry.list()?.iter().map(ConfigEntry::text).collect()
}

/// As far as the file speaks of it; the rest is Nextcloud's default.
pub(super) fn throttle(keys: &ConfigKeys) -> ConfigFileValue<ThrottleSettings> {
    let mut value = ThrottleSettings::default();
    let mut source = None;
    if let Some(entry) = keys.get("auth.bruteforce.protection.enabled")? {
        value.enabled = entry.value.as_bool();
        source = Some(entry.source);
    }
    if let Some(entry) = keys.get("auth.bruteforce.max-attempts")? {
        let number = entry.number()?.map(u32::try_from).unwrap_or(Ok(value.max_attempts));
        value.max_attempts = number.map_err(|_| entry.invalid("expected a number from 0 on"))?;
        source.get_or_insert(entry.source);
    }
    if let Some(entry) = keys.get("security.ipv6_normalized_subnet_size")? {
        let bits = entry.number()?.unwrap_or_else(|| i64::from(value.ipv6_prefix));
        // Nextcloud takes what is nearest within its bounds.
        value.ipv6_prefix = u8::try_from(bits.clamp(32, 64)).unwrap_or(value.ipv6_prefix);
        source.get_or_insert(entry.source);
    }
    Ok(source.map(|source| SourcedValue { value, source }))
}

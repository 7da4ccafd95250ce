//! Reads the settings of logins.

use super::super::{
    AuthSettings, AuthStep, RECHECK_ROUND, ThrottleSettings, TokenCheck, TwoFactorPolicy, table,
};
use crate::config::{
    ConfigError, ConfigFileValue, SettingLayers, SettingsReport, SourcedValue, ValueFault, parse,
    read::{duration, or_warn},
    report::listed,
    secret::Secret,
};
use std::num::NonZeroU32;

/// The values of config.php about logins.
pub(super) struct AuthInputs {
    pub(super) secret: ConfigFileValue<Secret>,
    pub(super) token_auth_enforced: ConfigFileValue<bool>,
    pub(super) two_factor: ConfigFileValue<TwoFactorPolicy>,
    pub(super) throttle: ConfigFileValue<ThrottleSettings>,
}

/// Reads the settings; `nextcloud` says whether there is a Nextcloud to ask.
pub(super) fn auth(
    layers: &SettingLayers<'_>,
    inputs: AuthInputs,
    nextcloud: bool,
    report: &mut SettingsReport,
) -> Result<AuthSettings, ConfigError> {
    let steps = steps(layers, nextcloud, report)?;
    let by_database = steps.contains(&AuthStep::Database);
    let secret = secret(layers, inputs.secret, by_database, report)?;
    let enforced = strictest(inputs.token_auth_enforced, true, report);
    let everybody = TwoFactorPolicy { enforced: true, ..TwoFactorPolicy::default() };
    let two_factor = strictest(inputs.two_factor, everybody, report);
    Ok(AuthSettings {
        steps,
        secret,
        token_auth_enforced: report.keep("token-auth-enforced", enforced, bool::to_string),
        two_factor: report.keep("twofactor-enforced", two_factor, show_two_factor),
        throttle: throttle(layers, inputs.throttle, report)?,
        reauth_interval: duration(layers, table::REAUTH_INTERVAL, report)?,
        token_check: token_check(layers, report)?,
        recheck_round: RECHECK_ROUND,
    })
}

fn token_check(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<TokenCheck, ConfigError> {
    let check = layers.get_or_default(table::TOKEN_CHECK_RATE, parse_token_check)?;
    Ok(report.keep(table::TOKEN_CHECK_RATE.name, check, TokenCheck::to_string))
}

/// Parses the value of `TOKEN_CHECK_RATE`.
fn parse_token_check(text: &str) -> Result<TokenCheck, ValueFault> {
    if text.trim() == "first" {
        return Ok(TokenCheck::First);
    }
    let rate = text.trim().parse::<u16>().ok().and_then(|rate| NonZeroU32::new(rate.into()));
    let expected = "expected requests per second, from 1 to 65535, or first";
    rate.map(TokenCheck::Later).ok_or_else(|| expected.into())
}

/// The value of the file; if it is unknown, the strictest.
fn strictest<T: Default>(
    found: ConfigFileValue<T>,
    strict: T,
    report: &mut SettingsReport,
) -> SourcedValue<T> {
    match found {
        Ok(found) => found.unwrap_or_else(|| SourcedValue::default(T::default())),
        Err(error) => {
            report.warn(format!("{error}. Treated as enforced until then"));
            SourcedValue::default(strict)
        }
    }
}

fn steps(
    layers: &SettingLayers<'_>,
    nextcloud: bool,
    report: &mut SettingsReport,
) -> Result<Vec<AuthStep>, ConfigError> {
    let given = layers.get(table::AUTH, auth_steps)?;
    let steps = match given {
        Some(given) if given.value.contains(&AuthStep::Nextcloud) && !nextcloud => {
            return Err(ConfigError::invalid(
                given.source,
                "Nextcloud is to be asked, but its URL is not known. Set --nextcloud-url or \
                 NEXTCLOUD_URL, or overwrite.cli.url in config.php",
            ));
        }
        Some(given) => given,
        None if nextcloud => SourcedValue::default(vec![AuthStep::Database, AuthStep::Nextcloud]),
        None => SourcedValue::default(vec![AuthStep::Database]),
    };
    Ok(report.keep(table::AUTH.name, steps, |steps| listed(steps, "none")))
}

fn secret(
    layers: &SettingLayers<'_>,
    file: ConfigFileValue<Secret>,
    needed: bool,
    report: &mut SettingsReport,
) -> Result<Option<Secret>, ConfigError> {
    let given = layers.get(table::NEXTCLOUD_SECRET, |text| Ok::<_, String>(Secret::from(text)))?;
    let secret = given.or_else(|| or_warn(file, report));
    let secret = secret.filter(|secret| !secret.value.is_empty());
    if secret.is_none() && needed {
        report.warn(
            "config.php's secret is not known: app passwords are not decided from the database. \
             Give the path of config.php as argument, or set NEXTCLOUD_SECRET_FILE",
        );
    }
    let name = table::NEXTCLOUD_SECRET.name;
    Ok(report.keep_some(name, secret, "none", Secret::to_string))
}

fn show_two_factor(two_factor: &TwoFactorPolicy) -> String {
    let TwoFactorPolicy { enforced, groups, excluded_groups } = two_factor;
    match (enforced, groups.is_empty(), excluded_groups.is_empty()) {
        (false, ..) => "false".into(),
        (true, true, true) => "true".into(),
        (true, true, false) => format!("true, but not for {}", listed(excluded_groups, "")),
        (true, false, true) => format!("for {}", listed(groups, "")),
        (true, false, false) => {
            format!("for {}, but not for {}", listed(groups, ""), listed(excluded_groups, ""))
        }
    }
}

/// Reads the throttle: config.php has Nextcloud's own values, flags and variables replace single ones.
fn throttle(
    layers: &SettingLayers<'_>,
    file: ConfigFileValue<ThrottleSettings>,
    report: &mut SettingsReport,
) -> Result<ThrottleSettings, ConfigError> {
    let file = or_warn(file, report).unwrap_or(SourcedValue::default(ThrottleSettings::default()));
    let max = layers.get(table::THROTTLE_MAX_ATTEMPTS, parse::count::<u32>)?;
    let v4 = layers.get(table::THROTTLE_IPV4_PREFIX, |text| parse::bits(text, 32))?;
    let v6 = layers.get(table::THROTTLE_IPV6_PREFIX, |text| parse::bits(text, 128))?;
    let max = max.unwrap_or_else(|| file.clone().map(|file| file.max_attempts));
    let v4 = v4.unwrap_or_else(|| file.clone().map(|file| file.ipv4_prefix));
    let v6 = v6.unwrap_or_else(|| file.clone().map(|file| file.ipv6_prefix));
    let enabled = file.map(|file| file.enabled);
    Ok(ThrottleSettings {
        enabled: report.keep("throttle", enabled, bool::to_string),
        max_attempts: report.keep(table::THROTTLE_MAX_ATTEMPTS.name, max, u32::to_string),
        ipv4_prefix: report.keep(table::THROTTLE_IPV4_PREFIX.name, v4, u8::to_string),
        ipv6_prefix: report.keep(table::THROTTLE_IPV6_PREFIX.name, v6, u8::to_string),
    })
}

/// Parses `AUTH`: the authenticators in the order in which they are asked.
fn auth_steps(text: &str) -> Result<Vec<AuthStep>, ValueFault> {
    const EXPECTED: &str = "expected database, nextcloud, or both in the order in which they are \
                            tried, such as database,nextcloud";
    let mut steps = Vec::new();
    for part in parse::list(text) {
        let step = match part.to_ascii_lowercase().as_str() {
            "database" => AuthStep::Database,
            "nextcloud" => AuthStep::Nextcloud,
            _ => return Err(ValueFault::entry(part, EXPECTED)),
        };
        if steps.contains(&step) {
            return Err(ValueFault::entry(part, EXPECTED));
        }
        steps.push(step);
    }
    if steps.is_empty() { Err(EXPECTED.into()) } else { Ok(steps) }
}

#[cfg(test)]
mod tests {
    use super::{AuthStep, ThrottleSettings, auth_steps, table};
    use crate::config::setting::SettingDefault;

    #[test]
    fn the_table_has_the_defaults_of_the_throttle() {
        let default = ThrottleSettings::default();
        for (setting, value) in [
            (table::THROTTLE_MAX_ATTEMPTS, default.max_attempts.to_string()),
            (table::THROTTLE_IPV4_PREFIX, default.ipv4_prefix.to_string()),
            (table::THROTTLE_IPV6_PREFIX, default.ipv6_prefix.to_string()),
        ] {
            assert!(matches!(setting.default, SettingDefault::Text(text) if text == value));
        }
    }

    #[test]
    fn steps_are_ordered_and_named_once() {
        assert_eq!(auth_steps("nextcloud"), Ok(vec![AuthStep::Nextcloud]));
        let both = auth_steps("nextcloud, database").unwrap();
        assert_eq!(both, [AuthStep::Nextcloud, AuthStep::Database]);
        for text in ["", "ldap", "database,database"] {
            assert!(auth_steps(text).is_err(), "{text}");
        }
    }
}

//! `trusted_proxies` and `forwarded_for_headers`.

use super::keys::{ConfigEntry, ConfigKeys};
use crate::config::{ConfigFileValue, SourcedValue, header, network};
use http::HeaderName;
use ipnet::IpNet;

/// What is no address or network is left out with a warning: that trusts less, never more.
pub(super) fn trusted(
    keys: &ConfigKeys,
    warnings: &mut Vec<String>,
) -> ConfigFileValue<Vec<IpNet>> {
    let Some(entry) = keys.get("trusted_proxies")? else { return Ok(None) };
    let value = understood(&entry, network, "no address or network; not trusted", warnings)?;
    Ok(Some(SourcedValue { value, source: entry.source }))
}

pub(super) fn headers(
    keys: &ConfigKeys,
    warnings: &mut Vec<String>,
) -> ConfigFileValue<Vec<HeaderName>> {
    let Some(entry) = keys.get("forwarded_for_headers")? else { return Ok(None) };
    let value = understood(&entry, header, "no name of a header; left out", warnings)?;
    let found = (!value.is_empty()).then_some(value);
    Ok(found.map(|value| SourcedValue { value, source: entry.source }))
}

fn understood<T>(
    entry: &ConfigEntry<'_>,
    read: fn(&str) -> Option<T>,
    problem: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<T>, crate::config::ConfigError> {
    let mut values = Vec::new();
    for element in entry.elements()? {
        match element {
            Ok(element) => match element.text().ok().as_deref().and_then(read) {
                Some(value) => values.push(value),
                None => warnings.push(format!("{}: {problem}", element.source)),
            },
            Err(unknown) => warnings.push(format!("{unknown}. It is left out until then")),
        }
    }
    Ok(values)
}

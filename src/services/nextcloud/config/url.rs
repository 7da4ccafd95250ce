//! Where Nextcloud answers: `overwrite.cli.url`, else what the trusted domain leads to.

use super::{
    keys::{ConfigEntry, ConfigKeys},
    php::Value,
};
use crate::{
    config::{ConfigError, ConfigFileValue, SourcedValue},
    services::nextcloud::settings::{guessed_scheme, nextcloud_url},
};
use url::Url;

const NAME: &str = "overwrite.cli.url";

pub(super) fn url(keys: &ConfigKeys, warnings: &mut Vec<String>) -> ConfigFileValue<Url> {
    let Some(entry) = keys.get(NAME)? else { return by_domain(keys, None, warnings) };
    let Value::String(text) = entry.value else {
        return Err(entry.invalid(EXPECTED));
    };
    let text = text.trim();
    if text.is_empty() {
        return by_domain(keys, None, warnings);
    }
    if text.starts_with('/') && !text.starts_with("//") {
        return by_domain(keys, Some((text, &entry)), warnings);
    }
    let complete = complete(text);
    let lacks_host = text.split_once("://").is_some_and(|(_, rest)| rest.starts_with('/'));
    if lacks_host || complete != text && !names_a_host(&complete, keys) {
        return Err(entry.invalid(EXPECTED));
    }
    let value = nextcloud_url(&complete).map_err(|problem| entry.invalid(problem))?;
    if complete != text {
        warnings.push(format!("{}: no http:// or https://; taken as {value}", entry.source));
    }
    Ok(Some(SourcedValue { value, source: entry.source }))
}

const EXPECTED: &str = "expected a URL with http:// or https:// and a host, such as \
                        https://cloud.example.org";

/// Whether a host that was guessed may be one: a trusted domain, `localhost`, or a name with dots.
fn names_a_host(url: &str, keys: &ConfigKeys) -> bool {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let host = authority.unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let trusted = keys.get("trusted_domains").ok().flatten();
    let trusted = trusted.and_then(|domains| domains.list().ok()).unwrap_or_default();
    let is_trusted =
        |domain: &ConfigEntry<'_>| domain.text().is_ok_and(|text| text == host || text == name);
    // `http:/host` is no name, `true` is none either.
    let dotted = name.contains('.') && !name.contains(':');
    name == "localhost" || name.starts_with('[') || dotted || trusted.iter().any(is_trusted)
}

/// A URL whose scheme was forgotten.
fn complete(text: &str) -> String {
    if text.contains("://") {
        return text.to_owned();
    }
    for scheme in ["http:", "https:"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            return format!("{scheme}//{}", rest.trim_start_matches('/'));
        }
    }
    let host = text.split('/').next().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    format!("{}://{text}", guessed_scheme(name))
}

/// The first trusted domain that is a name, with `overwriteprotocol` and the path of
/// `overwrite.cli.url`, else `overwritewebroot`.
fn by_domain(
    keys: &ConfigKeys,
    path: Option<(&str, &ConfigEntry<'_>)>,
    warnings: &mut Vec<String>,
) -> ConfigFileValue<Url> {
    let missing = path.map_or(Ok(None), |(_, entry)| Err(entry.invalid(EXPECTED)));
    let Some(domains) = keys.get("trusted_domains")? else { return missing };
    let candidates = domains.list()?;
    let mut texts = candidates.iter().filter_map(|entry| Some((entry, entry.text().ok()?)));
    let Some((entry, domain)) = texts.find(|(_, domain)| !domain.contains('*')) else {
        return missing;
    };
    let guessed = complete(&domain);
    let (scheme, host) = guessed.split_once("://").unwrap_or(("https", &domain));
    let scheme = keys.text("overwriteprotocol")?.unwrap_or_else(|| scheme.to_owned());
    let root = match path {
        Some((path, _)) => path.to_owned(),
        None => keys.text("overwritewebroot")?.unwrap_or_default(),
    };
    let url = nextcloud_url(&format!("{scheme}://{host}/{}", root.trim_start_matches('/')));
    let value = url.map_err(|problem| -> ConfigError { entry.invalid(problem) })?;
    warnings.push(format!(
        "{NAME} {}; guessed {value} from {}. If that is not where Nextcloud answers, set \
         {NAME} or NEXTCLOUD_URL",
        if path.is_some() { "has no host" } else { "is not set" },
        entry.source
    ));
    Ok(Some(SourcedValue { value, source: entry.source.clone() }))
}

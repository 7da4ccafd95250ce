//! Where Nextcloud answers: `overwrite.cli.url`, else what the trusted domain leads to.

use super::keys::ConfigKeys;
use crate::{
    config::{ConfigError, ConfigFileValue, SourcedValue},
    services::nextcloud::settings::{guessed_scheme, nextcloud_url},
};
use url::Url;

const NAME: &str = "overwrite.cli.url";

pub(super) fn url(keys: &ConfigKeys, warnings: &mut Vec<String>) -> ConfigFileValue<Url> {
    let Some(entry) = keys.get(NAME)? else { return by_domain(keys, warnings) };
    let text = entry.text()?;
    if text.trim().is_empty() {
        return by_domain(keys, warnings);
    }
    let complete = complete(text.trim());
    match nextcloud_url(&complete) {
        Ok(value) => {
            if complete != text.trim() {
                warnings
                    .push(format!("{}: no http:// or https://; taken as {value}", entry.source));
            }
            Ok(Some(SourcedValue { value, source: entry.source }))
        }
        Err(problem) => Err(entry.invalid(problem)),
    }
}

/// A URL whose scheme was forgotten.
fn complete(text: &str) -> String {
    if text.contains("://") {
        return text.to_owned();
    }
    let host = text.split('/').next().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    format!("{}://{text}", guessed_scheme(name))
}

/// The first trusted domain that is a name, with `overwriteprotocol` and `overwritewebroot`.
fn by_domain(keys: &ConfigKeys, warnings: &mut Vec<String>) -> ConfigFileValue<Url> {
    let Some(domains) = keys.get("trusted_domains")? else { return Ok(None) };
    let candidates = domains.list()?;
    let mut texts = candidates.iter().filter_map(|entry| Some((entry, entry.text().ok()?)));
    let Some((entry, domain)) = texts.find(|(_, domain)| !domain.contains('*')) else {
        return Ok(None);
    };
    let guessed = complete(&domain);
    let (scheme, host) = guessed.split_once("://").unwrap_or(("https", &domain));
    let scheme = keys.text("overwriteprotocol")?.unwrap_or_else(|| scheme.to_owned());
    let root = keys.text("overwritewebroot")?.unwrap_or_default();
    let url = nextcloud_url(&format!("{scheme}://{host}/{}", root.trim_start_matches('/')));
    let value = url.map_err(|problem| -> ConfigError { entry.invalid(problem) })?;
    warnings.push(format!(
        "{NAME} is not set; guessed {value} from {}. If that is not where Nextcloud answers, set \
         {NAME} or NEXTCLOUD_URL",
        entry.source
    ));
    Ok(Some(SourcedValue { value, source: entry.source.clone() }))
}

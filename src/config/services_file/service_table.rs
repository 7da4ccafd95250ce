//! One `[[service]]`: its name, kind and route, and the settings that its kind reads.

use super::{SettingTable, SourceText};
use crate::config::{
    ConfigError, ServiceName, ServiceRoute, SettingSource, SourcedValue, parse, repeated,
    setting::Setting,
};
use std::{net::Ipv6Addr, path::PathBuf};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Keys that every service may have.
const COMMON: &[&str] = &["name", "kind", "config", "glob_config", "path", "server_name"];

/// A service in the file.
pub struct ServiceTable {
    /// The service's name.
    pub name: ServiceName,
    /// The place of its table.
    pub at: SettingSource,
    /// Its kind; if none is given, the first of the build.
    pub kind: Option<SourcedValue<String>>,
    /// Its own configuration file.
    pub config: Option<PathBuf>,
    /// Whether the files beside it are read too.
    pub glob: bool,
    /// Which requests are for it.
    pub route: ServiceRoute,
    /// The remaining keys, which its kind reads.
    pub settings: SettingTable,
}

/// Reads all services; their names and routes differ.
pub(crate) fn read_all(
    source: &SourceText<'_>,
    value: Option<Spanned<DeValue<'_>>>,
) -> Result<Vec<ServiceTable>, ConfigError> {
    let value = value.ok_or(ConfigError::Missing {
        what: "the services file has no service",
        remedy: "Write a [[service]] table for each, with name and kind",
    })?;
    let at = source.source(value.span().start, "service");
    let wrong = || ConfigError::invalid(at.clone(), "expected tables that begin with [[service]]");
    let items = value.get_ref().as_array().ok_or_else(wrong)?;
    if items.len() > super::MAX_SERVICES {
        let problem = format!(
            "{} services are too many; expected at most {}",
            items.len(),
            super::MAX_SERVICES
        );
        return Err(ConfigError::invalid(at, problem));
    }
    let mut services: Vec<ServiceTable> = Vec::new();
    for item in items.iter() {
        let table = item.get_ref().as_table().ok_or_else(wrong)?;
        let service = ServiceTable::read(source, item.span().start, table)?;
        if let Some(problem) = services.iter().find_map(|other| service.conflict(other)) {
            return Err(ConfigError::invalid(service.at, problem));
        }
        services.push(service);
    }
    Ok(services)
}

impl ServiceTable {
    fn read(source: &SourceText<'_>, at: usize, table: &DeTable<'_>) -> Result<Self, ConfigError> {
        // The keys of the kind are checked later, by `only`.
        let all: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
        let mut settings = SettingTable::read(source, "service.", table, &all)?;
        let at = source.source(at, "service");
        let name = name(&at, settings.take("name"))?;
        let kind = settings.take("kind").map(|kind| kind.map(|texts| texts.concat()));
        let config = settings.take("config").map(|path| PathBuf::from(path.value.concat()));
        let glob = settings.take("glob_config").map(switch).transpose()?.unwrap_or_default();
        let path = settings.take("path").map(path).transpose()?.unwrap_or_default();
        let server_names = settings.take("server_name").map(server_names).transpose()?;
        let route = ServiceRoute { path, server_names: server_names.unwrap_or_default() };
        Ok(Self { name, at, kind, config, glob, route, settings })
    }

    /// Rejects keys that this service's kind doesn't know.
    ///
    /// # Errors
    /// [`ConfigError`] with the nearest known key.
    pub fn only(&self, settings: &[Setting]) -> Result<(), ConfigError> {
        self.settings.only(&super::keys(settings, COMMON))
    }

    /// What this service and another can't both have.
    fn conflict(&self, other: &Self) -> Option<String> {
        let name = &other.name;
        if *name == self.name {
            return Some(format!("there is another service {name}. Give each a name of its own"));
        }
        let (a, b) = (&self.route, &other.route);
        let share = a.server_names.iter().any(|name| b.server_names.contains(name));
        let both = a.server_names.is_empty() && b.server_names.is_empty();
        (a.path == b.path && (share || both)).then(|| {
            format!(
                "service {name} has the same route. Give them different ones with path = \
                 \"/{}\" or server_name = [\"name.example.org\"]",
                self.name
            )
        })
    }
}

fn name(
    at: &SettingSource,
    given: Option<SourcedValue<Vec<String>>>,
) -> Result<ServiceName, ConfigError> {
    const EXPECTED: &str =
        "expected a name of up to 32 small letters, digits and -, such as name = \"cloud\"";
    let Some(SourcedValue { value, source }) = given else {
        return Err(ConfigError::invalid(at.clone(), format!("it has no name; {EXPECTED}")));
    };
    let text = value.concat();
    ServiceName::parse(&text).ok_or_else(|| wrong(source, &text, EXPECTED))
}

fn path(given: SourcedValue<Vec<String>>) -> Result<String, ConfigError> {
    let text = given.value.concat();
    let path = text.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let whole = path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
    if path.is_empty() || (path.starts_with('/') && whole && path.chars().all(plain)) {
        return Ok(path.to_owned());
    }
    let expected = "expected a path prefix such as \"/cloud\"";
    Err(wrong(given.source, &text, expected))
}

/// An error that repeats the faulty text: none of these keys is a secret.
fn wrong(at: SettingSource, text: &str, expected: &str) -> ConfigError {
    ConfigError::invalid(at, format!("{} is not valid; {expected}", repeated(text)))
}

fn switch(given: SourcedValue<Vec<String>>) -> Result<bool, ConfigError> {
    let text = given.value.concat();
    parse::switch(&text).map_err(|expected| wrong(given.source, &text, &expected))
}

fn server_names(given: SourcedValue<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    const EXPECTED: &str = "expected the names that clients use, without port, such as \
                            [\"cloud.example.org\"]";
    if given.value.is_empty() {
        return Err(ConfigError::invalid(given.source, EXPECTED));
    }
    if let Some(name) = given.value.iter().find(|name| !is_server_name(name)) {
        return Err(wrong(given.source, name, EXPECTED));
    }
    Ok(given.value.iter().map(|name| name.to_ascii_lowercase()).collect())
}

/// Whether a text is a host name or an IPv6 address in brackets. Requests are compared with it, so
/// it has no port and no final dot.
fn is_server_name(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.split('.').all(|label| !label.is_empty() && label.chars().all(plain))
}

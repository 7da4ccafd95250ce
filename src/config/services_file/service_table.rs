//! One `[[host]]`: its name, kind and place, and what its kind reads.

use super::{SettingTable, SourceText};
use crate::config::{
    ConfigError, ServiceName, ServiceRoute, SettingSource, SourcedValue, parse, setting::Setting,
};
use std::{net::Ipv6Addr, path::PathBuf};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Keys that every host may have.
const COMMON: &[&str] = &["name", "kind", "config", "glob_config", "path", "server_name"];

/// A host as the file has it.
pub struct ServiceTable {
    /// Its name.
    pub name: ServiceName,
    /// Where it stands.
    pub at: SettingSource,
    /// What kind it is of; the first there is, when it isn't said.
    pub kind: Option<SourcedValue<String>>,
    /// Its own configuration file.
    pub config: Option<PathBuf>,
    /// Whether also those beside it are read.
    pub glob: bool,
    /// Which requests are for it.
    pub place: ServiceRoute,
    /// The rest, which its kind reads.
    pub settings: SettingTable,
}

/// All hosts; their names and places differ.
pub(crate) fn read_all(
    source: &SourceText<'_>,
    value: Option<Spanned<DeValue<'_>>>,
) -> Result<Vec<ServiceTable>, ConfigError> {
    let value = value.ok_or(ConfigError::Missing {
        what: "the file of hosts names no host",
        remedy: "Write [[host]] for each, with its name and, for a Nextcloud, config = \
                 \"/path/to/config.php\"",
    })?;
    let at = source.source(value.span().start, "host");
    let wrong = || ConfigError::invalid(at.clone(), "expected tables that begin with [[host]]");
    let items = value.get_ref().as_array().ok_or_else(wrong)?;
    if items.len() > super::MAX_SERVICES {
        let problem = format!("more than {} hosts", super::MAX_SERVICES);
        return Err(ConfigError::invalid(at, problem));
    }
    let mut hosts: Vec<ServiceTable> = Vec::new();
    for item in items.iter() {
        let table = item.get_ref().as_table().ok_or_else(wrong)?;
        let host = ServiceTable::read(source, item.span().start, table)?;
        if let Some(problem) = hosts.iter().find_map(|other| host.clash(other)) {
            return Err(ConfigError::invalid(host.at, problem));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

impl ServiceTable {
    fn read(source: &SourceText<'_>, at: usize, table: &DeTable<'_>) -> Result<Self, ConfigError> {
        // Which keys there may be besides is for the kind to say: `only` looks at it.
        let all: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
        let mut settings = SettingTable::read(source, "host.", table, &all)?;
        let at = source.source(at, "host");
        let name = name(&at, settings.take("name"))?;
        let kind = settings.take("kind").map(|kind| kind.map(|texts| texts.concat()));
        let config = settings.take("config").map(|path| PathBuf::from(path.value.concat()));
        let glob = settings.take("glob_config").map(switch).transpose()?.unwrap_or_default();
        let path = settings.take("path").map(path).transpose()?.unwrap_or_default();
        let server_names = settings.take("server_name").map(server_names).transpose()?;
        let place = ServiceRoute { path, server_names: server_names.unwrap_or_default() };
        Ok(Self { name, at, kind, config, glob, place, settings })
    }

    /// Refuses keys that this host's kind doesn't know.
    ///
    /// # Errors
    /// [`ConfigError`] with the nearest key there is.
    pub fn only(&self, settings: &[Setting]) -> Result<(), ConfigError> {
        self.settings.only(&super::keys(settings, COMMON))
    }

    /// What this host and another can't both have.
    fn clash(&self, other: &Self) -> Option<String> {
        let name = &other.name;
        if *name == self.name {
            return Some(format!("there is another host {name}. Give each a name of its own"));
        }
        let (a, b) = (&self.place, &other.place);
        let share = a.server_names.iter().any(|name| b.server_names.contains(name));
        let both = a.server_names.is_empty() && b.server_names.is_empty();
        (a.path == b.path && (share || both)).then(|| {
            format!(
                "the same requests would be for host {name} as well. Tell them apart by path = \
                 \"/{}\" or by server_name = [\"name.example.org\"]",
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
    ServiceName::parse(&value.concat()).ok_or_else(|| ConfigError::invalid(source, EXPECTED))
}

fn path(given: SourcedValue<Vec<String>>) -> Result<String, ConfigError> {
    let text = given.value.concat();
    let path = text.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let whole = path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
    if path.is_empty() || (path.starts_with('/') && whole && path.chars().all(plain)) {
        return Ok(path.to_owned());
    }
    let expected = "expected what the path of a request begins with, such as \"/cloud\"";
    Err(ConfigError::invalid(given.source, expected))
}

fn switch(given: SourcedValue<Vec<String>>) -> Result<bool, ConfigError> {
    parse::switch(&given.value.concat())
        .map_err(|expected| ConfigError::invalid(given.source, expected))
}

fn server_names(given: SourcedValue<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    if given.value.is_empty() || !given.value.iter().all(|name| is_server_name(name)) {
        let expected = "expected names as clients know the host by, without port, such as \
                        [\"cloud.example.org\"]";
        return Err(ConfigError::invalid(given.source, expected));
    }
    Ok(given.value.iter().map(|name| name.to_ascii_lowercase()).collect())
}

/// A name, or an IPv6 address in brackets; as requests are compared with it, so without port and
/// without a dot at its end.
fn is_server_name(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.split('.').all(|label| !label.is_empty() && label.chars().all(plain))
}

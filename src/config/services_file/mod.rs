//! The file of settings and hosts (`--config`): TOML with the daemon's own settings, `[listen]` and one
//! `[[host]]` for each host.

mod host;
mod nearest;
mod table;
mod value;

pub use host::HostTable;
pub use table::{Said, Table};

use super::{
    ConfigError, Source,
    setting::{DAEMON, LISTEN},
};
use std::{path::Path, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// More is a mistake: each host has tasks and connections of its own.
pub(crate) const MAX_HOSTS: usize = 1000;

/// What the file says.
pub struct HostsFile {
    /// The daemon's own settings.
    pub daemon: Table,
    /// The hosts, in their order; never empty.
    pub hosts: Vec<HostTable>,
}

/// A text with its name, to say where something stands.
#[derive(Clone)]
pub(crate) struct Text<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl Text<'_> {
    /// The line of a place, from 1.
    fn line(&self, at: usize) -> u32 {
        let before = self.text.get(..at).unwrap_or_default();
        u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
    }

    fn source(&self, at: usize, key: &str) -> Source {
        Source::File { file: Arc::clone(&self.path), line: self.line(at), key: key.to_owned() }
    }
}

/// Reads the file's text.
///
/// # Errors
/// [`ConfigError`] with the line, the key and the remedy.
pub fn parse(path: &Path, text: &str) -> Result<HostsFile, ConfigError> {
    let source = Text { path: path.into(), text };
    let mut document = DeTable::parse(text).map_err(|error| syntax(&source, &error))?.into_inner();
    let hosts = document.remove("host");
    let listen = document.remove("listen");
    let mut daemon = Table::read(&source, "", &document, &keys(DAEMON, &["host", "listen"]))?;
    if let Some(listen) = listen {
        let table = section(&source, "listen", &listen)?;
        daemon.extend(Table::read(&source, "listen.", table, &keys(LISTEN, &[]))?);
    }
    let hosts = host::read_all(&source, hosts)?;
    Ok(HostsFile { daemon, hosts })
}

fn syntax(source: &Text<'_>, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    // The message says what was expected, and repeats keys at most.
    let problem = format!("this is no TOML: {}", error.message());
    ConfigError::Line { file: Arc::clone(&source.path), line: source.line(at), problem }
}

fn section<'t, 'i>(
    source: &Text<'_>,
    name: &str,
    value: &'t Spanned<DeValue<'i>>,
) -> Result<&'t DeTable<'i>, ConfigError> {
    value.get_ref().as_table().ok_or_else(|| {
        let at = source.source(value.span().start, name);
        ConfigError::invalid(at, format!("expected a table that begins with [{name}]"))
    })
}

/// The keys of these settings, secrets with their `_file` twins.
fn keys(settings: &[super::setting::Setting], more: &[&str]) -> Vec<String> {
    let own = settings.iter().flat_map(|setting| {
        let twin = (setting.kind == super::setting::Kind::Secret)
            .then(|| format!("{}_file", setting.key()));
        [setting.key()].into_iter().chain(twin)
    });
    own.chain(more.iter().map(|key| (*key).to_owned())).collect()
}


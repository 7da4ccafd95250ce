//! The services file (`--config`): TOML with the daemon's own settings, `[listen]` and one `[[service]]`
//! for each service.

mod service_table;
mod setting_table;
mod value;

pub use service_table::ServiceTable;
pub use setting_table::{SettingTable, TableValue};

use super::{
    ConfigError, SettingSource,
    setting::{LISTENER_SETTINGS, PROCESS_SETTINGS},
};
use std::{path::Path, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The most services in one daemon: each has tasks and connections of its own.
pub(crate) const MAX_SERVICES: usize = 1000;

/// The content of the file.
pub struct ServicesFile {
    /// The daemon's own settings.
    pub daemon: SettingTable,
    /// The services in their order; never empty.
    pub services: Vec<ServiceTable>,
}

/// A file's text with its path, for error messages.
#[derive(Clone)]
pub(crate) struct SourceText<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl SourceText<'_> {
    /// The line of a byte offset, from 1.
    fn line(&self, at: usize) -> u32 {
        let before = self.text.get(..at).unwrap_or_default();
        u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
    }

    fn source(&self, at: usize, key: &str) -> SettingSource {
        SettingSource::File {
            file: Arc::clone(&self.path),
            line: self.line(at),
            key: key.to_owned(),
        }
    }
}

/// Reads the file's text.
///
/// # Errors
/// [`ConfigError`] with the line, the key and the remedy.
pub fn parse(path: &Path, text: &str) -> Result<ServicesFile, ConfigError> {
    let source = SourceText { path: path.into(), text };
    let mut document = DeTable::parse(text).map_err(|error| syntax(&source, &error))?.into_inner();
    let services = document.remove("service");
    let listen = document.remove("listen");
    let known = keys(PROCESS_SETTINGS, &["service", "listen"]);
    let mut daemon = SettingTable::read(&source, "", &document, &known)?;
    if let Some(listen) = listen {
        let table = section(&source, "listen", &listen)?;
        daemon.extend(SettingTable::read(
            &source,
            "listen.",
            table,
            &keys(LISTENER_SETTINGS, &[]),
        )?);
    }
    let services = service_table::read_all(&source, services)?;
    Ok(ServicesFile { daemon, services })
}

fn syntax(source: &SourceText<'_>, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    // The parser's message repeats keys at most, no values.
    let problem = format!("not valid TOML: {}", error.message());
    ConfigError::Line { file: Arc::clone(&source.path), line: source.line(at), problem }
}

fn section<'t, 'i>(
    source: &SourceText<'_>,
    name: &str,
    value: &'t Spanned<DeValue<'i>>,
) -> Result<&'t DeTable<'i>, ConfigError> {
    value.get_ref().as_table().ok_or_else(|| {
        let at = source.source(value.span().start, name);
        ConfigError::invalid(at, format!("expected a table that begins with [{name}]"))
    })
}

/// The keys of these settings, secrets with their `_file` twins, and more.
fn keys(settings: &[super::setting::Setting], more: &[&str]) -> Vec<String> {
    let own = settings.iter().flat_map(|setting| {
        let twin = setting.file_variable().map(|variable| variable.to_ascii_lowercase());
        [setting.key()].into_iter().chain(twin)
    });
    own.chain(more.iter().map(|key| (*key).to_owned())).collect()
}

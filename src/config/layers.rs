//! The layers above the host's file: command line over environment over `.env` over the file of hosts.

use super::{
    ConfigError, EnvironmentVariables, SettingSource, SourcedValue,
    environment::EnvironmentLayer,
    services_file::{SettingTable, TableValue},
    setting::{Setting, SettingKind},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Reads a small text file; see [`read_text`].
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// In bytes: a thousand hosts in a file of hosts, a kilobyte each; no secret is longer.
const MAX_FILE: u64 = 1 << 20;

/// Reads a small text file from disk: what [`ReadFile`] is outside of tests.
///
/// # Errors
/// When it can't be read, is larger than a mebibyte or no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// What the flags say: the setting's name to its values; a switch's value is `true`.
pub type FlagValues = BTreeMap<&'static str, Vec<String>>;

/// Command line, environment and file of hosts, in which settings are looked up.
pub struct SettingLayers<'a> {
    pub(crate) flags: FlagValues,
    pub(crate) environment: EnvironmentVariables,
    pub(crate) table: SettingTable,
    pub(crate) read: ReadFile<'a>,
}

impl SettingLayers<'_> {
    /// All values given for a setting in the strongest layer that has any; one, unless a flag was
    /// repeated.
    ///
    /// # Errors
    /// [`ConfigError`]: a file of a secret that can't be read, or a variable given twice.
    pub fn texts(
        &self,
        setting: Setting,
    ) -> Result<Option<SourcedValue<Vec<String>>>, ConfigError> {
        if let Some(values) = self.flags.get(setting.name) {
            let source = SettingSource::CommandLine(setting.name);
            return Ok(Some(SourcedValue { value: values.clone(), source }));
        }
        for layer in self.environment.layers() {
            if let Some(found) = self.variable(&layer, setting)? {
                return Ok(Some(found.map(|text| vec![text])));
            }
        }
        match self.table.get(setting)? {
            None => Ok(None),
            Some(TableValue::Values(values)) => Ok(Some(values)),
            Some(TableValue::InFile(path)) => {
                let name = path.source.to_string();
                let value = self.secret_file(name, Path::new(&path.value))?;
                Ok(Some(value.map(|text| vec![text])))
            }
        }
    }

    /// The value of a setting, made into what it stands for. `parse` fails with what it expected.
    ///
    /// # Errors
    /// [`ConfigError`] with where it was given.
    pub fn get<T, E: Into<String>>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<SourcedValue<T>>, ConfigError> {
        let Some(SourcedValue { value, source }) = self.texts(setting)? else { return Ok(None) };
        // A list in the file is one value; of a repeated flag the last counts.
        let text = match &source {
            SettingSource::File { .. } => value.join(","),
            _ => value.last().cloned().unwrap_or_default(),
        };
        match parse(&text) {
            Ok(value) => Ok(Some(SourcedValue { value, source })),
            Err(problem) => Err(ConfigError::invalid(source, problem)),
        }
    }

    /// Reads a file that a setting names, as [`read_text`] does.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        (self.read)(path)
    }

    fn variable(
        &self,
        layer: &EnvironmentLayer<'_>,
        setting: Setting,
    ) -> Result<Option<SourcedValue<String>>, ConfigError> {
        let usable = |text: &&str| setting.kind == SettingKind::MayBeEmpty || !text.is_empty();
        let plain = layer.get(setting.variable).filter(usable);
        let file_variable = format!("{}_FILE", setting.variable);
        let file = layer
            .get(&file_variable)
            .filter(|path| setting.kind == SettingKind::Secret && !path.is_empty());
        match (plain, file) {
            (Some(_), Some(_)) => Err(ConfigError::Twice { variable: setting.variable }),
            (Some(text), None) => {
                let source = layer.source(setting.variable);
                Ok(Some(SourcedValue { value: text.to_owned(), source }))
            }
            (None, Some(path)) => {
                self.secret_file(file_variable.clone(), Path::new(path)).map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    fn secret_file(
        &self,
        variable: String,
        path: &Path,
    ) -> Result<SourcedValue<String>, ConfigError> {
        match (self.read)(path) {
            Ok(text) => {
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value).to_owned();
                Ok(SourcedValue { value, source: SettingSource::SecretFile(variable) })
            }
            Err(source) => Err(ConfigError::SecretFile { variable, path: path.to_owned(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read_text;
    use crate::config::{services_file, services_file::MAX_SERVICES};
    use std::fmt::Write as _;

    #[test]
    fn a_file_that_never_ends_is_not_read_to_its_end() {
        let error = read_text("/dev/zero".as_ref()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn as_many_hosts_as_there_may_be_fit_into_a_file_with_all_their_settings() {
        let mut text = String::new();
        for number in 0..MAX_SERVICES {
            let settings = format!("database_url = \"mysql://user:{:x<700}@db/name\"", "");
            write!(text, "[[host]]\nname = \"n{number}\"\npath = \"/n{number}\"\n{settings}\n")
                .unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let text = read_text(file.path()).unwrap();
        let hosts =
            services_file::parse(file.path(), &text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(hosts.hosts.len(), MAX_SERVICES);
    }
}

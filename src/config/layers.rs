//! The layers above the host's file: command line over environment over `.env` over the file of hosts.

use super::{
    ConfigError, Environment, Source, Sourced,
    environment::Layer,
    services_file::{Said, Table},
    setting::{Kind, Setting},
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
pub type Flags = BTreeMap<&'static str, Vec<String>>;

/// Command line, environment and file of hosts, in which settings are looked up.
pub struct Layers<'a> {
    pub(crate) flags: Flags,
    pub(crate) environment: Environment,
    pub(crate) table: Table,
    pub(crate) read: ReadFile<'a>,
}

impl Layers<'_> {
    /// All values given for a setting in the strongest layer that has any; one, unless a flag was
    /// repeated.
    ///
    /// # Errors
    /// [`ConfigError`]: a file of a secret that can't be read, or a variable given twice.
    pub fn texts(&self, setting: Setting) -> Result<Option<Sourced<Vec<String>>>, ConfigError> {
        if let Some(values) = self.flags.get(setting.name) {
            let source = Source::CommandLine(setting.name);
            return Ok(Some(Sourced { value: values.clone(), source }));
        }
        for layer in self.environment.layers() {
            if let Some(found) = self.variable(&layer, setting)? {
                return Ok(Some(found.map(|text| vec![text])));
            }
        }
        match self.table.get(setting)? {
            None => Ok(None),
            Some(Said::Values(values)) => Ok(Some(values)),
            Some(Said::InFile(path)) => {
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
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let Some(Sourced { value, source }) = self.texts(setting)? else { return Ok(None) };
        // A list in the file is one value; of a repeated flag the last counts.
        let text = match &source {
            Source::File { .. } => value.join(","),
            _ => value.last().cloned().unwrap_or_default(),
        };
        match parse(&text) {
            Ok(value) => Ok(Some(Sourced { value, source })),
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
        layer: &Layer<'_>,
        setting: Setting,
    ) -> Result<Option<Sourced<String>>, ConfigError> {
        let usable = |text: &&str| setting.kind == Kind::MayBeEmpty || !text.is_empty();
        let plain = layer.get(setting.variable).filter(usable);
        let twin = format!("{}_FILE", setting.variable);
        let file = layer.get(&twin).filter(|path| setting.kind == Kind::Secret && !path.is_empty());
        match (plain, file) {
            (Some(_), Some(_)) => Err(ConfigError::Twice { variable: setting.variable }),
            (Some(text), None) => {
                let source = layer.source(setting.variable);
                Ok(Some(Sourced { value: text.to_owned(), source }))
            }
            (None, Some(path)) => self.secret_file(twin.clone(), Path::new(path)).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn secret_file(&self, variable: String, path: &Path) -> Result<Sourced<String>, ConfigError> {
        match (self.read)(path) {
            Ok(text) => {
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value).to_owned();
                Ok(Sourced { value, source: Source::SecretFile(variable) })
            }
            Err(source) => Err(ConfigError::SecretFile { variable, path: path.to_owned(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read_text;
    use crate::config::{services_file, services_file::MAX_HOSTS};
    use std::fmt::Write as _;

    #[test]
    fn a_file_that_never_ends_is_not_read_to_its_end() {
        let error = read_text("/dev/zero".as_ref()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn as_many_hosts_as_there_may_be_fit_into_a_file_with_all_their_settings() {
        let mut text = String::new();
        for number in 0..MAX_HOSTS {
            let settings = format!("database_url = \"mysql://user:{:x<700}@db/name\"", "");
            write!(text, "[[host]]\nname = \"n{number}\"\npath = \"/n{number}\"\n{settings}\n")
                .unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let text = read_text(file.path()).unwrap();
        let hosts =
            services_file::parse(file.path(), &text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(hosts.hosts.len(), MAX_HOSTS);
    }
}

//! The layer and place that a setting's value comes from.

use super::ConfigError;
use std::{fmt, path::Path, sync::Arc};

/// Where a value was given, as an operator would look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// A flag: `port` for `--port`.
    CommandLine(&'static str),
    /// An environment variable of the process.
    Environment(String),
    /// A variable in the environment file: `.env` in the working directory, or the one that `ENV_FILE`
    /// names.
    EnvironmentFile(String),
    /// A file named by a `*_FILE` variable.
    SecretFile(String),
    /// A key in the services file or in the service's own configuration file.
    File {
        /// The configuration file itself.
        file: Arc<Path>,
        /// The line, from 1.
        line: u32,
        /// The key, dotted where it is nested.
        key: String,
    },
    /// A key in the service's own configuration file, as PHP evaluated it.
    Php {
        /// The configuration file.
        file: Arc<Path>,
        /// The key, dotted where it is nested.
        key: String,
    },
    /// No layer has one.
    Default,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine(name) => write!(f, "command line --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::EnvironmentFile(name) => write!(f, "environment file {name}"),
            Self::SecretFile(name) => write!(f, "file named by {name}"),
            Self::File { file, line, key } => write!(f, "{} line {line}: {key}", file.display()),
            Self::Php { file, key } => write!(f, "PHP, {}: {key}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcedValue<T> {
    /// The value that was given.
    pub value: T,
    /// Where it was given.
    pub source: SettingSource,
}

impl<T> SourcedValue<T> {
    /// A value with the default as source.
    pub fn default(value: T) -> Self {
        Self { value, source: SettingSource::Default }
    }

    /// The same source with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> SourcedValue<U> {
        SourcedValue { value: change(self.value), source: self.source }
    }
}

/// The value of one setting in a configuration file. An unusable value prevents the start only if no
/// stronger layer gives the setting.
pub type ConfigFileValue<T> = Result<Option<SourcedValue<T>>, ConfigError>;

//! Why the daemon cannot start with the settings it was given.

use super::SettingSource;
use std::{io, path::PathBuf};

/// A fault in the settings. The text names place and remedy, and never a value: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line is not understood.
    #[error("{0}")]
    Usage(String),
    /// A value can't be what it is.
    #[error("{at}: {problem}")]
    Invalid {
        /// Where it was given.
        at: SettingSource,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A value in the host's file could not be evaluated, and nothing else gives it.
    #[error("{at} could not be evaluated: {why}. {remedy}")]
    NotEvaluated {
        /// Where it was given.
        at: SettingSource,
        /// Why, without any value.
        why: &'static str,
        /// What would supply it.
        remedy: &'static str,
    },
    /// A line of the file of hosts can't be read.
    #[error("{} line {line}: {problem}", file.display())]
    Line {
        /// The file.
        file: std::sync::Arc<std::path::Path>,
        /// The line, from 1.
        line: u32,
        /// What was expected.
        problem: String,
    },
    /// The file of hosts can't be read.
    #[error(
        "cannot read {}; check the path, and that the user who runs notify_push may read it",
        path.display()
    )]
    HostsFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line in the environment file can't be read.
    #[error(
        "environment file line {line}: this is no NAME=value. Quote values that hold blanks, quotes or # signs"
    )]
    DotEnv {
        /// The line, from 1.
        line: usize,
    },
    /// A variable and its `*_FILE` twin are both set.
    #[error("{variable} and {variable}_FILE are both set. Set one of them")]
    Twice {
        /// The variable without `_FILE`.
        variable: &'static str,
    },
    /// The file named by a `*_FILE` variable can't be read.
    #[error(
        "{variable}: cannot read {}; check the path, and that the user who runs notify_push may \
         read it", path.display()
    )]
    SecretFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that can't be done without.
    #[error("{what}. {remedy}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// What would supply it.
        remedy: &'static str,
    },
    /// In what is said of one of several hosts.
    #[error("host {0}")]
    Host(super::ServiceName, #[source] Box<ConfigError>),
    /// The host's own file can't be read.
    #[error(transparent)]
    File(Box<dyn std::error::Error + Send + Sync>),
}

impl ConfigError {
    /// The exit code of a process that ends with this: 2 for a command line that is not
    /// understood, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }

    /// A value that can't be what it is.
    pub fn invalid(at: SettingSource, problem: impl Into<String>) -> Self {
        Self::Invalid { at, problem: problem.into() }
    }
}

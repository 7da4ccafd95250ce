//! Why the daemon can't start with the settings it was given.

use super::{ServiceName, Setting, SettingSource, SystemProbes, ValueFault, nearest::nearest};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The most characters of a wrong value that are repeated.
const MAX_REPEATED: usize = 60;

/// A fault in the settings. The text names place and remedy, and the wrong value unless it is a
/// secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line is not understood.
    #[error("{0}")]
    Usage(String),
    /// A value that is not valid.
    #[error("{at}: {problem}")]
    Invalid {
        /// Where it was given.
        at: SettingSource,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A value in the service's own file could not be evaluated, and no other layer gives it.
    #[error("{at} could not be evaluated: {why}. {remedy}")]
    NotEvaluated {
        /// Where it was given.
        at: SettingSource,
        /// Why, without any value.
        why: String,
        /// What would supply it.
        remedy: &'static str,
    },
    /// A line of the services file can't be read.
    #[error("{} line {line}: {problem}", file.display())]
    Line {
        /// The file with the error.
        file: Arc<Path>,
        /// The line, from 1.
        line: u32,
        /// What was expected.
        problem: String,
    },
    /// A file that a setting names can't be read.
    #[error(
        "{named_by}: cannot read {}; {hint}check the path, and that the user who runs notify_push \
         may read it",
        path.display()
    )]
    Unreadable {
        /// The variable, flag or key that names the file.
        named_by: String,
        /// The file with the error.
        path: PathBuf,
        /// A similar file in the same folder, as a question; else empty.
        hint: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A line in the environment file can't be read.
    #[error(
        "environment file {} line {line}: not of the form NAME=value. Quote values that contain \
         blanks, quotes or # signs",
        file.display()
    )]
    EnvironmentFile {
        /// The file with the error.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable and its `*_FILE` twin are both set.
    #[error("{variable} and {variable}_FILE are both set. Set one of them")]
    GivenTwice {
        /// The variable without `_FILE`.
        variable: &'static str,
    },
    /// Two listeners with the same port or socket.
    #[error(
        "{first} and {second} are both {place}. Give each listener a port or socket of its own"
    )]
    Conflict {
        /// The variable of one.
        first: &'static str,
        /// The variable of the other.
        second: &'static str,
        /// The port or path.
        place: String,
    },
    /// A value that is required and missing.
    #[error("{what}. {remedy}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// What would supply it.
        remedy: &'static str,
    },
    /// An error in the settings of one of several services.
    #[error("service {0}")]
    Service(ServiceName, #[source] Box<ConfigError>),
    /// The service's own file can't be read.
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

    /// A value that is not valid, where `problem` says everything.
    pub fn invalid(at: SettingSource, problem: impl Into<String>) -> Self {
        Self::Invalid { at, problem: problem.into() }
    }

    /// A value of a setting that is not valid; repeats it unless it is a secret.
    pub fn invalid_value(
        at: SettingSource,
        setting: Setting,
        text: &str,
        fault: ValueFault,
    ) -> Self {
        let ValueFault { entry, expected } = fault;
        let problem = match entry.as_deref().unwrap_or(text) {
            _ if setting.is_secret() => expected,
            wrong => format!("{} is not valid; {expected}", repeated(wrong)),
        };
        Self::Invalid { at, problem }
    }

    /// A file that can't be read, with the most similar name in its folder.
    pub fn unreadable(
        named_by: impl Into<String>,
        path: &Path,
        source: io::Error,
        probes: &SystemProbes<'_>,
    ) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::NotFound => similar_file(path, &(probes.siblings)(path)),
            _ => None,
        };
        let hint = hint.map(|near| format!("did you mean {}? Else ", near.display()));
        Self::Unreadable {
            named_by: named_by.into(),
            path: path.to_owned(),
            hint: hint.unwrap_or_default(),
            source,
        }
    }
}

fn similar_file(path: &Path, siblings: &[String]) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    nearest(name, siblings).map(|near| path.with_file_name(near))
}

/// A wrong value in quotes, without control characters, without a URL's login, and not too long.
pub(crate) fn repeated(text: &str) -> String {
    let without_login = match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}***{}", &text[..scheme + 3], &text[at..])
        }
        _ => text.to_owned(),
    };
    let mut shown: String = without_login.chars().take(MAX_REPEATED).collect();
    if shown.len() < without_login.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::repeated;

    #[test]
    fn wrong_values_are_repeated_without_logins_and_within_bounds() {
        assert_eq!(repeated("http"), "\"http\"");
        assert_eq!(repeated("a\nb"), "\"a\\nb\"");
        assert_eq!(repeated("http://u:hunter2@peer:1/"), "\"http://***@peer:1/\"");
        assert!(repeated(&"x".repeat(1000)).chars().count() < 70);
    }
}

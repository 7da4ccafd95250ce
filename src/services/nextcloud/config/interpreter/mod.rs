//! Asks PHP itself for the values in config.php that this daemon's own reader does not know.

mod answer;
mod process;

pub use process::PhpProcess;

use super::php::Array;
use crate::{
    config::{ConfigError, SettingLayers},
    services::nextcloud::settings::{PhpSettings, php_settings},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What PHP is asked to read.
pub struct InterpreterRequest<'a> {
    /// config.php, then the files that are merged over it.
    pub files: &'a [PathBuf],
    /// The environment that PHP may see.
    pub environment: &'a BTreeMap<String, String>,
    /// Variables that are set, but not for PHP.
    pub withheld: &'a [String],
}

/// Something that evaluates configuration files as Nextcloud does; a trait, so that tests need no
/// process.
pub trait PhpInterpreter {
    /// The elements of `$CONFIG`.
    ///
    /// # Errors
    /// [`InterpreterError`], without any text of the files.
    fn evaluate(&self, request: &InterpreterRequest<'_>) -> Result<Array, InterpreterError>;
}

/// Why PHP gave no values.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// `CONFIG_PHP=never`.
    #[error("CONFIG_PHP=never, so PHP was not asked")]
    Never,
    /// There is no PHP.
    #[error("PHP could not be asked: no php in PATH. Install php-cli, or set PHP_BINARY")]
    Missing,
    /// It does not start.
    #[error(
        "PHP could not be asked: cannot run {} ({source}). Check PHP_BINARY, and that the service \
         may run programs", binary.display()
    )]
    Start {
        /// The program that was run.
        binary: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("PHP was asked, but did not finish within {0} s")]
    TimedOut(u64),
    /// It printed too much.
    #[error("PHP was asked, but printed more than {0} bytes")]
    TooLarge(usize),
    /// The files stopped it.
    #[error(
        "PHP was asked, but stopped at {file} line {line} with {class}. Check the file with php"
    )]
    Stopped {
        /// The class of the exception.
        class: String,
        /// The path of the program.
        file: String,
        /// Where in it.
        line: u32,
    },
    /// A file ended it.
    #[error("PHP was asked, but ended without values: a file calls exit, or the program is no PHP")]
    Ended,
    /// The files read a variable that PHP is not given.
    #[error("PHP was not used: the files read {0}, which this daemon keeps for itself")]
    Withheld(String),
}

/// `CONFIG_PHP` and `PHP_BINARY`: the interpreter to ask, or why there is none.
///
/// # Errors
/// [`ConfigError`] for a value that neither can have.
pub fn choose(
    layers: &SettingLayers<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Box<dyn PhpInterpreter>, ConfigError> {
    let PhpSettings { ask, binary } = php_settings(layers)?;
    let binary = binary.map(|binary| binary.value);
    let binary = binary.or_else(|| in_path(environment.get("PATH")?));
    Ok(match binary {
        _ if !ask.value => Box::new(NoInterpreter(|| InterpreterError::Never)),
        None => Box::new(NoInterpreter(|| InterpreterError::Missing)),
        Some(binary) => Box::new(PhpProcess::new(binary)),
    })
}

fn in_path(path: &str) -> Option<PathBuf> {
    let folders = path.split(':').map(Path::new).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join("php")).find(|program| program.is_file())
}

/// Where PHP is not to be asked, or not there.
struct NoInterpreter(fn() -> InterpreterError);

impl PhpInterpreter for NoInterpreter {
    fn evaluate(&self, _: &InterpreterRequest<'_>) -> Result<Array, InterpreterError> {
        Err((self.0)())
    }
}

//! Why a `config.php` as a whole could not be read.

use super::value::Place;
use std::path::PathBuf;

/// A fault that stops the start; the text names the file, the line and the remedy, never a value.
#[derive(Debug, thiserror::Error)]
pub enum PhpError {
    /// The file could not be opened or read.
    #[error(
        "cannot read {}; check the path, and that the user who runs notify_push may read it",
        path.display()
    )]
    Read {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something holds the exclusive lock.
    #[error(
        "{} has been locked for 10 s by a program that writes it; find it with \
         `fuser -v` on the file", path.display()
    )]
    Locked {
        /// The file asked for.
        path: PathBuf,
    },
    /// The file is larger than any configuration is.
    #[error("{} is larger than {limit} bytes: is it really Nextcloud's config.php?", path.display())]
    TooLarge {
        /// The file asked for.
        path: PathBuf,
        /// The limit, in bytes.
        limit: usize,
    },
    /// PHP would refuse the file too.
    #[error("{at}: {what}. Correct it, then check the file with `php -l`")]
    Syntax {
        /// Where the reader stumbled.
        at: Place,
        /// What is wrong, in words, without any text of the file.
        what: String,
    },
    /// Evaluating the file takes more steps or memory than is allowed.
    #[error("{at}: evaluating this file takes too much work. Give the values as plain literals")]
    TooMuchWork {
        /// Where the limit was reached.
        at: Place,
    },
    /// The file sets no `$CONFIG`.
    #[error("{} sets no $CONFIG array: is it really Nextcloud's config.php?", path.display())]
    NoConfig {
        /// The file asked for.
        path: PathBuf,
    },
}

impl PhpError {
    /// Whether PHP itself may make more of the file.
    pub fn may_ask_php(&self) -> bool {
        matches!(self, Self::Syntax { .. } | Self::TooMuchWork { .. } | Self::NoConfig { .. })
    }
}

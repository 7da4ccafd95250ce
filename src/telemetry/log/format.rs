//! The log's formats, and the one that suits stderr.

use std::{ffi::OsStr, os::fd::AsFd};

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level, module, message and fields; for people.
    Text {
        /// Whether the level is coloured.
        colours: bool,
    },
    /// No time (the journal has its own) and `<N>` in front, the priority of sd-daemon(3).
    Journal,
    /// One JSON object on each line, with `timestamp`, `level`, `target`, `message` and the fields.
    Json,
}

/// What stderr is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StderrKind {
    /// A terminal with a person.
    Terminal,
    /// The systemd journal.
    Journal,
    /// A file, a pipe, or anything else.
    Other,
}

impl StderrKind {
    /// Looks at this process's stderr. `journal_stream` is the value of `JOURNAL_STREAM`.
    pub fn detect(journal_stream: Option<&OsStr>) -> Self {
        let stderr = std::io::stderr();
        if std::io::IsTerminal::is_terminal(&stderr) {
            return Self::Terminal;
        }
        match journal_stream.and_then(OsStr::to_str) {
            Some(stream) if is_stream(stderr, stream) => Self::Journal,
            _ => Self::Other,
        }
    }

    /// Text as it suits this stderr. `plain` is `--no-ansi` or `NO_ANSI`: never colours.
    pub fn text(self, plain: bool) -> LogFormat {
        match self {
            Self::Journal => LogFormat::Journal,
            Self::Terminal => LogFormat::Text { colours: !plain },
            Self::Other => LogFormat::Text { colours: false },
        }
    }
}

// systemd.exec(5): the variable is inherited by children whose stderr goes elsewhere, therefore it
// names device and inode of the stream it means.
fn is_stream(file: impl AsFd, stream: &str) -> bool {
    let Ok(stat) = rustix::fs::fstat(file) else { return false };
    stream.split_once(':') == Some((&stat.st_dev.to_string(), &stat.st_ino.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{LogFormat, StderrKind, is_stream};

    #[test]
    fn only_the_stream_that_journal_stream_names_is_the_journal() {
        let file = tempfile::tempfile().unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        assert!(is_stream(&file, &format!("{}:{}", stat.st_dev, stat.st_ino)));
        assert!(!is_stream(&file, &format!("{}:{}", stat.st_dev, stat.st_ino + 1)));
        assert!(!is_stream(&file, "garbage"));
    }

    #[test]
    fn colours_need_a_terminal_and_no_veto() {
        assert_eq!(StderrKind::Terminal.text(false), LogFormat::Text { colours: true });
        assert_eq!(StderrKind::Terminal.text(true), LogFormat::Text { colours: false });
        assert_eq!(StderrKind::Other.text(false), LogFormat::Text { colours: false });
        assert_eq!(StderrKind::Journal.text(false), LogFormat::Journal);
    }
}

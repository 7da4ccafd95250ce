//! The settings of the log.

use crate::telemetry::log::{LogFilter, LogFormat, StderrKind};
use std::fmt;

/// Filter and style of the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSettings {
    /// The messages that are logged.
    pub filter: LogFilter,
    /// The style of a line.
    pub style: LogStyle,
    /// `--no-ansi`: never colours.
    pub no_ansi: bool,
}

/// The style that `LOG_FORMAT` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogStyle {
    /// For people, or for the journal when stderr is connected to it.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

impl LogSettings {
    /// The format that this is on a given stderr.
    pub fn format(&self, stderr: StderrKind) -> LogFormat {
        match self.style {
            LogStyle::Text => stderr.text(self.no_ansi),
            LogStyle::Json => LogFormat::Json,
        }
    }
}

impl fmt::Display for LogStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

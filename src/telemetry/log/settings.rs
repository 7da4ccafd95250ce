//! What is logged, and how it looks.

use crate::telemetry::log::{LogFilter, LogFormat, StderrKind};
use std::fmt;

/// The log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSettings {
    /// What is logged.
    pub filter: LogFilter,
    /// How it looks.
    pub style: LogStyle,
    /// `--no-ansi`: never colours.
    pub no_ansi: bool,
}

/// `LOG_FORMAT`.
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

//! The failure of a command: its message and exit code.

use crate::{config::ConfigError, telemetry::error_chain::chain};
use std::error::Error;

/// Ends the process with this message and exit code.
#[derive(Debug)]
pub struct CommandFailure {
    /// The text for standard error.
    pub message: String,
    /// The exit code of the process.
    pub code: u8,
}

impl CommandFailure {
    /// A failure with exit code 1 and the error with its causes.
    pub fn new(error: impl Error) -> Self {
        Self { message: chain(&error), code: 1 }
    }
}

impl From<ConfigError> for CommandFailure {
    fn from(error: ConfigError) -> Self {
        Self { code: error.exit_code(), message: chain(&error) }
    }
}

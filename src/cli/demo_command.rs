//! `notify_push demo`: which demo runs, and with which log.

use crate::{
    cli::{CommandFailure, DemoKind},
    demo::{self, DemoOptions, DemoScreen},
    runtime::RuntimeEnvironment,
    telemetry::log::{LogFilter, LogSettings},
};
use std::path::Path;

/// The log settings of a demo.
///
/// # Errors
/// [`CommandFailure`] if the filter of the demo is invalid.
pub fn log_settings(kind: DemoKind) -> Result<LogSettings, CommandFailure> {
    match kind {
        DemoKind::Nextcloud => Ok(LogSettings::default()),
        // In a demo it needs no warning that registrations don't outlive a restart.
        DemoKind::Webhook => {
            let filter = LogFilter::parse("error").map_err(CommandFailure::new)?;
            Ok(LogSettings { filter, ..LogSettings::default() })
        }
    }
}

/// Runs a demo to its end or until a signal; returns the exit code.
///
/// # Errors
/// [`CommandFailure`] if the demo can't run.
pub async fn run(
    kind: DemoKind,
    options: DemoOptions,
    environment: RuntimeEnvironment,
    temporary: &Path,
    screen: DemoScreen,
) -> Result<u8, CommandFailure> {
    let played = match kind {
        DemoKind::Nextcloud => demo::run(options, environment, temporary, screen).await,
        DemoKind::Webhook => demo::webhook::run(options, environment, screen).await,
    };
    played.map_err(CommandFailure::new)
}

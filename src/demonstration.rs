//! `notify_push demo` at the environment: the screen, the log, the folder for temporary files.

use crate::{Failure, examination, failure, with_environment};
use notify_push::{
    cli::DemoKind,
    demo,
    demo::DemoScreen,
    telemetry::log::{LogFilter, LogSettings},
};
use std::{io, process::ExitCode};

/// Plays to the end, or until it is told to end.
pub(super) fn demo(play: DemoKind, once: bool) -> Result<ExitCode, Failure> {
    let screen = DemoScreen::new(io::stdout(), examination::colours());
    let settings = match play {
        DemoKind::Nextcloud => LogSettings::default(),
        // That nothing outlives a restart is no surprise in a demo.
        DemoKind::Webhook => {
            let filter = LogFilter::parse("error").map_err(failure)?;
            LogSettings { filter, ..LogSettings::default() }
        }
    };
    with_environment(&settings, async |environment| {
        let played = match play {
            DemoKind::Nextcloud => {
                demo::run(once, environment, &std::env::temp_dir(), screen).await
            }
            DemoKind::Webhook => demo::webhook::run(once, environment, screen).await,
        };
        played.map_err(failure)
    })
}

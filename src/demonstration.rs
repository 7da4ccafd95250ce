//! `notify_push demo` at the rim: the screen, the log, the folder for temporary files.

use crate::{Failure, examination, failure, in_the_world};
use notify_push::{
    cli::Play,
    demo,
    demo::Screen,
    telemetry::log::{Filter, LogSettings},
};
use std::{io, process::ExitCode};

/// Plays to the end, or until it is told to end.
pub(super) fn demo(play: Play, once: bool) -> Result<ExitCode, Failure> {
    let screen = Screen::new(io::stdout(), examination::colours());
    let settings = match play {
        Play::Nextcloud => LogSettings::default(),
        // That nothing outlives a restart is no surprise in a demo.
        Play::Webhook => {
            let filter = Filter::parse("error").map_err(failure)?;
            LogSettings { filter, ..LogSettings::default() }
        }
    };
    in_the_world(&settings, async |rim| {
        let played = match play {
            Play::Nextcloud => demo::run(once, rim, &std::env::temp_dir(), screen).await,
            Play::Webhook => demo::webhook::run(once, rim, screen).await,
        };
        played.map_err(failure)
    })
}

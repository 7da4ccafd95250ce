//! The command line: only what lies here knows structopt.
//!
//! A new command is one variant of [`Order`], a new flag one field and one line in `flags.rs`, a new
//! kind of host no change at all; values are read elsewhere, in the same way as those of environment variables.
#![cfg_attr(
    doc,
    allow(rustdoc::broken_intra_doc_links, reason = "help texts name variables in brackets")
)]

mod completions;
mod doctor;
mod flags;
mod kinds;

use super::{DoctorOptions, LogAction, Play};
use crate::config::{ConfigError, Kind, layers::Flags};
use doctor::{Asked, Doctor};
use flags::{Control, Everything, Given};
use std::{ffi::OsString, path::PathBuf};
use structopt::{
    StructOpt,
    clap::{AppSettings, ErrorKind, Shell},
};

/// What the command line asks for.
pub(crate) struct Line {
    pub(crate) flags: Flags,
    pub(crate) task: Task,
}

/// What is to be done.
pub(crate) enum Task {
    Serve {
        file: Option<PathBuf>,
        glob: bool,
        dump: bool,
    },
    /// With one host of this kind.
    Host {
        kind: &'static str,
        file: Option<PathBuf>,
        what: Ask,
    },
    Doctor {
        file: Option<PathBuf>,
        glob: bool,
        options: DoctorOptions,
    },
    Demo {
        play: Play,
        once: bool,
    },
    Log(LogAction),
    Revoke {
        user: String,
        host: Option<String>,
    },
    Healthcheck {
        live: bool,
    },
    Metrics {
        over: Option<String>,
    },
    Print(String),
}

/// What is to be done with the only host.
pub(crate) enum Ask {
    Serve,
    Dump,
    Doctor,
    Act(&'static str),
}

/// Tells the clients of a Nextcloud that something changed.
///
/// Settings are taken from the command line, else from the environment (and the file .env in the
/// working directory, or the one that the variable ENV_FILE names), else from Nextcloud's config.php. The variable of each flag stands in
/// brackets. Secrets are better given in files: DATABASE_URL_FILE, REDIS_URL_FILE,
/// NEXTCLOUD_SECRET_FILE name files that hold the value.
#[derive(StructOpt)]
#[structopt(
    name = "notify_push",
    global_settings = &[AppSettings::DisableVersion, AppSettings::UnifiedHelpMessage, AppSettings::VersionlessSubcommands],
    settings = &[AppSettings::DisableHelpSubcommand],
    setting = AppSettings::DeriveDisplayOrder
)]
struct Options {
    /// The config.php of Nextcloud
    #[structopt(name = "config.php", parse(from_os_str))]
    file: Option<PathBuf>,
    /// Also read the *.config.php files beside it, as Nextcloud does
    #[structopt(long)]
    glob_config: bool,
    /// Print all settings and where they come from, without secrets, and exit
    #[structopt(long)]
    dump_config: bool,
    /// Print the version and exit
    #[structopt(short = "V", long)]
    version: bool,
    #[structopt(flatten)]
    settings: Everything,
    #[structopt(subcommand)]
    order: Option<Order>,
}

#[derive(StructOpt)]
enum Order {
    Doctor(Box<Doctor>),
    /// Show the main job with nothing installed: a small Nextcloud database, events, a client
    Demo {
        /// Of which kind of host: nextcloud or webhook
        #[structopt(possible_values = &Play::NAMES, default_value = Play::NAMES[0])]
        play: Play,
        /// End after each kind of message has been seen
        #[structopt(long)]
        once: bool,
    },
    /// Change what a running daemon logs, through its control endpoint
    Log {
        /// What to log from now on, such as notify_push=debug
        #[structopt(required_unless = "restore")]
        level: Option<String>,
        /// Log again what was logged before
        #[structopt(long, conflicts_with = "level")]
        restore: bool,
        #[structopt(flatten)]
        control: Control,
    },
    /// Print a completion script, to be put where the shell looks for them
    Completions {
        /// Which shell
        #[structopt(possible_values = &["bash", "fish", "zsh"])]
        shell: Shell,
    },
    /// Close all connections of a user in a running daemon, through its control endpoint
    Revoke {
        /// Id of the user
        user: String,
        /// Which of several hosts the user is of, by its name in the file of hosts
        #[structopt(long, value_name = "name")]
        host: Option<String>,
        #[structopt(flatten)]
        control: Control,
    },
    /// Say whether a running daemon can do its job, and what it depends on; exit code 0 or 1
    Healthcheck {
        /// Only ask whether it runs
        #[structopt(long)]
        live: bool,
        #[structopt(flatten)]
        control: Control,
    },
    /// Show what a running daemon counts, with rates, for people
    Metrics {
        /// How long to watch for the rates [default: 1s]
        #[structopt(long, value_name = "time")]
        over: Option<String>,
        #[structopt(flatten)]
        control: Control,
    },
}

/// Reads the arguments, the program's name first.
pub(crate) fn parse<H>(
    arguments: Vec<OsString>,
    kinds: &[Kind<'_, H>],
) -> Result<Line, ConfigError> {
    let shown = arguments.clone();
    let matches =
        match kinds::with_commands(Options::clap(), kinds).get_matches_from_safe(arguments) {
            Ok(matches) => matches,
            Err(error) if error.kind == ErrorKind::HelpDisplayed => {
                return Ok(Line { flags: Flags::new(), task: Task::Print(tidy(&error.message)) });
            }
            Err(error) => return Err(ConfigError::Usage(without_secrets(error.message, &shown))),
        };
    match kinds::line(&matches, kinds) {
        Some(line) => Ok(line),
        None => Options::from_clap(&matches).into_line(kinds),
    }
}

/// Without the blanks that structopt leaves at the ends of lines.
fn tidy(help: &str) -> String {
    help.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// structopt repeats what it does not understand; that may be a URL with a password.
fn without_secrets(mut message: String, arguments: &[OsString]) -> String {
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        let value = match argument.strip_prefix("--").and_then(|flag| flag.split_once('=')) {
            Some((_, value)) => value,
            None => argument,
        };
        if value.contains("://") || value.contains('@') {
            message = message.replace(value, "***");
        }
    }
    message.trim_start_matches("error: ").to_owned()
}

impl Options {
    fn into_line<H>(self, kinds: &[Kind<'_, H>]) -> Result<Line, ConfigError> {
        let mut given = Given::default();
        self.settings.flags(&mut given);
        let task = match self.order {
            _ if self.version => Task::Print(version()),
            None => Task::Serve { file: self.file, glob: self.glob_config, dump: self.dump_config },
            Some(Order::Doctor(doctor)) => {
                let Asked { file, glob, options } = doctor.into_asked(&mut given)?;
                Task::Doctor { file: file.or(self.file), glob: glob || self.glob_config, options }
            }
            Some(Order::Completions { shell }) => Task::Print(completions::script(shell, kinds)),
            Some(Order::Demo { play, once }) => Task::Demo { play, once },
            Some(Order::Log { level, restore, control }) => {
                control.flags(&mut given);
                Task::Log(match level {
                    Some(level) if !restore => LogAction::Set(level),
                    _ => LogAction::Restore,
                })
            }
            Some(Order::Revoke { user, host, control }) => {
                control.flags(&mut given);
                Task::Revoke { user, host }
            }
            Some(Order::Healthcheck { live, control }) => {
                control.flags(&mut given);
                Task::Healthcheck { live }
            }
            Some(Order::Metrics { over, control }) => {
                control.flags(&mut given);
                Task::Metrics { over }
            }
        };
        Ok(Line { flags: given.0, task })
    }
}

/// One line, as the app's set-up wizard wants it (`specs/nextcloud.md` section 5).
fn version() -> String {
    concat!("notify_push ", env!("CARGO_PKG_VERSION"), "\n").into()
}

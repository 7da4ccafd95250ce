//! The command line: only what lies here knows structopt.
//!
//! A new command is one variant of [`CliSubcommand`], a new flag one field and one line in `flags.rs`, a new
//! kind of host no change at all; values are read elsewhere, in the same way as those of environment variables.
#![cfg_attr(
    doc,
    allow(rustdoc::broken_intra_doc_links, reason = "help texts name variables in brackets")
)]

mod completions;
mod doctor;
mod flags;
mod service_commands;

use super::{DemoKind, DoctorOptions, LogAction};
use crate::config::{ConfigError, ServiceKind, layers::FlagValues};
use doctor::{DoctorArguments, DoctorTask};
use flags::{AllFlags, ControlFlags, FlagCollector};
use std::{ffi::OsString, path::PathBuf};
use structopt::{
    StructOpt,
    clap::{AppSettings, ErrorKind, Shell},
};

/// What the command line asks for.
pub(crate) struct ParsedArguments {
    pub(crate) flags: FlagValues,
    pub(crate) task: CliTask,
}

/// What is to be done.
pub(crate) enum CliTask {
    Serve {
        file: Option<PathBuf>,
        glob: bool,
        dump: bool,
    },
    /// With one host of this kind.
    Host {
        kind: &'static str,
        file: Option<PathBuf>,
        what: ServiceTask,
    },
    Doctor {
        file: Option<PathBuf>,
        glob: bool,
        options: DoctorOptions,
    },
    Demo {
        play: DemoKind,
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
pub(crate) enum ServiceTask {
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
struct CliOptions {
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
    settings: AllFlags,
    #[structopt(subcommand)]
    order: Option<CliSubcommand>,
}

#[derive(StructOpt)]
enum CliSubcommand {
    Doctor(Box<DoctorArguments>),
    /// Show the main job with nothing installed: a small Nextcloud database, events, a client
    Demo {
        /// Of which kind of host: nextcloud or webhook
        #[structopt(possible_values = &DemoKind::NAMES, default_value = DemoKind::NAMES[0])]
        play: DemoKind,
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
        control: ControlFlags,
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
        control: ControlFlags,
    },
    /// Say whether a running daemon can do its job, and what it depends on; exit code 0 or 1
    Healthcheck {
        /// Only ask whether it runs
        #[structopt(long)]
        live: bool,
        #[structopt(flatten)]
        control: ControlFlags,
    },
    /// Show what a running daemon counts, with rates, for people
    Metrics {
        /// How long to watch for the rates [default: 1s]
        #[structopt(long, value_name = "time")]
        over: Option<String>,
        #[structopt(flatten)]
        control: ControlFlags,
    },
}

/// Reads the arguments, the program's name first.
pub(crate) fn parse<H>(
    arguments: Vec<OsString>,
    kinds: &[ServiceKind<'_, H>],
) -> Result<ParsedArguments, ConfigError> {
    let shown = arguments.clone();
    let matches = match service_commands::with_commands(CliOptions::clap(), kinds)
        .get_matches_from_safe(arguments)
    {
        Ok(matches) => matches,
        Err(error) if error.kind == ErrorKind::HelpDisplayed => {
            return Ok(ParsedArguments {
                flags: FlagValues::new(),
                task: CliTask::Print(tidy(&error.message)),
            });
        }
        Err(error) => return Err(ConfigError::Usage(without_secrets(error.message, &shown))),
    };
    match service_commands::line(&matches, kinds) {
        Some(line) => Ok(line),
        None => CliOptions::from_clap(&matches).into_line(kinds),
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

impl CliOptions {
    fn into_line<H>(self, kinds: &[ServiceKind<'_, H>]) -> Result<ParsedArguments, ConfigError> {
        let mut given = FlagCollector::default();
        self.settings.flags(&mut given);
        let task = match self.order {
            _ if self.version => CliTask::Print(version()),
            None => {
                CliTask::Serve { file: self.file, glob: self.glob_config, dump: self.dump_config }
            }
            Some(CliSubcommand::Doctor(doctor)) => {
                let DoctorTask { file, glob, options } = doctor.into_asked(&mut given)?;
                CliTask::Doctor {
                    file: file.or(self.file),
                    glob: glob || self.glob_config,
                    options,
                }
            }
            Some(CliSubcommand::Completions { shell }) => {
                CliTask::Print(completions::script(shell, kinds))
            }
            Some(CliSubcommand::Demo { play, once }) => CliTask::Demo { play, once },
            Some(CliSubcommand::Log { level, restore, control }) => {
                control.flags(&mut given);
                CliTask::Log(match level {
                    Some(level) if !restore => LogAction::Set(level),
                    _ => LogAction::Restore,
                })
            }
            Some(CliSubcommand::Revoke { user, host, control }) => {
                control.flags(&mut given);
                CliTask::Revoke { user, host }
            }
            Some(CliSubcommand::Healthcheck { live, control }) => {
                control.flags(&mut given);
                CliTask::Healthcheck { live }
            }
            Some(CliSubcommand::Metrics { over, control }) => {
                control.flags(&mut given);
                CliTask::Metrics { over }
            }
        };
        Ok(ParsedArguments { flags: given.0, task })
    }
}

/// One line, as the app's set-up wizard wants it (`specs/nextcloud.md` section 5).
fn version() -> String {
    concat!("notify_push ", env!("CARGO_PKG_VERSION"), "\n").into()
}

//! The part of the command line that is the doctor's own.

use super::flags::{AllFlags, FlagCollector};
use crate::{
    cli::DoctorOptions,
    config::{ConfigError, parse},
};
use std::path::PathBuf;
use structopt::{StructOpt, clap::AppSettings};

/// Check the installation and explain how to fix what is wrong
///
/// Checks, in order: settings, file descriptors, Redis and its events, database, tables, rights and
/// the mount query, Nextcloud, its app, clocks, the daemon, its public address, the proxies in
/// between, the path of an event, a login, a silent connection. Changes nothing.
///
/// The exit code is 0 if nothing is wrong (there may be hints), 1 if something is wrong, 2 if the command
/// line is invalid.
#[derive(StructOpt)]
#[structopt(setting = AppSettings::DeriveDisplayOrder)]
pub(super) struct DoctorArguments {
    /// The config.php of Nextcloud
    #[structopt(name = "config.php", parse(from_os_str))]
    file: Option<PathBuf>,
    /// Also read the *.config.php files beside it, as Nextcloud does
    #[structopt(long)]
    glob_config: bool,
    /// Also log in as this user; the password is read from the terminal or standard input
    #[structopt(long, value_name = "name")]
    user: Option<String>,
    /// Read the password from the first line of this file
    #[structopt(long, value_name = "file", parse(from_os_str), requires = "user")]
    password_file: Option<PathBuf>,
    /// How long to hold a silent connection; 70s shows the effect of the proxies' timeouts
    #[structopt(long, value_name = "time", default_value = "5s")]
    idle_time: String,
    /// Print JSON instead of text
    #[structopt(long)]
    json: bool,
    #[structopt(flatten)]
    settings: AllFlags,
}

/// What is left when the settings have been taken out.
pub(super) struct DoctorTask {
    pub(super) file: Option<PathBuf>,
    pub(super) glob: bool,
    pub(super) options: DoctorOptions,
}

impl DoctorArguments {
    pub(super) fn into_asked(self, given: &mut FlagCollector) -> Result<DoctorTask, ConfigError> {
        self.settings.flags(given);
        let idle_time = parse::duration(&self.idle_time)
            .map_err(|expected| ConfigError::Usage(format!("--idle-time: {expected}")))?;
        let options = DoctorOptions {
            user: self.user,
            password_file: self.password_file,
            idle_time,
            json: self.json,
        };
        Ok(DoctorTask { file: self.file, glob: self.glob_config, options })
    }
}

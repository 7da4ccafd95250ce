//! The part of the command line that is the doctor's own.

use super::flags::{AllFlags, FlagCollector};
use crate::{
    cli::DoctorOptions,
    config::{ConfigError, parse},
};
use std::path::PathBuf;
use structopt::{StructOpt, clap::AppSettings};

/// Check everything that has to work, and say what mends what doesn't
///
/// Checks, in order: settings, file descriptors, Redis and its events, database, tables, rights and
/// the mount query, Nextcloud, its app, clocks, the daemon, its public address, the proxies in
/// between, an event's whole way, a log-in, a silent connection. Changes nothing.
///
/// Ends with 0 when nothing is wrong (there may be hints), with 1 when something is, with 2 when the
/// command line is not understood.
#[derive(StructOpt)]
#[structopt(setting = AppSettings::DeriveDisplayOrder)]
pub(super) struct DoctorArguments {
    /// The config.php of Nextcloud
    #[structopt(name = "config.php", parse(from_os_str))]
    file: Option<PathBuf>,
    /// Also read the *.config.php files beside it, as Nextcloud does
    #[structopt(long)]
    glob_config: bool,
    /// Log in as this user, too; the password is asked for, or read from standard input
    #[structopt(long, value_name = "name")]
    user: Option<String>,
    /// Read the password from the first line of this file
    #[structopt(long, value_name = "file", parse(from_os_str), requires = "user")]
    password_file: Option<PathBuf>,
    /// How long to hold a silent connection; 70s shows what the proxies' time-outs do
    #[structopt(long, value_name = "time", default_value = "5s")]
    patience: String,
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
        let patience = parse::duration(&self.patience)
            .map_err(|expected| ConfigError::Usage(format!("--patience: {expected}")))?;
        let options = DoctorOptions {
            user: self.user,
            password_file: self.password_file,
            patience,
            json: self.json,
        };
        Ok(DoctorTask { file: self.file, glob: self.glob_config, options })
    }
}

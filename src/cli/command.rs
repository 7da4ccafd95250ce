//! What the process is asked to do, with everything it needs to know for it.

use crate::{
    client::ConnectionPreamble,
    config::{ConfigError, ServiceEntry, SettingRow},
    runtime::settings::DaemonSettings,
    server::BindAddress,
};
use std::{path::PathBuf, str::FromStr, time::Duration};

/// Which kind of host the demo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoKind {
    /// A Nextcloud whose files change.
    Nextcloud,
    /// Private webhook URLs.
    Webhook,
}

impl DemoKind {
    /// What they are called; the first is what is shown if nothing is said.
    pub const NAMES: [&'static str; 2] = ["nextcloud", "webhook"];
}

impl FromStr for DemoKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "nextcloud" => Ok(Self::Nextcloud),
            "webhook" => Ok(Self::Webhook),
            other => Err(format!("there is no demo of {other:?}")),
        }
    }
}

/// One run of the program; `H` is what the kinds make of the hosts' settings.
#[derive(Debug)]
pub enum ProgramCommand<H> {
    /// Serve until told to stop.
    Serve {
        /// With these settings.
        settings: Box<DaemonSettings>,
        /// For these hosts; never empty.
        hosts: Vec<ServiceEntry<H>>,
        /// To be logged as soon as there is a log.
        warnings: Vec<String>,
    },
    /// What a kind of host is asked to do besides.
    Act {
        /// The host, with all there is to say of it.
        described: Box<LoadedConfig<H>>,
        /// The word for it.
        action: &'static str,
    },
    /// Print this on stdout and end with 0: `--version`, `--help`, `--dump-config`.
    Print(String),
    /// Check everything and say what mends it.
    Doctor {
        /// What is to be looked over, or why the settings can't be used.
        described: Result<Box<LoadedConfig<H>>, ConfigError>,
        /// config.php, if one was named.
        file: Option<PathBuf>,
        /// How.
        options: DoctorOptions,
    },
    /// Show the main job with nothing installed.
    Demo {
        /// Of which kind of host.
        play: DemoKind,
        /// End after each kind of message has been seen.
        once: bool,
    },
    /// Change what a running daemon logs.
    Log {
        /// How.
        action: LogAction,
        /// The listeners to ask, the first that is there; never empty.
        endpoints: Vec<BindAddress>,
    },
    /// Close a user's connections in a running daemon.
    Revoke {
        /// The canonical user id.
        user: String,
        /// Of which host, where there are several.
        host: Option<String>,
        /// The listeners to ask, the first that is there; never empty.
        endpoints: Vec<BindAddress>,
    },
    /// Say whether a running daemon can do its job.
    Healthcheck {
        /// Only whether it runs.
        live: bool,
        /// The listeners to ask, the first that is there; may be empty.
        endpoints: Vec<BindAddress>,
        /// Where clients connect, for when there is none.
        clients: BindAddress,
        /// How they begin.
        opening: ConnectionPreamble,
    },
    /// Show what a running daemon counts.
    Metrics {
        /// How long to watch for the rates.
        over: Duration,
        /// The listeners to ask, the first that is there; never empty.
        endpoints: Vec<BindAddress>,
    },
}

/// Settings with what there is to tell of them.
#[derive(Debug)]
pub struct LoadedConfig<H> {
    /// The daemon's.
    pub settings: DaemonSettings,
    /// Its hosts; never empty.
    pub hosts: Vec<ServiceEntry<H>>,
    /// Each with its source, as `--dump-config` prints them.
    pub rows: Vec<SettingRow>,
    /// What an operator should hear that stops nothing.
    pub warnings: Vec<String>,
}

/// What the doctor is asked besides the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorOptions {
    /// Whom to log in as.
    pub user: Option<String>,
    /// Where the password is; none: it is asked for.
    pub password_file: Option<PathBuf>,
    /// How long a silent connection is held.
    pub idle_time: Duration,
    /// JSON instead of text.
    pub json: bool,
}

/// What is to happen to a log filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAction {
    /// Log this; a valid filter.
    Set(String),
    /// Log again what was logged before.
    Restore,
}

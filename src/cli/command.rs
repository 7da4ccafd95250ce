//! The command that the process runs, with everything that it needs.

use crate::{
    client::ConnectionPreamble,
    config::{ConfigError, ServiceEntry, SettingRow},
    runtime::settings::DaemonSettings,
    server::BindAddress,
};
use std::{path::PathBuf, str::FromStr, time::Duration};

/// The kind of service that the demo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoKind {
    /// A Nextcloud whose files change.
    Nextcloud,
    /// Private webhook URLs.
    Webhook,
}

impl DemoKind {
    /// The names of the demos; the first is the default.
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

/// One run of the program; `S` is what the kinds make of a service's settings.
#[derive(Debug)]
pub enum ProgramCommand<S> {
    /// Serve until a signal ends the process.
    Serve(Box<LoadedConfig<S>>),
    /// Run an action of a kind of service.
    Act {
        /// The service and all settings.
        config: Box<LoadedConfig<S>>,
        /// The name of the action.
        action: &'static str,
    },
    /// Print this text on standard output: `--version`, `--help`, `--dump-config`.
    Print(String),
    /// Check everything and explain how to fix what is wrong.
    Doctor {
        /// The settings, or why they can't be used.
        config: Result<Box<LoadedConfig<S>>, ConfigError>,
        /// config.php, if one was named.
        file: Option<PathBuf>,
        /// The doctor's own options.
        options: DoctorOptions,
    },
    /// Show the daemon at work with nothing installed.
    Demo {
        /// The kind of service.
        kind: DemoKind,
        /// Whether it exits after one message of each kind.
        once: bool,
        /// The port for clients; none: any free one.
        port: Option<u16>,
    },
    /// Show or change what a running daemon logs.
    Log {
        /// What to do with the filter.
        action: LogAction,
        /// The control listeners, in the order to try; never empty.
        endpoints: Vec<BindAddress>,
    },
    /// Close a user's connections in a running daemon.
    Revoke {
        /// The canonical user id.
        user: String,
        /// The service of the user, where there are several.
        service: Option<String>,
        /// The control listeners, in the order to try; never empty.
        endpoints: Vec<BindAddress>,
    },
    /// Check that a running daemon is ready.
    Healthcheck {
        /// Whether to check only that it runs.
        live: bool,
        /// The control listeners, in the order to try; may be empty.
        endpoints: Vec<BindAddress>,
        /// The listener for clients, if there is no other.
        clients: BindAddress,
        /// How connections to it begin.
        opening: ConnectionPreamble,
    },
    /// Show the counters of a running daemon.
    Metrics {
        /// The interval over which rates are measured.
        over: Duration,
        /// The control listeners, in the order to try; never empty.
        endpoints: Vec<BindAddress>,
    },
}

/// All settings, with their sources and warnings.
#[derive(Debug)]
pub struct LoadedConfig<S> {
    /// The daemon's own settings.
    pub settings: DaemonSettings,
    /// The services; never empty.
    pub services: Vec<ServiceEntry<S>>,
    /// Each setting with its source, as `--dump-config` prints them.
    pub rows: Vec<SettingRow>,
    /// What an operator should know and that prevents nothing.
    pub warnings: Vec<String>,
}

/// The doctor's own options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorOptions {
    /// The user to log in as.
    pub user: Option<String>,
    /// The file with the password; without it the terminal or standard input is read.
    pub password_file: Option<PathBuf>,
    /// How long an idle connection is held.
    pub idle_time: Duration,
    /// Whether to print JSON instead of text.
    pub json: bool,
}

/// What to do with a log filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAction {
    /// Show the current one.
    Show,
    /// Use this one, which is valid.
    Set(String),
    /// Return to the configured one.
    Restore,
}

//! The commands, their arguments and options: parser, help, completions and man page are made from
//! these values and the settings.

use super::DemoKind;
use crate::config::{
    ServiceKind, Setting,
    setting::{CONFIG, CONTROL_SETTINGS, ValueFormat, daemon_settings},
};

/// The program with all its commands.
pub(crate) struct ProgramSpec {
    /// The program without a command: it serves.
    pub(crate) main: CommandSpec,
    /// The commands, in the order of the help.
    pub(crate) commands: Vec<CommandSpec>,
}

/// A command; every text is for the help.
#[derive(Default)]
pub(crate) struct CommandSpec {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) details: &'static str,
    pub(crate) arguments: Vec<ArgumentSpec>,
    pub(crate) options: Vec<OptionSpec>,
    pub(crate) settings: Vec<Setting>,
    /// Whether the help only mentions the settings.
    pub(crate) brief: bool,
}

/// A positional argument.
pub(crate) struct ArgumentSpec {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) required: bool,
    /// Whether it is a file.
    pub(crate) is_file: bool,
    /// The words that it may be; empty: any text.
    pub(crate) words: Vec<&'static str>,
}

/// An option that is no setting.
#[derive(Clone, Copy)]
pub(crate) struct OptionSpec {
    pub(crate) name: &'static str,
    pub(crate) short: Option<&'static str>,
    pub(crate) format: ValueFormat,
    pub(crate) help: &'static str,
}

pub(crate) const FILE: &str = "config.php";
pub(crate) const GLOB: &str = "glob-config";
pub(crate) const DUMP: &str = "dump-config";
pub(crate) const VERSION: &str = "version";
pub(crate) const ACTION: &str = "action";
pub(crate) const SERVICE_FILE: &str = "config";
/// An action that all kinds of service have.
pub(crate) const DOCTOR: &str = "doctor";
pub(crate) const HELP: &str = "help";
/// The topic of `help` that explains every setting.
pub(crate) const SETTINGS_TOPIC: &str = "settings";
pub(crate) const SHELLS: &[&str] = &["bash", "fish", "zsh"];

const fn option(name: &'static str, format: ValueFormat, help: &'static str) -> OptionSpec {
    OptionSpec { name, short: None, format, help }
}

fn argument(name: &'static str, help: &'static str) -> ArgumentSpec {
    ArgumentSpec { name, help, required: false, is_file: false, words: Vec::new() }
}

fn one_of(name: &'static str, words: &[&'static str], help: &'static str) -> ArgumentSpec {
    ArgumentSpec { words: words.to_vec(), ..argument(name, help) }
}

fn config_php() -> ArgumentSpec {
    ArgumentSpec { is_file: true, ..argument(FILE, "The config.php of your Nextcloud") }
}

const GLOB_CONFIG: OptionSpec =
    option(GLOB, ValueFormat::Switch, "Also read the *.config.php beside config.php");
const DUMP_CONFIG: OptionSpec =
    option(DUMP, ValueFormat::Switch, "Print all settings and their sources");

impl ProgramSpec {
    pub(crate) fn new<S>(kinds: &[ServiceKind<'_, S>]) -> Self {
        let own = kinds.first().map(|kind| kind.settings).unwrap_or_default();
        let all: Vec<Setting> = own.iter().copied().chain(daemon_settings()).collect();
        let main = CommandSpec {
            about: "Notifies clients as soon as something changes on their server.",
            arguments: vec![config_php()],
            options: vec![
                GLOB_CONFIG,
                DUMP_CONFIG,
                OptionSpec {
                    short: Some("v"),
                    ..option(VERSION, ValueFormat::Switch, "Print version, commit and services")
                },
            ],
            settings: all.clone(),
            brief: true,
            ..CommandSpec::default()
        };
        let mut commands = vec![doctor(all), demo()];
        commands.extend(kinds.iter().filter(|kind| !kind.about.is_empty()).map(service));
        commands.extend([healthcheck(), metrics(), log(), revoke(), completions(), help()]);
        Self { main, commands }
    }

    /// The command of this name.
    pub(crate) fn command(&self, name: &str) -> Option<&CommandSpec> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// The names of all commands, for messages.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.commands.iter().map(|command| command.name).collect()
    }
}

impl CommandSpec {
    fn control(
        name: &'static str,
        about: &'static str,
        arguments: Vec<ArgumentSpec>,
        options: Vec<OptionSpec>,
    ) -> Self {
        let settings = CONTROL_SETTINGS.to_vec();
        Self { name, about, arguments, options, settings, ..Self::default() }
    }

    /// The settings that have a flag.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(|setting| setting.flag)
    }
}

fn doctor(settings: Vec<Setting>) -> CommandSpec {
    CommandSpec {
        name: DOCTOR,
        about: "Check the installation and explain how to fix problems",
        details: "Checks, in this order: settings, file descriptors, Redis and its events, database, \
                  tables, privileges and the mount query, Nextcloud, its app, clocks, the daemon, its \
                  public address, the proxies in between, the delivery of an event, a login, an idle \
                  connection. It changes nothing. The exit status is 0 if nothing is wrong, 1 if \
                  something is, 2 if the command line is not understood.",
        arguments: vec![config_php()],
        options: vec![
            GLOB_CONFIG,
            option(
                "user",
                ValueFormat::Text("name"),
                "Also log in as this user; the password is read from the terminal or standard input",
            ),
            option(
                "password-file",
                ValueFormat::File("file"),
                "Read the password from the first line of this file",
            ),
            option(
                "idle-time",
                ValueFormat::Text("time"),
                "How long to hold an idle connection; 70s shows the time-outs of proxies [default 5s]",
            ),
            option("json", ValueFormat::Switch, "Print JSON instead of text"),
        ],
        settings,
        brief: true,
    }
}

fn demo() -> CommandSpec {
    CommandSpec {
        name: "demo",
        about: "Show the daemon at work, with nothing installed",
        details: "Runs the daemon with a small database of its own, publishes changes, and shows what \
                  the clients receive.",
        arguments: vec![one_of(
            "service",
            &DemoKind::NAMES,
            "The kind of service: nextcloud (the default) or webhook",
        )],
        options: vec![
            option("once", ValueFormat::Switch, "Exit after one message of each kind"),
            option(
                "port",
                ValueFormat::Port,
                "Port on 127.0.0.1 for clients [default: any free one]",
            ),
        ],
        ..CommandSpec::default()
    }
}

/// The command that serves one service of a kind.
fn service<S>(kind: &ServiceKind<'_, S>) -> CommandSpec {
    let own = kind.settings.iter().copied();
    let daemon = daemon_settings().filter(|setting| setting.name != CONFIG.name);
    let daemon =
        daemon.map(|setting| if setting.name == kind.port.name { kind.port } else { setting });
    let file = kind.file.map(|help| OptionSpec {
        short: CONFIG.short,
        ..option(SERVICE_FILE, ValueFormat::File("file"), help)
    });
    let help = if kind.action.is_empty() { "doctor: check it" } else { kind.action };
    let actions: Vec<_> = kind.actions.iter().map(|action| action.name).chain([DOCTOR]).collect();
    CommandSpec {
        name: kind.name,
        about: kind.about,
        arguments: vec![one_of(ACTION, &actions, help)],
        options: file.into_iter().chain([DUMP_CONFIG]).collect(),
        settings: own.chain(daemon).collect(),
        ..CommandSpec::default()
    }
}

fn healthcheck() -> CommandSpec {
    CommandSpec::control(
        "healthcheck",
        "Check that the running daemon is ready; exit status 0 or 1",
        Vec::new(),
        vec![option("live", ValueFormat::Switch, "Only check that it runs")],
    )
}

fn metrics() -> CommandSpec {
    CommandSpec::control(
        "metrics",
        "Show the counters of the running daemon, with rates",
        Vec::new(),
        vec![option(
            "over",
            ValueFormat::Text("time"),
            "Interval over which the rates are measured [default 1s]",
        )],
    )
}

fn log() -> CommandSpec {
    CommandSpec::control(
        "log",
        "Show or change the log level of the running daemon",
        vec![argument(
            "level",
            "The new log filter, such as debug or notify_push=debug; without it the current one is shown",
        )],
        vec![option("restore", ValueFormat::Switch, "Return to the configured log filter")],
    )
}

fn revoke() -> CommandSpec {
    CommandSpec::control(
        "revoke",
        "Close all connections of a user; exit status 1 if none",
        vec![ArgumentSpec { required: true, ..argument("user", "The id of the user") }],
        vec![option(
            "service",
            ValueFormat::Text("name"),
            "The service of the user, by its name in the services file",
        )],
    )
}

fn completions() -> CommandSpec {
    CommandSpec {
        name: "completions",
        about: "Print a completion script for your shell",
        arguments: vec![ArgumentSpec {
            required: true,
            ..one_of("shell", SHELLS, "bash, fish or zsh")
        }],
        ..CommandSpec::default()
    }
}

fn help() -> CommandSpec {
    CommandSpec {
        name: HELP,
        about: "Print this help, that of a command, or that of all settings",
        arguments: vec![argument("topic", "A command, or settings")],
        ..CommandSpec::default()
    }
}

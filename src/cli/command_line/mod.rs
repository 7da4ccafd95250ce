//! Parses the command line. Only this folder knows structopt.

mod errors;
mod matches;

use super::{
    DemoKind, DoctorOptions, LogAction,
    command_spec::{ArgumentSpec, CommandSpec, OptionSpec, ProgramSpec, VERSION},
    reference::help,
};
use crate::config::{ConfigError, ServiceKind, layers::FlagValues, nearest, setting::ValueFormat};
use std::{ffi::OsString, path::PathBuf};
use structopt::clap::{App, AppSettings, Arg, ErrorKind, SubCommand};

/// The parsed command line.
pub(crate) struct ParsedArguments {
    /// The settings given as flags.
    pub(crate) flags: FlagValues,
    /// The task to carry out.
    pub(crate) task: CliTask,
}

/// A task of the command line.
pub(crate) enum CliTask {
    /// Serve, or print the settings.
    Serve {
        file: Option<PathBuf>,
        glob: bool,
        dump: bool,
    },
    /// Serve one service of a kind, or act on it.
    Service {
        kind: &'static str,
        file: Option<PathBuf>,
        task: ServiceTask,
    },
    Doctor {
        file: Option<PathBuf>,
        glob: bool,
        options: DoctorOptions,
    },
    Demo {
        kind: DemoKind,
        once: bool,
        port: Option<u16>,
    },
    Log(LogAction),
    Revoke {
        user: String,
        service: Option<String>,
    },
    Healthcheck {
        live: bool,
    },
    Metrics {
        over: Option<String>,
    },
    Print(String),
}

/// A task with the only service.
#[derive(Clone, Copy)]
pub(crate) enum ServiceTask {
    Serve,
    Dump,
    Doctor,
    Act(&'static str),
}

/// The hidden flag `-V`: many programs have it.
const VERSION_CAPITAL: &str = "version-capital";

/// Parses the arguments, the program's name first.
pub(crate) fn parse<S>(
    arguments: Vec<OsString>,
    kinds: &[ServiceKind<'_, S>],
) -> Result<ParsedArguments, ConfigError> {
    let program = ProgramSpec::new(kinds);
    let texts = HelpTexts::new(&program);
    let given = arguments.clone();
    match app(&program, &texts).get_matches_from_safe(arguments) {
        Ok(found) => matches::parsed(&found, &program, kinds),
        Err(error) if error.kind == ErrorKind::HelpDisplayed => {
            let task = CliTask::Print(format!("{}\n", error.message.trim_end()));
            Ok(ParsedArguments { flags: FlagValues::new(), task })
        }
        Err(error) => Err(ConfigError::Usage(errors::message(&error, &given, &program))),
    }
}

/// What to say about an argument that is neither a file nor a command.
pub(crate) fn unknown_command<S>(word: &str, kinds: &[ServiceKind<'_, S>]) -> String {
    let names = ProgramSpec::new(kinds).names();
    let hint = match (word, nearest(word, &names)) {
        ("serve" | "start" | "run" | "daemon", _) => {
            "To serve, give the path of config.php, or --config with a services file".to_owned()
        }
        ("status" | "health" | "state" | "ready", _) => "Did you mean healthcheck?".to_owned(),
        ("stats" | "statistics" | "top", _) => "Did you mean metrics?".to_owned(),
        (_, Some(near)) => format!("Did you mean {near}?"),
        (_, None) => String::new(),
    };
    let hint = if hint.is_empty() { hint } else { format!("{hint}. ").replace("?. ", "? ") };
    format!("{word} is neither a file nor a command. {hint}The commands are {}", names.join(", "))
}

/// The help texts of all commands, which the parser borrows.
struct HelpTexts {
    main: String,
    commands: Vec<String>,
}

impl HelpTexts {
    fn new(program: &ProgramSpec) -> Self {
        let commands = program.commands.iter().map(help::command_help);
        Self { main: help::main_help(program), commands: commands.collect() }
    }
}

fn app<'a>(program: &'a ProgramSpec, texts: &'a HelpTexts) -> App<'a, 'a> {
    let main = command(App::new("notify_push"), &program.main, &texts.main)
        .global_setting(AppSettings::DisableVersion)
        .setting(AppSettings::DisableHelpSubcommand)
        .arg(Arg::with_name(VERSION_CAPITAL).short("V").hidden(true));
    let commands = program.commands.iter().zip(&texts.commands);
    main.subcommands(
        commands.map(|(spec, text)| command(SubCommand::with_name(spec.name), spec, text)),
    )
}

fn command<'a>(app: App<'a, 'a>, spec: &'a CommandSpec, text: &'a str) -> App<'a, 'a> {
    let app = app.help(text).args(&spec.arguments.iter().map(positional).collect::<Vec<_>>());
    let app = app.args(&spec.options.iter().map(option).collect::<Vec<_>>());
    let settings = spec.flags().map(|setting| {
        let arg = valued(setting.name, setting.format);
        // Settings are checked with their variables, so that all layers have the same errors.
        let empty = setting.kind == crate::config::SettingKind::MayBeEmpty;
        let arg = if empty { arg.empty_values(true) } else { arg };
        match setting.short {
            Some(letter) => arg.short(letter),
            None => arg,
        }
    });
    app.args(&settings.collect::<Vec<_>>())
}

fn positional(spec: &ArgumentSpec) -> Arg<'static, 'static> {
    // Words are checked later, so that errors can name the nearest one.
    Arg::with_name(spec.name).required(spec.required)
}

fn option(spec: &OptionSpec) -> Arg<'static, 'static> {
    let arg = valued(spec.name, spec.format);
    let arg = match spec.name {
        "password-file" => arg.requires("user"),
        "restore" => arg.conflicts_with("level"),
        _ => arg,
    };
    match spec.short {
        Some(letter) => arg.short(letter),
        None => arg,
    }
}

fn valued(name: &'static str, format: ValueFormat) -> Arg<'static, 'static> {
    let arg = Arg::with_name(name).long(name);
    match (format, format.placeholder()) {
        (ValueFormat::Repeated(placeholder), _) => {
            arg.takes_value(true).value_name(placeholder).multiple(true).number_of_values(1)
        }
        (_, Some(placeholder)) => arg.takes_value(true).value_name(placeholder),
        (_, None) => arg,
    }
}

/// One line that the app's set-up wizard recognizes (`specs/nextcloud.md` section 5).
fn version<S>(kinds: &[ServiceKind<'_, S>]) -> String {
    let services: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    format!(
        "notify_push {} (stand-alone daemon, not that of Nextcloud's app; commit {}, {}; services: \
         {})\n",
        env!("CARGO_PKG_VERSION"),
        env!("NOTIFY_PUSH_COMMIT"),
        env!("NOTIFY_PUSH_TARGET"),
        services.join(", ")
    )
}

//! From the parser's matches to a task and the settings given as flags.

use super::{
    CliTask, CommandSpec, ParsedArguments, ProgramSpec, ServiceTask, VERSION, VERSION_CAPITAL,
    unknown_command, version,
};
use crate::{
    cli::{
        DemoKind, DoctorOptions, LogAction,
        command_spec::{ACTION, DOCTOR, DUMP, FILE, GLOB, HELP, SERVICE_FILE, SETTINGS_TOPIC},
        reference::{completions, help},
    },
    config::{
        ConfigError, ServiceKind, layers::FlagValues, nearest, parse, repeated,
        setting::ValueFormat,
    },
};
use std::{path::PathBuf, time::Duration};
use structopt::clap::ArgMatches;

/// How long the doctor holds an idle connection by default.
const DEFAULT_IDLE_TIME: Duration = Duration::from_secs(5);

/// The task that was given.
pub(super) fn parsed<S>(
    found: &ArgMatches<'_>,
    program: &ProgramSpec,
    kinds: &[ServiceKind<'_, S>],
) -> Result<ParsedArguments, ConfigError> {
    let mut flags = FlagValues::new();
    collect(found, &program.main, &mut flags);
    if found.is_present(VERSION) || found.is_present(VERSION_CAPITAL) {
        return Ok(ParsedArguments { flags, task: CliTask::Print(version(kinds)) });
    }
    let file = path(found, FILE);
    let (name, inner) = found.subcommand();
    let (Some(inner), Some(spec)) = (inner, program.command(name)) else {
        let (glob, dump) = (found.is_present(GLOB), found.is_present(DUMP));
        return Ok(ParsedArguments { flags, task: CliTask::Serve { file, glob, dump } });
    };
    collect(inner, spec, &mut flags);
    check_words(inner, spec)?;
    let task = match name {
        DOCTOR => {
            let glob = found.is_present(GLOB) || inner.is_present(GLOB);
            CliTask::Doctor { file: path(inner, FILE).or(file), glob, options: doctor(inner)? }
        }
        "demo" => demo(inner)?,
        "log" => CliTask::Log(match (text(inner, "level"), inner.is_present("restore")) {
            (_, true) => LogAction::Restore,
            (Some(level), false) => LogAction::Set(level),
            (None, false) => LogAction::Show,
        }),
        "revoke" => CliTask::Revoke {
            user: text(inner, "user").unwrap_or_default(),
            service: text(inner, "service"),
        },
        "healthcheck" => CliTask::Healthcheck { live: inner.is_present("live") },
        "metrics" => CliTask::Metrics { over: text(inner, "over") },
        "completions" => {
            let shell = text(inner, "shell").unwrap_or_default();
            CliTask::Print(completions::script(&shell, program))
        }
        HELP => CliTask::Print(topic(text(inner, "topic").as_deref(), program, kinds)?),
        _ => match kinds.iter().find(|kind| kind.name == name) {
            Some(kind) => service(inner, kind),
            None => return Err(ConfigError::Usage(unknown_command(name, kinds))),
        },
    };
    Ok(ParsedArguments { flags, task })
}

/// Adds the settings of a command that were given as flags.
fn collect(found: &ArgMatches<'_>, spec: &CommandSpec, flags: &mut FlagValues) {
    for setting in spec.flags().filter(|setting| found.is_present(setting.name)) {
        let values = match setting.format {
            ValueFormat::Switch => vec!["true".to_owned()],
            _ => found.values_of_lossy(setting.name).unwrap_or_default(),
        };
        flags.insert(setting.name, values);
    }
}

fn text(found: &ArgMatches<'_>, name: &str) -> Option<String> {
    found.value_of_lossy(name).map(std::borrow::Cow::into_owned)
}

fn path(found: &ArgMatches<'_>, name: &str) -> Option<PathBuf> {
    found.value_of_os(name).map(PathBuf::from)
}

fn doctor(found: &ArgMatches<'_>) -> Result<DoctorOptions, ConfigError> {
    let idle_time = match text(found, "idle-time") {
        None => DEFAULT_IDLE_TIME,
        Some(time) => parse::duration(&time)
            .map_err(|expected| ConfigError::Usage(format!("--idle-time: {expected}")))?,
    };
    Ok(DoctorOptions {
        user: text(found, "user"),
        password_file: path(found, "password-file"),
        idle_time,
        json: found.is_present("json"),
    })
}

fn demo(found: &ArgMatches<'_>) -> Result<CliTask, ConfigError> {
    let kind = match text(found, "service") {
        None => DemoKind::Nextcloud,
        Some(name) => name.parse().map_err(ConfigError::Usage)?,
    };
    let port = text(found, "port").map(|port| parse::port(&port)).transpose();
    let port = port.map_err(|expected| ConfigError::Usage(format!("--port: {expected}")))?;
    Ok(CliTask::Demo { kind, once: found.is_present("once"), port })
}

fn service<S>(found: &ArgMatches<'_>, kind: &ServiceKind<'_, S>) -> CliTask {
    let file = kind.file.and_then(|_| path(found, SERVICE_FILE));
    let task = match text(found, ACTION).as_deref() {
        _ if found.is_present(DUMP) => ServiceTask::Dump,
        None => ServiceTask::Serve,
        Some(DOCTOR) => ServiceTask::Doctor,
        Some(word) => match kind.actions.iter().find(|action| action.name == word) {
            Some(action) if action.serves => ServiceTask::Serve,
            Some(action) => ServiceTask::Act(action.name),
            None => ServiceTask::Serve,
        },
    };
    CliTask::Service { kind: kind.name, file, task }
}

/// Checks the arguments that must be one of several words.
fn check_words(found: &ArgMatches<'_>, spec: &CommandSpec) -> Result<(), ConfigError> {
    for argument in spec.arguments.iter().filter(|argument| !argument.words.is_empty()) {
        let Some(word) = text(found, argument.name) else { continue };
        if argument.words.contains(&word.as_str()) {
            continue;
        }
        let hint = nearest(&word, &argument.words).map(|near| format!("Did you mean {near}? "));
        return Err(ConfigError::Usage(format!(
            "{} is no {} of {}. {}Expected {}",
            repeated(&word),
            argument.name,
            spec.name,
            hint.unwrap_or_default(),
            argument.words.join(", ")
        )));
    }
    Ok(())
}

fn topic<S>(
    topic: Option<&str>,
    program: &ProgramSpec,
    kinds: &[ServiceKind<'_, S>],
) -> Result<String, ConfigError> {
    match topic {
        None => Ok(help::main_help(program)),
        Some(SETTINGS_TOPIC) => Ok(help::settings_help(program)),
        Some(name) => match program.command(name) {
            Some(command) => Ok(help::command_help(command)),
            None => Err(ConfigError::Usage(unknown_command(name, kinds))),
        },
    }
}

//! Error messages of the parser: without secrets, with the nearest flag, without the usage.

use super::ProgramSpec;
use crate::config::nearest;
use std::ffi::OsString;
use structopt::clap::{Error, ErrorKind};

/// The message for a command line that was not understood.
pub(super) fn message(error: &Error, arguments: &[OsString], program: &ProgramSpec) -> String {
    let unknown = error.info.as_ref().and_then(|info| info.first());
    if let (ErrorKind::UnknownArgument, Some(flag)) = (error.kind, unknown)
        && let Some(name) = flag.strip_prefix("--")
    {
        return unknown_flag(name.split('=').next().unwrap_or(name), arguments, program);
    }
    let text = without_secrets(error.message.clone(), arguments);
    let text = text.trim_start_matches("error: ");
    let first = text.split("\n\nUSAGE:").next().unwrap_or(text);
    let words: Vec<_> = first.split_whitespace().collect();
    format!("{}. See {}", words.join(" ").trim_end_matches('.'), help_of(arguments, program))
}

fn unknown_flag(name: &str, arguments: &[OsString], program: &ProgramSpec) -> String {
    let command = command(arguments, program);
    let spec = command.and_then(|name| program.command(name)).unwrap_or(&program.main);
    let options = spec.options.iter().map(|option| option.name);
    let known: Vec<_> = options.chain(spec.flags().map(|setting| setting.name)).collect();
    let hint = match nearest(name, &known) {
        Some(near) => format!("Did you mean --{near}? "),
        None => String::new(),
    };
    format!("there is no flag --{name} here. {hint}See {}", help_of(arguments, program))
}

/// The command among the arguments, if any.
fn command(arguments: &[OsString], program: &ProgramSpec) -> Option<&'static str> {
    let mut words = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    words.find_map(|word| program.command(word).map(|command| command.name))
}

fn help_of(arguments: &[OsString], program: &ProgramSpec) -> String {
    match command(arguments, program) {
        Some(name) => format!("notify_push {name} --help"),
        None => "notify_push --help".to_owned(),
    }
}

/// The parser repeats what it doesn't understand, which may be a URL with a password.
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
    message
}

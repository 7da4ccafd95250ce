//! The commands that serve one host of a kind: made from what the kind says of itself, so that a new
//! kind is no change here.

use super::{
    CliTask, ParsedArguments, ServiceTask,
    flags::{DaemonFlags, EndpointFlags, FlagCollector, ListenerFlags},
};
use crate::config::service_kind::{ServiceAction, ServiceFlag, ServiceKind};
// Not in its documentation, but the only way to take its groups of flags into a command whose name is
// known at run time.
use structopt::{
    StructOpt as _, StructOptInternal as _,
    clap::{App, AppSettings, Arg, ArgMatches, SubCommand},
};

const ACTION: &str = "action";
/// An action that all kinds have.
const DOCTOR: &str = "doctor";
const FILE: &str = "config";
const DUMP: &str = "dump-config";

/// The same with a command for each kind that has something to say of it.
pub(super) fn with_commands<'a, 'k: 'a, H>(
    app: App<'a, 'a>,
    kinds: &'k [ServiceKind<'k, H>],
) -> App<'a, 'a> {
    app.subcommands(kinds.iter().filter(|kind| !kind.about.is_empty()).map(command))
}

fn command<'a, 'k: 'a, H>(kind: &'k ServiceKind<'k, H>) -> App<'a, 'a> {
    let mut app =
        SubCommand::with_name(kind.name).about(kind.about).setting(AppSettings::DeriveDisplayOrder);
    let names = kind.actions.iter().map(|action| action.name).chain([DOCTOR]);
    let said = Arg::with_name(ACTION).possible_values(&names.collect::<Vec<_>>());
    app = app.arg(said.help(kind.action));
    if let Some(help) = kind.file {
        app = app.arg(valued(FILE, "file", help));
    }
    app = kind.flags.iter().fold(app, |app, flag| app.arg(argument(flag)));
    app = app.arg(switch(DUMP, "Print all settings and where they come from, and exit"));
    DaemonFlags::augment_clap(EndpointFlags::augment_clap(ListenerFlags::augment_clap(app)))
}

fn argument(flag: &ServiceFlag) -> Arg<'static, 'static> {
    let ServiceFlag { setting, value, help } = flag;
    match value {
        Some(value) => valued(setting.name, value, help),
        None => switch(setting.name, help),
    }
}

fn switch(name: &'static str, help: &'static str) -> Arg<'static, 'static> {
    Arg::with_name(name).long(name).help(help)
}

fn valued(name: &'static str, value: &'static str, help: &'static str) -> Arg<'static, 'static> {
    switch(name, help).takes_value(true).value_name(value)
}

/// What is asked of a kind, if anything is.
pub(super) fn line<H>(
    matches: &ArgMatches<'_>,
    kinds: &[ServiceKind<'_, H>],
) -> Option<ParsedArguments> {
    let (name, Some(matches)) = matches.subcommand() else { return None };
    let kind = kinds.iter().find(|kind| kind.name == name)?;
    let mut given = FlagCollector::default();
    for ServiceFlag { setting, value, .. } in kind.flags {
        match value {
            Some(_) => given.value(*setting, matches.value_of(setting.name).map(str::to_owned)),
            None => given.switch(*setting, matches.is_present(setting.name)),
        }
    }
    ListenerFlags::from_clap(matches).flags(&mut given);
    EndpointFlags::from_clap(matches).flags(&mut given);
    DaemonFlags::from_clap(matches).flags(&mut given);
    let action = matches.value_of(ACTION).and_then(|name| kind.asked(name));
    let task = CliTask::Host {
        kind: kind.name,
        file: kind.file.and(matches.value_of_os(FILE)).map(Into::into),
        what: match action {
            _ if matches.is_present(DUMP) => ServiceTask::Dump,
            Some(action) if !action.serves => ServiceTask::Act(action.name),
            _ if matches.value_of(ACTION) == Some(DOCTOR) => ServiceTask::Doctor,
            _ => ServiceTask::Serve,
        },
    };
    Some(ParsedArguments { flags: given.0, task })
}

impl<H> ServiceKind<'_, H> {
    fn asked(&self, name: &str) -> Option<&ServiceAction> {
        self.actions.iter().find(|action| action.name == name)
    }
}

//! One host of a kind that is named on the command line.

use super::super::{Command, Surroundings, load};
use crate::config::{
    Action, ConfigError, Flag, HostRequest, Kind, Report, Setting, Sourced, parse,
};
use std::{collections::BTreeMap, io, path::PathBuf};

const GREETING: Setting = Setting::plain("greeting", "GREETING");
const LOUD: Setting = Setting::plain("loud", "LOUD");

/// What a host of this kind makes of its settings.
#[derive(Debug, PartialEq, Eq)]
struct Greeter {
    greeting: Option<String>,
    loud: bool,
    file: Option<PathBuf>,
}

fn read(request: &HostRequest<'_>, report: &mut Report) -> Result<Greeter, ConfigError> {
    let greeting = request.layers.get(GREETING, |text| Ok::<_, String>(text.to_owned()))?;
    let loud = request.layers.get(LOUD, parse::switch)?.unwrap_or(Sourced::default(false));
    Ok(Greeter {
        greeting: report.keep_some(GREETING.name, greeting, "none", String::clone),
        loud: report.keep(LOUD.name, loud, bool::to_string),
        file: request.file.map(Into::into),
    })
}

fn run(line: &str, environment: &[(&str, &str)]) -> Result<Command<Greeter>, ConfigError> {
    let none = |_: &HostRequest<'_>, _: &mut Report| -> Result<Greeter, ConfigError> {
        panic!("the first kind was not asked for")
    };
    let greeter = Kind {
        about: "Greet everybody",
        file: Some("The greeter's own file"),
        port: 4711,
        flags: &[
            Flag { setting: GREETING, value: Some("text"), help: "What to say [GREETING]" },
            Flag { setting: LOUD, value: None, help: "Loudly [LOUD]" },
        ],
        actions: &[Action { name: "stop", serves: false }, Action { name: "debug", serves: true }],
        action: "stop the one that runs, or debug: serve",
        ..Kind::new("greeter", &[GREETING, LOUD], &read)
    };
    load(Surroundings {
        arguments: line.split(' ').map(Into::into).collect(),
        environment: environment
            .iter()
            .map(|&(k, v)| (k.into(), v.into()))
            .collect::<BTreeMap<_, _>>(),
        dotenv: Ok(String::new()),
        read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
        exists: &|_| false,
        kinds: &[Kind::new("first", &[], &none), greeter],
    })
}

fn printed(line: &str) -> String {
    match run(line, &[]) {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn its_flags_its_file_and_the_daemons_own_are_understood() {
    let line = "notify_push greeter --greeting hello --loud --config /own --metrics-port 9 debug";
    let environment = [("NOTIFY_PUSH_CONFIG", "/not/asked/for"), ("GREETING", "weaker")];
    let Ok(Command::Serve { settings, mut hosts, .. }) = run(line, &environment) else { panic!() };
    let host = hosts.remove(0).host;
    let file = Some("/own".into());
    assert_eq!(host, Greeter { greeting: Some("hello".into()), loud: true, file });
    assert_eq!(settings.metrics.len(), 1);
    assert!(format!("{:?}", settings.listen).contains("4711"), "{settings:?}");
}

#[test]
fn its_variables_count_and_its_dump_shows_all() {
    let Ok(Command::Serve { hosts, .. }) = run("notify_push greeter", &[("LOUD", "1")]) else {
        panic!()
    };
    assert!(hosts[0].host.loud);
    let dump = printed("notify_push greeter --dump-config --port 80");
    assert!(dump.contains("greeting") && dump.contains("drain-time"), "{dump}");
}

#[test]
fn an_action_is_for_the_host_and_others_are_refused() {
    match run("notify_push greeter stop --greeting bye", &[]) {
        Ok(Command::Act { described, action: "stop" }) => {
            assert_eq!(described.hosts[0].host.greeting.as_deref(), Some("bye"));
        }
        other => panic!("{other:?}"),
    }
    let doctor = run("notify_push greeter doctor", &[]).unwrap();
    assert!(matches!(doctor, Command::Doctor { described: Ok(_), .. }), "{doctor:?}");
    let error = run("notify_push greeter sing", &[]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("stop"), "{error}");
}

#[test]
fn help_and_completions_know_it() {
    assert!(printed("notify_push --help").contains("Greet everybody"));
    let help = printed("notify_push greeter --help");
    for part in ["What to say [GREETING]", "--drain-time", "--config <file>", "stop the one"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains("database"), "{help}");
    assert!(printed("notify_push completions bash").contains("--greeting"));
}

//! One host of a kind that is named on the command line.

use super::super::{LoadInputs, ProgramCommand, load};
use crate::config::{
    ConfigError, ServiceAction, ServiceConfigRequest, ServiceFlag, ServiceKind, Setting,
    SettingsReport, SourcedValue, parse,
};
use std::{collections::BTreeMap, io, path::PathBuf};

const GREETING: Setting = Setting::plain("greeting", "GREETING");
const LOUD: Setting = Setting::plain("loud", "LOUD");

/// What a host of this kind makes of its settings.
#[derive(Debug, PartialEq, Eq)]
struct GreeterService {
    greeting: Option<String>,
    loud: bool,
    file: Option<PathBuf>,
}

fn read(
    request: &ServiceConfigRequest<'_>,
    report: &mut SettingsReport,
) -> Result<GreeterService, ConfigError> {
    let greeting = request.layers.get(GREETING, |text| Ok::<_, String>(text.to_owned()))?;
    let loud = request.layers.get(LOUD, parse::switch)?.unwrap_or(SourcedValue::default(false));
    Ok(GreeterService {
        greeting: report.keep_some(GREETING.name, greeting, "none", String::clone),
        loud: report.keep(LOUD.name, loud, bool::to_string),
        file: request.file.map(Into::into),
    })
}

fn run(
    line: &str,
    environment: &[(&str, &str)],
) -> Result<ProgramCommand<GreeterService>, ConfigError> {
    let none = |_: &ServiceConfigRequest<'_>,
                _: &mut SettingsReport|
     -> Result<GreeterService, ConfigError> {
        panic!("the first kind was not asked for")
    };
    let greeter = ServiceKind {
        about: "Greet everybody",
        file: Some("The greeter's own file"),
        port: 4711,
        flags: &[
            ServiceFlag { setting: GREETING, value: Some("text"), help: "What to say [GREETING]" },
            ServiceFlag { setting: LOUD, value: None, help: "Loudly [LOUD]" },
        ],
        actions: &[
            ServiceAction { name: "stop", serves: false },
            ServiceAction { name: "debug", serves: true },
        ],
        action: "stop the one that runs, or debug: serve",
        ..ServiceKind::new("greeter", &[GREETING, LOUD], &read)
    };
    load(LoadInputs {
        arguments: line.split(' ').map(Into::into).collect(),
        environment: environment
            .iter()
            .map(|&(k, v)| (k.into(), v.into()))
            .collect::<BTreeMap<_, _>>(),
        dotenv: Ok(String::new()),
        read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
        exists: &|_| false,
        kinds: &[ServiceKind::new("first", &[], &none), greeter],
    })
}

fn printed(line: &str) -> String {
    match run(line, &[]) {
        Ok(ProgramCommand::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn its_flags_its_file_and_the_daemons_own_are_understood() {
    let line = "notify_push greeter --greeting hello --loud --config /own --metrics-port 9 debug";
    let environment = [("NOTIFY_PUSH_CONFIG", "/not/asked/for"), ("GREETING", "weaker")];
    let Ok(ProgramCommand::Serve { settings, mut hosts, .. }) = run(line, &environment) else {
        panic!()
    };
    let host = hosts.remove(0).service;
    let file = Some("/own".into());
    assert_eq!(host, GreeterService { greeting: Some("hello".into()), loud: true, file });
    assert_eq!(settings.metrics.len(), 1);
    assert!(format!("{:?}", settings.listen).contains("4711"), "{settings:?}");
}

#[test]
fn its_variables_count_and_its_dump_shows_all() {
    let Ok(ProgramCommand::Serve { hosts, .. }) = run("notify_push greeter", &[("LOUD", "1")])
    else {
        panic!()
    };
    assert!(hosts[0].service.loud);
    let dump = printed("notify_push greeter --dump-config --port 80");
    assert!(dump.contains("greeting") && dump.contains("drain-time"), "{dump}");
}

#[test]
fn an_action_is_for_the_host_and_others_are_refused() {
    match run("notify_push greeter stop --greeting bye", &[]) {
        Ok(ProgramCommand::Act { described, action: "stop" }) => {
            assert_eq!(described.hosts[0].service.greeting.as_deref(), Some("bye"));
        }
        other => panic!("{other:?}"),
    }
    let doctor = run("notify_push greeter doctor", &[]).unwrap();
    assert!(matches!(doctor, ProgramCommand::Doctor { described: Ok(_), .. }), "{doctor:?}");
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

//! One service of a kind that the command line names.

use super::super::{LoadInputs, ProgramCommand, load};
use crate::config::{
    ConfigError, ServiceAction, ServiceConfigRequest, ServiceKind, Setting, SettingsReport,
    SystemProbes, parse, setting::PORT,
};
use std::path::PathBuf;

const GREETING: Setting = Setting::text("greeting", "GREETING", "text", "The text to send");
const LOUD: Setting = Setting::switch("loud", "LOUD", "Loudly");

/// The settings of a service of this kind.
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
    let loud = request.layers.get_or_default(LOUD, parse::switch)?;
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
    let none =
        |_: &ServiceConfigRequest<'_>,
         _: &mut SettingsReport|
         -> Result<GreeterService, ConfigError> { panic!("the first kind is not served") };
    let greeter = ServiceKind {
        about: "Greet all clients",
        file: Some("The greeter's own file"),
        port: PORT.default("4711"),
        actions: &[
            ServiceAction { name: "stop", serves: false },
            ServiceAction { name: "debug", serves: true },
        ],
        action: "stop the one that runs, or debug: serve",
        ..ServiceKind::new("greeter", &[GREETING, LOUD], &read)
    };
    load(LoadInputs {
        arguments: line.split(' ').map(Into::into).collect(),
        environment: environment.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
        probes: SystemProbes::NONE,
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
    let Ok(ProgramCommand::Serve(mut config)) = run(line, &environment) else { panic!() };
    let (host, settings) = (config.services.remove(0).service, config.settings);
    let file = Some("/own".into());
    assert_eq!(host, GreeterService { greeting: Some("hello".into()), loud: true, file });
    assert_eq!(settings.metrics.len(), 1);
    assert!(format!("{:?}", settings.listen).contains("4711"), "{settings:?}");
}

#[test]
fn its_variables_count_and_its_dump_shows_all() {
    let loud = [("LOUD", "1")];
    let Ok(ProgramCommand::Serve(config)) = run("notify_push greeter", &loud) else { panic!() };
    assert!(config.services[0].service.loud);
    let dump = printed("notify_push greeter --dump-config --port 80");
    assert!(dump.contains("greeting") && dump.contains("drain-time"), "{dump}");
}

#[test]
fn an_action_is_for_the_service_and_others_are_rejected() {
    match run("notify_push greeter stop --greeting bye", &[]) {
        Ok(ProgramCommand::Act { config, action: "stop" }) => {
            assert_eq!(config.services[0].service.greeting.as_deref(), Some("bye"));
        }
        other => panic!("{other:?}"),
    }
    let doctor = run("notify_push greeter doctor", &[]).unwrap();
    assert!(matches!(doctor, ProgramCommand::Doctor { config: Ok(_), .. }), "{doctor:?}");
    let error = run("notify_push greeter stp", &[]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("Did you mean stop?"), "{error}");
}

#[test]
fn help_and_completions_know_it() {
    assert!(printed("notify_push --help").contains("Greet all clients"));
    let help = printed("notify_push greeter --help");
    for part in [
        "The text to send [GREETING]",
        "default 4711",
        "drain-time",
        "--config <file>",
        "stop the one",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains("database"), "{help}");
    assert!(printed("notify_push completions bash").contains("--greeting"));
}

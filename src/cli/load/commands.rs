//! Commands, help and errors of the command line.

use super::{
    super::{DemoKind, LogAction, ProgramCommand},
    tests::{LoadCase, RUN},
};
use crate::{
    config::ConfigError, server::BindAddress, services::nextcloud::settings::nextcloud_url,
};

#[test]
fn the_wizard_s_start_is_understood() {
    let environment = [
        ("PORT", "7867"),
        ("ALLOW_SELF_SIGNED", "false"),
        ("LOG", "notify_push=info"),
        ("NEXTCLOUD_URL", "https://c.example/nc"),
    ];
    let run = LoadCase { arguments: &["/etc/config.php"], environment: &environment, ..RUN };
    assert_eq!(run.settings().1.nextcloud.url, nextcloud_url("https://c.example/nc/").ok());
}

#[test]
fn version_is_one_line_whatever_else_is_wrong() {
    let run = LoadCase { arguments: &["--version"], dotenv: "this is no dotenv", ..RUN };
    let text = run.printed();
    assert!(text.starts_with("notify_push ") && text.ends_with('\n'));
    assert_eq!(text.lines().count(), 1);
    for part in ["stand-alone daemon", "commit", std::env::consts::ARCH, "services: nextcloud"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn help_fits_two_screens_and_names_each_flag() {
    let help = LoadCase { arguments: &["--help"], ..RUN }.printed();
    assert!(help.lines().count() <= 48, "two screens of 24 lines: {}", help.lines().count());
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    let commands = help.find("COMMANDS:").unwrap();
    assert!(commands < help.find("OPTIONS:").unwrap() && commands < 400, "{help}");
    assert!(help.contains("[PORT; default 7867]"), "{help}");
    let settings = LoadCase { arguments: &["help", "settings"], ..RUN }.printed();
    assert!(settings.lines().all(|line| line.chars().count() <= 80), "{settings}");
    for (setting, _) in super::precedence::samples() {
        assert!(!setting.flag || help.contains(setting.name), "{}", setting.name);
        assert!(!setting.flag || settings.contains(&format!("--{}", setting.name)));
        assert!(settings.contains(setting.variable), "{}", setting.variable);
    }
    assert_eq!(LoadCase { arguments: &["help"], ..RUN }.printed(), help);
    assert_eq!(LoadCase { arguments: &["-h"], ..RUN }.printed(), help);
    let log = LoadCase { arguments: &["help", "log"], ..RUN }.printed();
    assert_eq!(LoadCase { arguments: &["log", "--help"], ..RUN }.printed(), log);
}

#[test]
fn mistyped_commands_and_flags_get_the_nearest_one() {
    for (arguments, hint) in [
        (&["docter"][..], "Did you mean doctor?"),
        (&["status"], "Did you mean healthcheck?"),
        (&["serve"], "To serve, give the path of config.php"),
        (&["healtcheck"], "Did you mean healthcheck?"),
        (&["help", "revok"], "Did you mean revoke?"),
        (&["--prot=1"], "Did you mean --port?"),
        (&["--databse-url=mysql://u:hunter2@h/d"], "Did you mean --database-url?"),
        (&["revoke", "--servce", "a", "alice"], "Did you mean --service?"),
        (&["completions", "bsh"], "Did you mean bash?"),
    ] {
        let error = LoadCase { arguments, ..RUN }.load().unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains(hint), "{arguments:?}: {error}");
        assert!(!error.to_string().contains("USAGE"), "{error}");
    }
    let other = LoadCase { arguments: &["elephant"], ..RUN }.error();
    assert!(other.contains("neither a file nor a command") && other.contains("doctor"), "{other}");
}

#[test]
fn a_command_line_that_is_not_understood_shows_no_secret() {
    for arguments in [
        &["--databse-url=mysql://u:hunter2@h/d"][..],
        &["--databse-url", "mysql://u:hunter2@h/d"],
        &["config.php", "mysql://u:hunter2@h/d"],
        &["--port", "1", "--port", "mysql://u:hunter2@h/d"],
        &["log", "debug", "mysql://u:hunter2@h/d"],
    ] {
        let error = LoadCase { arguments, ..RUN }.load().unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn commands_find_the_running_daemon() {
    let environment = [("METRICS_PORT", "9000"), ("METRICS_SOCKET_PATH", "/m")];
    let arguments = ["log", "debug", "--admin-socket", "/a"];
    let run = LoadCase { arguments: &arguments, environment: &environment, ..RUN };
    let Ok(ProgramCommand::Log { action, endpoints }) = run.load() else { panic!("a command") };
    assert_eq!(action, LogAction::Set("debug".into()));
    let unix = |path: &str, permissions| BindAddress::Unix { path: path.into(), permissions };
    assert_eq!(endpoints, [unix("/a", 0o600)], "metrics listeners take no control requests");
    let run = LoadCase { arguments: &["--admin-port=9000", "revoke", "bob"], ..RUN };
    let Ok(ProgramCommand::Revoke { user, endpoints, .. }) = run.load() else {
        panic!("a command")
    };
    let loopback = Some("127.0.0.1".parse().unwrap());
    let port = BindAddress::Tcp { address: loopback, port: 9000 };
    assert_eq!((user.as_str(), endpoints), ("bob", vec![port]));
    let run = LoadCase { arguments: &["log", "--restore"], ..RUN }.load();
    let Ok(ProgramCommand::Log { endpoints, .. }) = run else { panic!("a command") };
    assert_eq!(endpoints, [unix(crate::runtime::settings::DEFAULT_ADMIN_SOCKET, 0o600)]);
    let error = LoadCase { arguments: &["log", "loud", "--admin-port=1"], ..RUN }.error();
    assert!(error.contains("log filter"), "{error}");
    let show = LoadCase { arguments: &["log", "--admin-port=1"], ..RUN }.load();
    assert!(matches!(show, Ok(ProgramCommand::Log { action: LogAction::Show, .. })));
    for wrong in [&["log", "info", "--restore"][..], &["revoke"]] {
        assert!(matches!(LoadCase { arguments: wrong, ..RUN }.load(), Err(ConfigError::Usage(_))));
    }
}

#[test]
fn a_demo_needs_no_settings() {
    let run = |arguments| LoadCase { arguments, dotenv: "not a dotenv", ..RUN }.load();
    let Ok(ProgramCommand::Demo { kind, once, port }) = run(&["demo", "--once"]) else {
        panic!("a demo")
    };
    assert_eq!((kind, once, port), (DemoKind::Nextcloud, true, None));
    let Ok(ProgramCommand::Demo { kind, once, port }) = run(&["demo", "webhook", "--port", "80"])
    else {
        panic!("a demo")
    };
    assert_eq!((kind, once, port), (DemoKind::Webhook, false, Some(80)));
    assert!(matches!(run(&["demo", "--port", "x"]), Err(ConfigError::Usage(_))));
}

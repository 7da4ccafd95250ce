//! The services file: settings of each service, and errors.

use crate::{
    cli::{LoadInputs, ProgramCommand, load},
    config::{
        ConfigError, ServiceConfigRequest, ServiceEntry, ServiceKind, SettingsReport, SystemProbes,
    },
    runtime::settings::DaemonSettings,
    server::BindAddress,
    services::nextcloud::settings::{
        ConfigFileLayer, NEXTCLOUD_SETTINGS, NextcloudServiceSettings,
    },
};
use std::{io, path::Path};

/// Two Nextclouds without a config.php.
const TWO: &str = r#"
log = "info"

[listen]
port = 7000
metrics_port = 7001

[[service]]
name = "a"
path = "/a/"
database_url = "mysql://u:hunter2@db/a"
redis_url = ["redis://r:1", "redis://r:2"]

[[service]]
name = "b"
server_name = "Cloud.Example.org"
database_url_file = "/run/secret"
redis_url = "redis://r:3"
trusted_proxies = ["10.0.0.0/8", "::1"]
max_connection_time = "1h"
throttle_max_attempts = 3
debounce_disable = false
"#;

struct ServicesFileCase<'a> {
    text: &'a str,
    arguments: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
}

type LoadedCommand = Result<ProgramCommand<NextcloudServiceSettings>, ConfigError>;

impl ServicesFileCase<'_> {
    fn load(&self) -> LoadedCommand {
        let silent = || ConfigFileLayer {
            engine: Ok(None),
            prefix: Ok(None),
            redis: Ok(None),
            url: Ok(None),
            secret: Ok(None),
            token_auth_enforced: Ok(None),
            two_factor: Ok(None),
            throttle: Ok(None),
            trusted_proxies: Ok(None),
            forwarded_headers: Ok(None),
            warnings: Vec::new(),
        };
        let read = |request: &ServiceConfigRequest<'_>, report: &mut SettingsReport| {
            assert!(!request.environment.merged().contains_key("NC_dbhost"));
            crate::services::nextcloud::settings::read_settings(request.layers, silent(), report)
        };
        let arguments = ["notify_push", "--config=/etc/services.toml"].into_iter();
        load(LoadInputs {
            arguments: arguments.chain(self.arguments.iter().copied()).map(Into::into).collect(),
            environment: self.environment.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
            probes: SystemProbes {
                read: &|path| match path.to_str() {
                    Some("/etc/services.toml") => Ok(self.text.to_owned()),
                    Some("/run/secret") => Ok("postgres://u:hunter2@file/db\n".into()),
                    _ => Err(io::ErrorKind::NotFound.into()),
                },
                ..SystemProbes::NONE
            },
            kinds: &[ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &read)],
        })
    }

    fn starts(&self) -> (DaemonSettings, Vec<ServiceEntry<NextcloudServiceSettings>>, Vec<String>) {
        match self.load() {
            Ok(ProgramCommand::Serve(config)) => {
                (config.settings, config.services, config.warnings)
            }
            other => panic!("{other:?}"),
        }
    }
}

fn of(text: &str) -> ServicesFileCase<'_> {
    ServicesFileCase { text, arguments: &[], environment: &[] }
}

fn error(text: &str) -> String {
    let error = of(text).load().unwrap_err();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

#[test]
fn each_service_has_its_own_settings_and_route() {
    let (settings, hosts, _) = of(TWO).starts();
    assert_eq!(settings.listen.bind, BindAddress::Tcp { address: None, port: 7000 });
    assert_eq!((settings.metrics.len(), settings.log.filter.to_string()), (1, "info".into()));
    let [a, b] = &hosts[..] else { panic!("{hosts:?}") };
    assert_eq!(a.name.as_ref().map(ToString::to_string).as_deref(), Some("a"));
    assert_eq!((a.route.path.as_str(), a.route.server_names.is_empty()), ("/a", true));
    assert_eq!(
        (b.route.path.as_str(), &b.route.server_names[..]),
        ("", &["cloud.example.org".into()][..])
    );
    assert_ne!(a.service.redis, b.service.redis);
    assert_ne!(a.service.database, b.service.database);
    assert_eq!(b.service.proxies.trusted.len(), 2);
    assert_eq!(b.service.auth.throttle.max_attempts, 3);
    assert!(
        b.service.delivery.max_connection.is_some() && a.service.delivery.max_connection.is_none()
    );
    assert!(!b.service.delivery.debounce_disabled, "false means off");
}

#[test]
fn switches_and_server_names_are_normalized() {
    let service = |more: &str| format!("{TWO}[[service]]\nname = \"c\"\n{more}\n");
    for wrong in
        ["cloud.example.org:443", "cloud.example.org.", ".", "", "a..b", "[::1", "[::1]:80", "::1"]
    {
        let text = service(&format!("server_name = \"{wrong}\""));
        let error = error(&text);
        assert!(
            error.contains("service.server_name: ") && error.contains("expected the names"),
            "{wrong}: {error}"
        );
    }
    let error = error(&service("glob_config = \"maybe\""));
    assert!(
        error.contains("service.glob_config: \"maybe\" is not valid; expected true"),
        "{error}"
    );
    let path = Path::new("/etc/services.toml");
    for (said, glob) in [("true", true), ("\"yes\"", true), ("1", true), ("false", false)] {
        let text =
            service(&format!("server_name = [\"C_1.example\", \"[::1]\"]\nglob_config = {said}"));
        let file = crate::config::services_file::parse(path, &text)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(file.services[2].glob, glob, "{said}");
        assert_eq!(file.services[2].route.server_names, ["c_1.example", "[::1]"]);
    }
}

#[test]
fn the_dump_shows_each_service_with_file_and_line_and_no_secret() {
    let Ok(ProgramCommand::Print(dump)) =
        (ServicesFileCase { arguments: &["--dump-config"], ..of(TWO) }).load()
    else {
        panic!("no dump")
    };
    for part in [
        "[service a]\n",
        "[service b]\n",
        "[daemon]\n",
        "/etc/services.toml line 11: service.database_url",
        "/etc/services.toml line 5: listen.port",
        "mysql://u:***@db:3306/a",
        "postgres://u:***@file:5432/db",
    ] {
        assert!(dump.contains(part), "{part} not in\n{dump}");
    }
    assert!(!dump.contains("hunter2"), "{dump}");
}

#[test]
fn flags_and_variables_of_the_daemon_win_over_the_file() {
    let run = ServicesFileCase { environment: &[("PORT", "7002")], ..of(TWO) };
    assert_eq!(run.starts().0.listen.bind, BindAddress::Tcp { address: None, port: 7002 });
    let run = ServicesFileCase { arguments: &["--port=7003"], ..run };
    assert_eq!(run.starts().0.listen.bind, BindAddress::Tcp { address: None, port: 7003 });
}

#[test]
fn settings_of_one_service_are_not_applied_to_all() {
    let environment = [("DATABASE_URL", "sqlite:///x"), ("NC_dbhost", "x")];
    let (_, hosts, warnings) = ServicesFileCase { environment: &environment, ..of(TWO) }.starts();
    assert_ne!(hosts[0].service.database, hosts[1].service.database);
    assert!(warnings.iter().any(|text| text.contains("DATABASE_URL: not used")), "{warnings:?}");
    let flag = ServicesFileCase { arguments: &["--database-url=sqlite:///x"], ..of(TWO) }
        .load()
        .unwrap_err();
    assert!(flag.to_string().contains("database_url = … into its [[service]]"), "{flag}");
    let both = ServicesFileCase { arguments: &["/etc/config.php"], ..of(TWO) }.load().unwrap_err();
    assert!(both.to_string().contains("Give one of them"), "{both}");
}

#[test]
fn errors_name_file_line_key_and_remedy() {
    let service = "[[service]]\nname = \"a\"\n";
    let cases = [
        ("port = 1\nx = [", "/etc/services.toml line 2: not valid TOML"),
        (
            "loglevel = 1",
            "/etc/services.toml line 1: loglevel: there is no such key here. The keys are drain_time",
        ),
        ("lgo = \"info\"\n", "line 1: lgo: there is no such key here. Did you mean log?"),
        (
            "[listen]\nprot = 1\n",
            "line 2: listen.prot: there is no such key here. Did you mean port?",
        ),
        ("[listen]\nport = 1.5\n", "line 2: listen.port: expected a text, a whole number"),
        ("listen = 1\n", "line 1: listen: expected a table that begins with [listen]"),
        ("log = \"info\"\n", "has no service. Write a [[service]]"),
        (
            "[service]\nname = \"a\"\n",
            "line 1: service: expected tables that begin with [[service]]",
        ),
        ("[[service]]\npath = \"/a\"\n", "line 1: service: it has no name; expected a name"),
        (
            "[[service]]\nname = \"A b\"\n",
            "line 2: service.name: \"A b\" is not valid; expected a name",
        ),
        (
            "[[service]]\nname = \"a\"\nkind = \"ftp\"\n",
            "line 3: service.kind: there is no kind \"ftp\" in this build",
        ),
        (
            "[[service]]\nname = \"a\"\npath = \"a\"\n",
            "line 3: service.path: \"a\" is not valid; expected a path",
        ),
        (
            "[[service]]\nname = \"a\"\nserver_name = \"a/b\"\n",
            "line 3: service.server_name: \"a/b\" is not valid; expected",
        ),
        (
            "[[service]]\nname = \"a\"\ndatabse_url = \"\"\n",
            "service.databse_url: there is no such key here. Did you mean database_url?",
        ),
        (
            "[[service]]\nname = \"a\"\nport = 1\n",
            "line 3: service.port: there is no such key here",
        ),
        (
            "[[service]]\nname = \"a\"\n[[service]]\nname = \"a\"\n",
            "line 3: service: there is another service a",
        ),
        ("[[service]]\nname = \"a\"\n[[service]]\nname = \"b\"\n", "service a has the same route"),
        (service, "service a: no database is known"),
    ];
    for (text, expected) in cases {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n{error}\nlacks {expected}");
    }
    let twice =
        format!("{service}database_url = \"mysql://hunter2@x/y\"\ndatabase_url_file = \"/x\"\n");
    let error = error(&twice);
    assert!(error.contains("line 4") && error.contains("Set one of them"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let load = load::<NextcloudServiceSettings>(LoadInputs {
        arguments: vec!["notify_push".into()],
        environment: [("NOTIFY_PUSH_CONFIG".to_owned(), "/nowhere.toml".to_owned())].into(),
        probes: SystemProbes {
            siblings: &|_| vec!["somewhere.toml".to_owned(), "other".to_owned()],
            ..SystemProbes::NONE
        },
        kinds: &[],
    });
    let error = load.unwrap_err().to_string();
    assert!(error.contains("NOTIFY_PUSH_CONFIG: cannot read /nowhere.toml"), "{error}");
}

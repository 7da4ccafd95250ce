//! What is asked of the process, and which layer wins.

use super::{super::DemoKind, *};
use crate::{
    client::{
        database::DatabaseEngine,
        redis::{RedisAddress, RedisTopology, plain_redis},
    },
    config::{SettingSource, SourcedValue, setting},
    runtime::settings::DaemonSettings,
    services::nextcloud::settings::{ConfigFileLayer, NextcloudServiceSettings, nextcloud_url},
};

/// A host's file that says nothing.
fn silent() -> ConfigFileLayer {
    ConfigFileLayer {
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
    }
}

fn of_file<T>(value: T) -> SourcedValue<T> {
    let file = Path::new("config.php").into();
    SourcedValue { value, source: SettingSource::File { file, line: 7, key: "key".into() } }
}

/// A host's file that is enough to start with.
fn enough() -> ConfigFileLayer {
    ConfigFileLayer {
        engine: Ok(Some(of_file(DatabaseEngine::Sqlite("/file.db".into())))),
        ..silent()
    }
}

pub(super) struct LoadCase<'a> {
    pub(super) arguments: &'a [&'a str],
    pub(super) environment: &'a [(&'a str, &'a str)],
    pub(super) dotenv: &'a str,
    pub(super) file: fn() -> ConfigFileLayer,
}

pub(super) const RUN: LoadCase<'_> =
    LoadCase { arguments: &[], environment: &[], dotenv: "", file: enough };

impl LoadCase<'_> {
    fn load(&self) -> Result<ProgramCommand<NextcloudServiceSettings>, ConfigError> {
        let read = |request: &ServiceConfigRequest<'_>, report: &mut SettingsReport| {
            crate::services::nextcloud::settings::read_settings(
                request.layers,
                (self.file)(),
                report,
            )
        };
        let own = |text: &&str| OsString::from(*text);
        load(LoadInputs {
            arguments: [OsString::from("notify_push")]
                .into_iter()
                .chain(self.arguments.iter().map(own))
                .collect(),
            environment: self.environment.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
            dotenv: Ok(self.dotenv.to_owned()),
            read: &|path| match path.to_str() {
                Some("/run/secret") => Ok("postgres://u:hunter2@file/db\n".into()),
                _ => Err(io::Error::from(io::ErrorKind::NotFound)),
            },
            exists: &|_| false,
            kinds: &[ServiceKind::new("nextcloud", setting::INSTANCE, &read)],
        })
    }

    pub(super) fn settings(&self) -> (DaemonSettings, NextcloudServiceSettings) {
        match self.load() {
            Ok(ProgramCommand::Serve { settings, mut hosts, .. }) => {
                (*settings, hosts.remove(0).service)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }

    /// Value and source of a row of `--dump-config`.
    pub(super) fn row(&self, name: &str) -> (String, String) {
        let arguments: Vec<_> = self.arguments.iter().copied().chain(["--dump-config"]).collect();
        let dump = match (LoadCase { arguments: &arguments, ..*self }).load() {
            Ok(ProgramCommand::Print(text)) => text,
            other => panic!("{name}: {other:?}"),
        };
        let mut rows = dump.lines().map(|line| line.split("  ").map(str::trim));
        let mut row = rows.find(|row| row.clone().next() == Some(name)).unwrap_or_else(|| {
            panic!("no row {name} in\n{dump}");
        });
        let mut cell = || row.by_ref().find(|cell| !cell.is_empty()).unwrap();
        cell();
        (cell().to_owned(), cell().to_owned())
    }
}

#[test]
fn wrong_values_name_their_place_and_what_was_expected() {
    for (flag, variable, wrong, expected) in [
        ("--port", "PORT", "http", "0 to 65535"),
        ("--bind", "BIND", "localhost", "127.0.0.1"),
        ("--socket-permissions", "SOCKET_PERMISSIONS", "rw", "octal"),
        ("--metrics-port", "METRICS_PORT", "-1", "65535"),
        ("--max-debounce-time", "MAX_DEBOUNCE_TIME", "soon", "seconds"),
        ("--push-rate", "PUSH_RATE", "1.5", "number"),
        ("--auth", "AUTH", "ldap", "database,nextcloud"),
        ("--nextcloud-url", "NEXTCLOUD_URL", "c.example", "https://"),
        ("--trusted-proxies", "TRUSTED_PROXIES", "proxy", "networks"),
        ("--database-prefix", "DATABASE_PREFIX", "oc-`", "letters"),
        ("--log-level", "LOG", "loud", "log filter"),
        ("--log-format", "LOG_FORMAT", "xml", "json"),
        ("--database-url", "DATABASE_URL", "hunter2", "postgresql://"),
        ("--redis-url", "REDIS_URL", "hunter2", "redis://"),
        ("--compat-version", "COMPAT_VERSION", "1.4", "1.4.0"),
    ] {
        let assigned = format!("{flag}={wrong}");
        let error = LoadCase { arguments: &[&assigned], ..RUN }.error();
        assert!(error.starts_with(&format!("command line {flag}: ")), "{error}");
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        let error = LoadCase { environment: &[(variable, wrong)], ..RUN }.error();
        assert!(error.starts_with(&format!("environment {variable}: ")), "{error}");
    }
    let error = LoadCase { environment: &[("NO_ANSI", "maybe")], ..RUN }.error();
    assert!(error.contains("true or false"), "{error}");
}

#[test]
fn secrets_may_stand_in_files() {
    let run = LoadCase { environment: &[("DATABASE_URL_FILE", "/run/secret")], ..RUN };
    let shown = "postgres://u:***@file:5432/db?ssl-mode=prefer".to_owned();
    assert_eq!(run.row("database-url"), (shown, "file named by DATABASE_URL_FILE".into()));
    let twice = [("DATABASE_URL_FILE", "/run/secret"), ("DATABASE_URL", "sqlite:///x")];
    let error = LoadCase { environment: &twice, ..RUN }.error();
    assert!(error.contains("DATABASE_URL and DATABASE_URL_FILE"), "{error}");
    let error = LoadCase { environment: &[("NEXTCLOUD_SECRET_FILE", "/nowhere")], ..RUN }.error();
    assert!(error.contains("/nowhere") && error.contains("NEXTCLOUD_SECRET_FILE"), "{error}");
    let run = LoadCase { environment: &[("PORT_FILE", "/nowhere")], ..RUN };
    assert_eq!(run.row("port").0, "7867", "only secrets are read from files");
}

#[test]
fn defaults_are_the_documented_ones() {
    let (settings, instance) = RUN.settings();
    assert_eq!(settings.listen.bind, BindAddress::Tcp { address: None, port: 7867 });
    let redis = RedisTopology::Single(RedisAddress::Tcp("127.0.0.1".into(), 6379));
    assert_eq!(instance.redis, plain_redis(redis));
    assert_eq!(instance.database.as_ref().map(|database| database.prefix.as_str()), Some("oc_"));
    assert!(settings.metrics.is_empty() && settings.admin.is_empty());
    let shown = |name| RUN.row(name).0;
    assert_eq!(shown("log-level"), "warn");
    assert_eq!(shown("max-debounce-time"), "15 s");
    assert_eq!(shown("max-connection-time"), "no limit");
    assert_eq!(shown("push-rate"), "1000 a second");
    assert_eq!(shown("reauth-interval"), "3600 s");
    assert_eq!(shown("compat-version"), "1.4.0");
    assert_eq!(shown("auth"), "database");
    assert_eq!(shown("trusted-proxies"), "127.0.0.0/8,::1/128");
    let run = LoadCase { arguments: &["--nextcloud-url=https://c.example"], ..RUN };
    assert_eq!(run.row("auth"), ("database,nextcloud".into(), "default".into()));
}

#[test]
fn the_host_s_file_is_the_layer_below_and_its_faults_count_only_where_it_is_needed() {
    fn broken() -> ConfigFileLayer {
        let at = || of_file(()).source;
        let fault = || ConfigError::invalid(at(), "this is an array; expected a string");
        ConfigFileLayer {
            engine: Err(fault()),
            redis: Err(fault()),
            url: Err(fault()),
            trusted_proxies: Err(fault()),
            secret: Err(fault()),
            token_auth_enforced: Err(fault()),
            ..silent()
        }
    }
    let error = LoadCase { file: broken, ..RUN }.error();
    assert_eq!(error, "config.php line 7: key: this is an array; expected a string");
    let urls = ["--database-url=sqlite:///x", "--redis-url=redis://r"];
    let run = LoadCase { arguments: &urls, file: broken, ..RUN };
    let (_, settings) = run.settings();
    assert!(settings.auth.token_auth_enforced, "not known is taken as enforced");
    assert_eq!(settings.nextcloud.url, None);
    assert_eq!(settings.auth.secret, None);
    let Ok(ProgramCommand::Serve { warnings, .. }) = run.load() else { panic!("it starts") };
    assert_eq!(warnings.iter().filter(|text| text.contains("config.php line 7")).count(), 4);
    assert_eq!(RUN.row("database-url").1, "config.php line 7: key");
}

#[test]
fn what_is_missing_is_said_with_what_would_supply_it() {
    let error = LoadCase { file: silent, ..RUN }.error();
    for supply in ["config.php", "--glob-config", "--database-url", "DATABASE_URL"] {
        assert!(error.contains(supply), "{error}");
    }
    let error = LoadCase { arguments: &["--auth=nextcloud"], file: silent, ..RUN }.error();
    assert!(error.contains("--nextcloud-url") && error.contains("overwrite.cli.url"), "{error}");
    let alone = ["--auth=nextcloud", "--nextcloud-url=https://c.example"];
    let settings = LoadCase { arguments: &alone, file: silent, ..RUN }.settings().1;
    assert_eq!(settings.database, None);
    let error = LoadCase { arguments: &["--tls-cert=/c"], ..RUN }.error();
    assert!(error.contains("--tls-key"), "{error}");
    let half = ["--redis-url=rediss://r", "--redis-tls-key=/k"];
    assert!(LoadCase { arguments: &half, ..RUN }.error().contains("REDIS_TLS_CERT"));
}

#[test]
fn listeners_may_not_collide() {
    let error = LoadCase { arguments: &["--metrics-port=7867"], ..RUN }.error();
    assert!(error.contains("METRICS_PORT"), "{error}");
    let settings = LoadCase { arguments: &["--port=0", "--metrics-port=0"], ..RUN }.settings().0;
    assert_eq!(settings.metrics.len(), 1);
}

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
fn debounce_disable_counts_whatever_its_value() {
    let run = LoadCase { environment: &[("DEBOUNCE_DISABLE", "false")], ..RUN };
    let Ok(ProgramCommand::Serve { hosts, warnings, .. }) = run.load() else { panic!("it starts") };
    assert!(hosts[0].service.delivery.debounce_disabled);
    assert!(warnings.iter().any(|text| text.contains("DEBOUNCE_DISABLE")));
}

#[test]
fn version_is_one_line_whatever_else_is_wrong() {
    let run = LoadCase { arguments: &["--version"], dotenv: "this is no dotenv", ..RUN };
    let Ok(ProgramCommand::Print(text)) = run.load() else { panic!("it prints") };
    assert!(text.starts_with("notify_push ") && text.ends_with('\n'));
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn help_names_each_flag_and_its_variable() {
    let Ok(ProgramCommand::Print(help)) = (LoadCase { arguments: &["--help"], ..RUN }).load()
    else {
        panic!("it prints")
    };
    for setting in setting::ALL.iter().filter(|setting| setting.flag) {
        assert!(help.contains(&format!("--{}", setting.name)), "{}", setting.name);
        assert!(help.contains(&format!("[{}", setting.variable)), "{}", setting.variable);
    }
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
    // Everywhere, as the daemon binds it: whoever asks tries IPv6 and IPv4.
    let port = BindAddress::Tcp { address: None, port: 9000 };
    let unix = |path: &str, permissions| BindAddress::Unix { path: path.into(), permissions };
    assert_eq!(endpoints, [unix("/a", 0o600), port.clone(), unix("/m", 0o660)]);
    let run = LoadCase { arguments: &["--metrics-port=9000", "revoke", "bob"], ..RUN };
    let Ok(ProgramCommand::Revoke { user, endpoints, .. }) = run.load() else {
        panic!("a command")
    };
    assert_eq!((user.as_str(), endpoints), ("bob", vec![port]));
    let error = LoadCase { arguments: &["log", "--restore"], ..RUN }.error();
    assert!(error.contains("METRICS_SOCKET_PATH"), "{error}");
    let error = LoadCase { arguments: &["log", "loud", "--admin-port=1"], ..RUN }.error();
    assert!(error.contains("log filter"), "{error}");
    for wrong in [&["log"][..], &["log", "info", "--restore"], &["revoke"]] {
        assert!(matches!(LoadCase { arguments: wrong, ..RUN }.load(), Err(ConfigError::Usage(_))));
    }
    let demo =
        LoadCase { arguments: &["demo", "--once"], dotenv: "no dotenv at all", ..RUN }.load();
    assert!(matches!(demo, Ok(ProgramCommand::Demo { play: DemoKind::Nextcloud, once: true })));
    let demo = LoadCase { arguments: &["demo", "webhook"], ..RUN }.load();
    assert!(matches!(demo, Ok(ProgramCommand::Demo { play: DemoKind::Webhook, once: false })));
}

#[test]
fn several_redis_urls_are_a_cluster() {
    let flags = ["--redis-url", "redis://a:1", "--redis-url", "redis://b:2", "config.php"];
    let expected = ("redis://a:1,b:2(cluster)".to_owned(), "command line --redis-url".to_owned());
    assert_eq!(LoadCase { arguments: &flags, ..RUN }.row("redis-url"), expected);
}

#[test]
fn each_setting_is_documented() {
    let table = include_str!("../../../docs/settings.md");
    for setting in setting::ALL.iter().chain([&setting::CONFIG]) {
        let flag = if setting.flag { format!("`--{}`", setting.name) } else { "–".into() };
        let row = format!("| {flag} | `{}` |", setting.variable);
        assert!(table.contains(&row), "docs/settings.md has no row that begins with {row}");
        let twin = format!("`{}_FILE`", setting.variable);
        let secret = setting.kind == setting::SettingKind::Secret;
        assert_eq!(table.contains(&twin), secret, "{twin}");
    }
    let rows = table.lines().filter(|line| line.starts_with("| `--") || line.starts_with("| – |"));
    assert_eq!(rows.count(), setting::ALL.len() + 1, "a row too many");
}

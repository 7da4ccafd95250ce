//! Reading settings from all layers, and errors in them.

use super::*;
use crate::{
    client::{
        database::DatabaseEngine,
        redis::{RedisAddress, RedisTopology, plain_redis},
    },
    config::{SettingRow, SettingSource, SourcedValue},
    runtime::settings::DaemonSettings,
    services::nextcloud::settings::{
        ConfigFileLayer, NEXTCLOUD_SETTINGS, NextcloudServiceSettings,
    },
};
use std::io;

/// A config.php without any value.
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

/// A config.php that is enough to start with.
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
    pub(super) fn load(&self) -> Result<ProgramCommand<NextcloudServiceSettings>, ConfigError> {
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
            probes: SystemProbes {
                read: &|path| match path.to_str() {
                    Some(".env") => Ok(self.dotenv.to_owned()),
                    Some("/run/secret") => Ok("postgres://u:hunter2@file/db\n".into()),
                    _ => Err(io::ErrorKind::NotFound.into()),
                },
                siblings: &|_| vec!["services.toml".to_owned()],
                resolve: &|name| match name {
                    "traefik" => vec!["172.18.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
                    _ => Vec::new(),
                },
                ..SystemProbes::NONE
            },
            kinds: &[ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &read)],
        })
    }

    pub(super) fn settings(&self) -> (DaemonSettings, NextcloudServiceSettings) {
        match self.load() {
            Ok(ProgramCommand::Serve(mut config)) => {
                (config.settings, config.services.remove(0).service)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The rows of all settings.
    pub(super) fn rows(&self) -> Vec<SettingRow> {
        match self.load() {
            Ok(ProgramCommand::Serve(config)) => config.rows,
            other => panic!("{other:?}"),
        }
    }

    /// The warnings at the start.
    fn warnings(&self) -> Vec<String> {
        match self.load() {
            Ok(ProgramCommand::Serve(config)) => config.warnings,
            other => panic!("{other:?}"),
        }
    }

    /// The text that is printed.
    pub(super) fn printed(&self) -> String {
        match self.load() {
            Ok(ProgramCommand::Print(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }

    /// Value and source of a row of `--dump-config`.
    pub(super) fn row(&self, name: &str) -> (String, String) {
        let arguments: Vec<_> = self.arguments.iter().copied().chain(["--dump-config"]).collect();
        let dump = LoadCase { arguments: &arguments, ..*self }.printed();
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
fn wrong_values_name_their_place_the_value_and_the_expected_format() {
    for (flag, variable, wrong, expected) in [
        ("--port", "PORT", "http", "0 to 65535"),
        ("--bind", "BIND", "localhost", "127.0.0.1"),
        ("--socket-permissions", "SOCKET_PERMISSIONS", "rw", "octal"),
        ("--metrics-port", "METRICS_PORT", "-1", "65535"),
        ("--max-debounce-time", "MAX_DEBOUNCE_TIME", "soon", "seconds"),
        ("--push-rate", "PUSH_RATE", "1.5", "number"),
        ("--auth", "AUTH", "ldap", "database,nextcloud"),
        ("--nextcloud-url", "NEXTCLOUD_URL", "c.example", "https://"),
        ("--trusted-proxies", "TRUSTED_PROXIES", "10.0.0.0/99", "networks"),
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
        assert!(wrong == "hunter2" || error.contains(wrong), "the value is not in: {error}");
        let error = LoadCase { environment: &[(variable, wrong)], ..RUN }.error();
        assert!(error.starts_with(&format!("environment {variable}: ")), "{error}");
    }
    let error = LoadCase { environment: &[("NO_ANSI", "maybe")], ..RUN }.error();
    assert!(error.contains("true or false"), "{error}");
    let lists = [
        ("TRUSTED_PROXIES", "10.0.0.1, 10.0.0.300", "\"10.0.0.300\""),
        ("FORWARDED_FOR_HEADERS", "X-Real-IP X:Y", "\"X:Y\""),
        ("AUTH", "database,ldap", "\"ldap\""),
    ];
    for (variable, value, entry) in lists {
        let error = LoadCase { environment: &[(variable, value)], ..RUN }.error();
        assert!(error.contains(&format!("{variable}: {entry} is not valid")), "{error}");
    }
}

#[test]
fn names_of_proxies_are_resolved_and_unknown_ones_cause_a_warning() {
    let environment = [("TRUSTED_PROXIES", "traefik nginx 172.20.0.0/16")];
    let run = LoadCase { environment: &environment, ..RUN };
    assert_eq!(run.row("trusted-proxies").0, "172.18.0.2/32,fd00::2/128,172.20.0.0/16");
    let warnings = run.warnings();
    let about = |part: &str| warnings.iter().filter(|text| text.contains(part)).count();
    assert_eq!((about("TRUSTED_PROXIES: nginx doesn't resolve"), about("traefik")), (1, 0));
}

#[test]
fn links_that_kubernetes_injects_are_no_ports() {
    let link = "tcp://10.96.0.7:9100";
    let environment = [("METRICS_PORT", link), ("PORT", link), ("ADMIN_PORT", link)];
    let run = LoadCase { environment: &environment, ..RUN };
    let (settings, _) = run.settings();
    assert!(settings.metrics.is_empty() && settings.admin.is_empty());
    assert_eq!(run.row("port"), ("7867".into(), "default".into()));
    let warnings = run.warnings();
    let links = warnings.iter().filter(|text| text.contains("enableServiceLinks")).count();
    assert_eq!(links, 3, "{warnings:?}");
}

#[test]
fn the_short_flags_of_the_original_are_understood() {
    let run = LoadCase { arguments: &["-p", "7000", "-m9000"], ..RUN };
    assert_eq!(run.row("port"), ("7000".into(), "command line --port".into()));
    assert_eq!(run.row("metrics-port").0, "9000");
    assert!(LoadCase { arguments: &["-v"], ..RUN }.printed().starts_with("notify_push "));
    assert!(LoadCase { arguments: &["-V"], ..RUN }.printed().starts_with("notify_push "));
    let error = LoadCase { arguments: &["-c", "/etc/service.toml"], ..RUN }.error();
    assert!(error.contains("--config: cannot read /etc/service.toml"), "{error}");
    assert!(error.contains("did you mean /etc/services.toml?"), "{error}");
    let php = LoadCase { arguments: &["-c", "/etc/config.php"], ..RUN };
    assert_eq!(php.settings(), RUN.settings(), "a config.php is taken for one");
}

#[test]
fn secrets_may_be_in_files() {
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
    assert_eq!(shown("compat-version"), "auto");
    assert_eq!(shown("auth"), "database");
    assert_eq!(shown("trusted-proxies"), "127.0.0.0/8,::1/128");
    let run = LoadCase { arguments: &["--nextcloud-url=https://c.example"], ..RUN };
    assert_eq!(run.row("auth"), ("database,nextcloud".into(), "default".into()));
}

#[test]
fn the_file_is_the_lowest_layer_and_its_faults_matter_only_where_it_is_needed() {
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
    assert!(settings.auth.token_auth_enforced, "unknown is treated as enforced");
    assert_eq!(settings.nextcloud.url, None);
    assert_eq!(settings.auth.secret, None);
    let warnings = run.warnings();
    assert_eq!(warnings.iter().filter(|text| text.contains("config.php line 7")).count(), 4);
    assert_eq!(RUN.row("database-url").1, "config.php line 7: key");
}

#[test]
fn an_error_about_a_missing_value_names_what_would_supply_it() {
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
fn listeners_must_differ() {
    let error = LoadCase { arguments: &["--metrics-port=7867"], ..RUN }.error();
    assert!(error.starts_with("PORT and METRICS_PORT are both 7867."), "{error}");
    let sockets = ["--metrics-socket-path=/s", "--admin-socket=/s"];
    let error = LoadCase { arguments: &sockets, ..RUN }.error();
    assert!(error.starts_with("METRICS_SOCKET_PATH and ADMIN_SOCKET_PATH are both /s."), "{error}");
    let settings = LoadCase { arguments: &["--port=0", "--metrics-port=0"], ..RUN }.settings().0;
    assert_eq!(settings.metrics.len(), 1);
}

#[test]
fn debounce_disable_counts_whatever_its_value() {
    let run = LoadCase { environment: &[("DEBOUNCE_DISABLE", "false")], ..RUN };
    assert!(run.settings().1.delivery.debounce_disabled);
    let warnings = run.warnings();
    assert!(warnings.iter().any(|text| text.contains("DEBOUNCE_DISABLE")));
}

#[test]
fn several_redis_urls_are_a_cluster() {
    let flags = ["--redis-url", "redis://a:1", "--redis-url", "redis://b:2", "config.php"];
    let expected = ("redis://a:1,b:2(cluster)".to_owned(), "command line --redis-url".to_owned());
    assert_eq!(LoadCase { arguments: &flags, ..RUN }.row("redis-url"), expected);
}

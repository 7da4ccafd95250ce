//! What comes out of real `config.php` files, all layers taken together.

use crate::{
    cli::{LoadInputs, ProgramCommand, load},
    client::database::{DatabaseEngine, DatabaseTlsMode},
    config::{ConfigError, ServiceKind, SystemProbes},
    services::nextcloud::{
        NextcloudService,
        settings::{NEXTCLOUD_SETTINGS, NextcloudServiceSettings},
    },
};
use std::path::{Path, PathBuf};

struct ConfigFixture<'a> {
    file: &'a str,
    arguments: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config").join(name)
}

impl ConfigFixture<'_> {
    fn load(
        &self,
        path: &Path,
        more: &[&str],
    ) -> Result<ProgramCommand<NextcloudService>, ConfigError> {
        let mut arguments = vec!["notify_push".into(), path.as_os_str().to_owned()];
        arguments.extend(self.arguments.iter().chain(more).map(Into::into));
        load(LoadInputs {
            arguments,
            environment: self.environment.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
            probes: SystemProbes {
                read: &|_| Err(std::io::ErrorKind::PermissionDenied.into()),
                exists: &|path| path == Path::new("/run/mysqld/mysqld.sock"),
                ..SystemProbes::NONE
            },
            kinds: &[ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &NextcloudService::read)],
        })
    }

    fn settings(&self) -> (NextcloudServiceSettings, Vec<String>) {
        instance(self.load(&data(self.file), &[]))
    }

    /// The rows of `--dump-config`: name, value, source.
    fn rows(&self) -> Vec<[String; 3]> {
        match self.load(&data(self.file), &["--dump-config"]) {
            Ok(ProgramCommand::Print(text)) => text.lines().filter_map(row).collect(),
            other => panic!("{}: {other:?}", self.file),
        }
    }

    fn row(&self, name: &str) -> [String; 2] {
        let found = self.rows().into_iter().find(|row| row[0] == name);
        let [_, value, source] = found.unwrap_or_else(|| panic!("{}: no {name}", self.file));
        [value, source]
    }
}

/// The only host of a daemon that starts, with what is warned of.
fn instance(
    loaded: Result<ProgramCommand<NextcloudService>, ConfigError>,
) -> (NextcloudServiceSettings, Vec<String>) {
    match loaded {
        Ok(ProgramCommand::Serve(mut config)) => {
            (config.services.remove(0).service.settings, config.warnings)
        }
        other => panic!("{other:?}"),
    }
}

fn row(line: &str) -> Option<[String; 3]> {
    let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.map(str::to_owned).collect::<Vec<_>>().try_into().ok()
}

fn run(file: &str) -> ConfigFixture<'_> {
    ConfigFixture { file, arguments: &[], environment: &[] }
}

/// Loads a file with this content instead of one of the data.
fn written(
    content: &str,
    environment: &[(&str, &str)],
) -> Result<ProgramCommand<NextcloudService>, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.php");
    std::fs::write(&path, content).unwrap();
    ConfigFixture { file: "", arguments: &[], environment }.load(&path, &[])
}

fn error(content: &str, environment: &[(&str, &str)]) -> String {
    written(content, environment).unwrap_err().to_string()
}

/// Each line of the table: file, database, prefix, redis, Nextcloud's URL.
#[test]
fn every_variant_gives_what_it_says() {
    let table = include_str!("../../../../tests/data/config-expected.txt");
    let mut files = 0;
    for line in table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let cells: Vec<_> = line.split_whitespace().collect();
        let [file, expected @ ..] = cells.as_slice() else { panic!("{line}") };
        let glob: &[&str] = if file.contains('/') { &["--glob-config"] } else { &[] };
        let run = ConfigFixture { file, arguments: glob, environment: &[] };
        let names = ["database-url", "database-prefix", "redis-url", "nextcloud-url"];
        let rows = run.rows();
        let value = |name| rows.iter().find(|row| row[0] == name).map(|row| row[1].as_str());
        let folder = data("").display().to_string();
        let shown = names.map(|name| {
            value(name).unwrap_or_default().replace(folder.trim_end_matches('/'), "<here>")
        });
        assert_eq!(shown.as_slice(), expected, "{file}");
        files += 1;
    }
    assert_eq!(files, 37, "each variant has its line");
}

#[test]
fn passwords_come_through_unharmed() {
    let (settings, _) = run("16-dbpassword-special-chars.php").settings();
    let Some(DatabaseEngine::MySql(server)) = settings.database.map(|database| database.engine)
    else {
        panic!("MySQL")
    };
    assert_eq!(server.password.unwrap().expose(), "p@ss:w/o#r%d?&='\\ü");
    let (settings, _) = run("33-redis-user-password.php").settings();
    assert_eq!(settings.redis.user.as_deref(), Some("ncuser"));
    assert_eq!(settings.redis.password.unwrap().expose(), "fa:ke/re@dis#pass%");
    let secret = settings.auth.secret.unwrap();
    assert_eq!(secret.expose(), "fakeFAKEfakeFAKEsecret000000000000000000000000+/");
}

#[test]
fn no_dump_holds_a_secret() {
    for entry in std::fs::read_dir(data("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".php") {
            continue;
        }
        for [key, value, _] in run(&name).rows() {
            for secret in ["fake", "FAKE", "p@ss", "fa:ke", "redis-pass"] {
                assert!(!value.contains(secret), "{name}: {key} {value}");
            }
        }
    }
}

#[test]
fn the_source_is_the_line_of_the_key() {
    let file = "02-mysql-live-with-redis.php";
    let path = data(file).display().to_string();
    let row = |name| run(file).row(name)[1].clone();
    assert_eq!(row("database-url"), format!("{path} line 15: dbhost"));
    assert_eq!(row("redis-url"), format!("{path} line 22: redis"));
    assert_eq!(row("nextcloud-url"), format!("{path} line 13: overwrite.cli.url"));
    assert_eq!(row("trusted-proxies"), format!("{path} line 30: trusted_proxies"));
    assert_eq!(row("port"), "default");
}

#[test]
fn nc_variables_replace_keys() {
    let environment = [
        ("NC_dbhost", "other:3311"),
        ("NC_dbpassword", "from-environment"),
        ("NC_overwrite.cli.url", "https://other.example"),
        ("NC_token_auth_enforced", "1"),
    ];
    let run = ConfigFixture { environment: &environment, ..run("02-mysql-live-with-redis.php") };
    let database = "mysql://nc:***@other:3311/nextcloud?ssl-mode=prefer";
    assert_eq!(run.row("database-url"), [database, "environment NC_dbhost"]);
    let url = "https://other.example/";
    assert_eq!(run.row("nextcloud-url"), [url, "environment NC_overwrite.cli.url"]);
    let (settings, _) = run.settings();
    assert!(settings.auth.token_auth_enforced);
    let environment = [("NC_redis", "127.0.0.1")];
    let error = error("<?php $CONFIG = ['dbtype' => 'mysql'];", &environment);
    assert_eq!(error, "environment NC_redis: this is a string; expected an array");
}

#[test]
fn nc_variables_are_enough_without_a_file() {
    let environment = [("NC_dbtype", "pgsql"), ("NC_dbhost", "pg"), ("NC_dbname", "nc")];
    let loaded = load(LoadInputs {
        arguments: vec!["notify_push".into()],
        environment: environment.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
        probes: SystemProbes::NONE,
        kinds: &[ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &NextcloudService::read)],
    });
    assert!(matches!(instance(loaded).0.database.unwrap().engine, DatabaseEngine::Postgres(_)));
}

#[test]
fn wrong_types_name_file_line_and_key() {
    for (line, says) in [
        ("'redis' => ['port' => []]", "redis.port: this is an array; expected a number"),
        ("'redis' => ['port' => 99999]", "redis.port: expected a port number"),
        ("'redis' => 'localhost'", "redis: this is a string; expected an array"),
        ("'redis' => ['host' => ['a']]", "redis.host: this is an array; expected a string"),
        ("'redis' => ['host' => 'http://x']", "redis.host: expected a host"),
        ("'redis.cluster' => ['seeds' => 'a:1']", "redis.cluster.seeds: this is a string"),
        ("'redis.cluster' => ['seeds' => []]", "redis.cluster.seeds: a cluster needs seeds"),
        ("'redis.cluster' => ['timeout' => 1]", "redis.cluster: a cluster needs seeds"),
        ("'redis.cluster' => ['seeds' => ['a:1', '/s']]", "redis.cluster.seeds.1: expected host"),
        ("'dbtype' => 'oci'", "dbtype: expected mysql"),
        ("'dbhost' => ['a']", "dbhost: this is an array; expected a string"),
        ("'dbhost' => 'a:b'", "dbhost: expected a port number"),
        ("'dbport' => 'x'", "dbport: this is a string; expected a number"),
        ("'dbtableprefix' => 'a b'", "dbtableprefix: expected letters"),
        ("'pgsql_ssl' => ['mode' => 'x'], 'dbtype' => 'pgsql'", "pgsql_ssl.mode: expected"),
        ("'dbdriveroptions' => [1008 => '/c']", "dbdriveroptions: a client certificate"),
        ("'dbtype' => 'sqlite3'", "dbtype: an SQLite database needs datadirectory"),
    ] {
        let content = format!("<?php\n$CONFIG = ['dbtype' => 'mysql',\n{line},\n];\n");
        let error = error(&content, &[]);
        assert!(error.contains("config.php line 3: ") && error.contains(says), "{line}: {error}");
    }
}

#[test]
fn what_cannot_be_evaluated_stops_the_start_only_where_it_is_needed() {
    let content = "<?php\n$CONFIG = ['dbtype' => 'mysql',\n'dbpassword' => ask_someone(),\n\
                   'unrelated' => ask_someone(),\n];\n";
    let error = error(content, &[]);
    assert!(error.contains("line 3: dbpassword could not be evaluated: "), "{error}");
    assert!(error.contains("environment variable"), "{error}");
    let started = written(content, &[("DATABASE_URL", "mysql://h/d")]);
    let Ok(ProgramCommand::Serve(config)) = started else { panic!("{started:?}") };
    let warnings = config.warnings;
    for key in ["dbpassword", "unrelated"] {
        let about = |text: &&String| text.contains(&format!("left out {key}: "));
        assert_eq!(warnings.iter().filter(about).count(), 1, "{warnings:?}");
    }
    let started = written(content, &[("NC_dbpassword", "x")]);
    assert!(matches!(started, Ok(ProgramCommand::Serve { .. })), "{started:?}");
}

#[test]
fn a_missing_file_is_named() {
    let error = run("nowhere.php").load(&data("nowhere.php"), &[]).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("nowhere.php"), "{error}");
}

#[test]
fn a_guessed_url_is_reported_as_a_guess() {
    let (settings, warnings) = run("42-no-overwrite-cli-url.php").settings();
    assert!(warnings.iter().any(|text| text.starts_with("the environment file")));
    assert_eq!(settings.nextcloud.url.unwrap().as_str(), "http://127.0.0.1/");
    assert!(warnings.iter().any(|text| text.contains("overwrite.cli.url is not set")));
    for (keys, expected) in [
        ("'trusted_domains' => ['*.a.test', 'c.test:8443']", "https://c.test:8443/"),
        (
            "'trusted_domains' => ['c.test'], 'overwritewebroot' => '/nc', \
             'overwriteprotocol' => 'http'",
            "http://c.test/nc/",
        ),
        ("'overwrite.cli.url' => 'c.test/nc'", "https://c.test/nc/"),
        ("'overwrite.cli.url' => 'localhost:8080'", "http://localhost:8080/"),
    ] {
        let content = format!("<?php $CONFIG = ['dbtype' => 'mysql', {keys}];");
        let (settings, _) = instance(written(&content, &[]));
        assert_eq!(settings.nextcloud.url.unwrap().as_str(), expected, "{keys}");
    }
    let content = "<?php $CONFIG = ['dbtype' => 'mysql', 'overwrite.cli.url' => 'ftp://x'];";
    let (settings, warnings) = instance(written(content, &[]));
    assert_eq!(settings.nextcloud.url, None);
    assert!(warnings.iter().any(|text| text.contains("overwrite.cli.url: expected")));
}

#[test]
fn log_in_keys_are_taken_over() {
    let content = "<?php $CONFIG = ['dbtype' => 'mysql', 'secret' => 's', \
        'token_auth_enforced' => true, 'twofactor_enforced' => 'true', \
        'twofactor_enforced_groups' => ['admin'], 'twofactor_enforced_excluded_groups' => ['x'], \
        'auth.bruteforce.protection.enabled' => false, 'auth.bruteforce.max-attempts' => 5, \
        'security.ipv6_normalized_subnet_size' => 48, \
        'trusted_proxies' => ['10.1.2.3/8', 'proxy.test', '::1'], \
        'forwarded_for_headers' => ['HTTP_X_REAL_IP', 'a b']];";
    let (settings, warnings) = instance(written(content, &[]));
    assert!(settings.auth.token_auth_enforced && settings.auth.two_factor.enforced);
    assert_eq!(settings.auth.two_factor.groups, ["admin"]);
    assert_eq!(settings.auth.two_factor.excluded_groups, ["x"]);
    let throttle = &settings.auth.throttle;
    assert_eq!((throttle.enabled, throttle.max_attempts, throttle.ipv6_prefix), (false, 5, 48));
    let trusted: Vec<_> = settings.proxies.trusted.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128", "127.0.0.0/8"]);
    assert!(settings.proxies.trusts("::ffff:10.9.9.9".parse().unwrap()));
    let headers: Vec<_> = settings.proxies.headers.iter().map(|name| name.as_str()).collect();
    assert_eq!(headers, ["x-real-ip"]);
    assert!(warnings.iter().any(|text| text.contains("trusted_proxies.1: no address")));
    assert!(warnings.iter().any(|text| text.contains("forwarded_for_headers.1: no name")));
    let content = "<?php $CONFIG = ['dbtype' => 'mysql', 'twofactor_enforced' => 'false'];";
    let (settings, _) = instance(written(content, &[]));
    assert!(!settings.auth.two_factor.enforced);
}

#[test]
fn redis_contexts_say_what_is_verified() {
    let tls = |context: &str| {
        let content = format!(
            "<?php $CONFIG = ['dbtype' => 'mysql', 'redis' => ['host' => 'tls://r', \
             'ssl_context' => [{context}]]];"
        );
        let (settings, _) = instance(written(&content, &[]));
        settings.redis.tls.unwrap()
    };
    assert!(tls("").verify_peer && tls("").verify_name);
    assert!(!tls("'verify_peer' => false").verify_peer);
    assert!(!tls("'verify_peer_name' => false").verify_name);
    assert!(!tls("'allow_self_signed' => true").verify_peer);
    assert!(tls("'allow_self_signed' => true, 'cafile' => '/ca'").verify_peer);
    let both = Some((PathBuf::from("/both.pem"), PathBuf::from("/both.pem")));
    assert_eq!(tls("'local_cert' => '/both.pem'").client, both);
}

#[test]
fn mysql_driver_options_decide_on_tls() {
    let mode = |options: &str| {
        let content =
            format!("<?php $CONFIG = ['dbtype' => 'mysql', 'dbdriveroptions' => [{options}]];");
        let (settings, _) = instance(written(&content, &[]));
        match settings.database.map(|database| database.engine) {
            Some(DatabaseEngine::MySql(server)) => server.tls.mode,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(mode(""), DatabaseTlsMode::Prefer);
    assert_eq!(mode("1002 => 'SET x'"), DatabaseTlsMode::Prefer);
    assert_eq!(mode("1009 => '/ca'"), DatabaseTlsMode::VerifyCa);
    assert_eq!(mode("PDO::MYSQL_ATTR_SSL_CA => '/ca'"), DatabaseTlsMode::VerifyCa);
    assert_eq!(mode("1009 => '/ca', 1014 => true"), DatabaseTlsMode::VerifyFull);
    assert_eq!(mode("1009 => '/ca', 1014 => false"), DatabaseTlsMode::Require);
    assert_eq!(mode("1007 => '/k', 1008 => '/c'"), DatabaseTlsMode::Require);
}

//! For every setting: the command line over the environment over the environment file over the default.

use super::tests::{LoadCase, RUN};
use crate::{
    config::{Setting, SettingKind, setting::daemon_settings},
    services::nextcloud::settings::NEXTCLOUD_SETTINGS,
};

/// A setting's variable, a value for it, the value as it is shown, and flags that it needs.
pub(super) type SettingSample = (&'static str, &'static str, &'static str, &'static [&'static str]);

pub(super) const SAMPLES: &[SettingSample] = &[
    ("DATABASE_URL", "mysql://u:hunter2@h/d", "mysql://u:***@h:3306/d?ssl-mode=prefer", &[]),
    ("DATABASE_PREFIX", "nc_", "\"nc_\"", &[]),
    ("REDIS_URL", "redis://:hunter2@r", "redis://:***@r:6379/0", &[]),
    ("REDIS_TLS_CERT", "/c", "/c", &["--redis-url=rediss://r", "--redis-tls-key=/k"]),
    ("REDIS_TLS_KEY", "/k", "/k", &["--redis-url=rediss://r", "--redis-tls-cert=/c"]),
    ("REDIS_TLS_CA", "/ca", "/ca", &["--redis-url=rediss://r"]),
    ("REDIS_TLS_DONT_VALIDATE_HOSTNAME", "true", "true", &[]),
    ("REDIS_TLS_INSECURE", "true", "true", &[]),
    ("NEXTCLOUD_URL", "https://c.example", "https://c.example/", &[]),
    ("NEXTCLOUD_CA", "/ca", "/ca", &[]),
    ("ALLOW_SELF_SIGNED", "true", "true", &[]),
    ("USER_AGENT", "agent", "agent", &[]),
    ("COMPAT_VERSION", "1.3.0", "1.3.0", &[]),
    ("NEXTCLOUD_SECRET", "hunter2", "***", &[]),
    ("CONFIG_PHP", "never", "never", &[]),
    ("PHP_BINARY", "/php", "/php", &[]),
    ("AUTH", "nextcloud", "nextcloud", &["--nextcloud-url=https://c.example"]),
    ("REAUTH_INTERVAL", "30m", "1800 s", &[]),
    ("TOKEN_CHECK_RATE", "7", "7 a second", &[]),
    ("THROTTLE_MAX_ATTEMPTS", "3", "3", &[]),
    ("THROTTLE_IPV4_PREFIX", "24", "24", &[]),
    ("THROTTLE_IPV6_PREFIX", "/64", "64", &[]),
    ("TRUSTED_PROXIES", "10.0.0.0/8", "10.0.0.0/8", &[]),
    ("FORWARDED_FOR_HEADERS", "X-Real-Ip", "x-real-ip", &[]),
    ("PORT", "80", "80", &[]),
    ("BIND", "127.0.0.1", "127.0.0.1", &[]),
    ("SOCKET_PATH", "/s", "/s", &[]),
    ("SOCKET_PERMISSIONS", "600", "0600", &["--socket-path=/s"]),
    ("PROXY_PROTOCOL", "true", "true", &[]),
    ("TLS_CERT", "/c", "/c", &["--tls-key=/k"]),
    ("TLS_KEY", "/k", "/k", &["--tls-cert=/c"]),
    ("METRICS_PORT", "9000", "9000", &[]),
    ("METRICS_SOCKET_PATH", "/m", "/m", &[]),
    ("ADMIN_PORT", "9001", "9001", &[]),
    ("ADMIN_SOCKET_PATH", "/a", "/a", &[]),
    ("MAX_UNAUTHENTICATED", "7", "7", &[]),
    ("MAX_UNAUTHENTICATED_PER_ADDRESS", "7", "7", &[]),
    ("MAX_DEBOUNCE_TIME", "7", "7 s", &[]),
    ("DEBOUNCE_DISABLE", "true", "true", &[]),
    ("PUSH_RATE", "7", "7 a second", &[]),
    ("MAX_CONNECTION_TIME", "7", "7 s", &[]),
    ("MAX_CONNECTIONS", "7", "7", &[]),
    ("DRAIN_TIME", "7", "7 s", &[]),
    ("LOG", "notify_push=debug", "notify_push=debug", &[]),
    ("LOG_FORMAT", "json", "json", &[]),
    ("NO_ANSI", "true", "true", &[]),
];

/// Another valid value, to be overridden.
fn weaker(variable: &str, value: &'static str) -> &'static str {
    match variable {
        "DATABASE_URL" => "sqlite:///weaker.db",
        "REDIS_URL" => "rediss://weaker",
        "NEXTCLOUD_URL" => "https://weaker.example",
        "COMPAT_VERSION" => "9.9.9",
        "LOG" => "trace",
        "LOG_FORMAT" => "text",
        "AUTH" => "database",
        "CONFIG_PHP" => "auto",
        "TRUSTED_PROXIES" => "192.0.2.1",
        "BIND" => "::1",
        "SOCKET_PERMISSIONS" => "0777",
        _ if value == "true" => "false",
        _ if value.starts_with('/') && value.len() < 4 => "/weaker",
        _ if value.parse::<u64>().is_ok() => "11",
        _ => value,
    }
}

/// Every setting of a daemon beside Nextcloud, with its sample.
pub(super) fn samples() -> Vec<(Setting, SettingSample)> {
    let settings = NEXTCLOUD_SETTINGS.iter().copied().chain(daemon_settings());
    let settings = settings.filter(|setting| setting.variable != "NOTIFY_PUSH_CONFIG");
    let with_sample = |setting: Setting| {
        let sample = SAMPLES.iter().find(|sample| sample.0 == setting.variable);
        (setting, *sample.unwrap_or_else(|| panic!("{} has no sample", setting.variable)))
    };
    settings.map(with_sample).collect()
}

#[test]
fn every_sample_is_of_a_setting() {
    assert_eq!(samples().len(), SAMPLES.len());
}

#[test]
fn the_command_line_wins_over_the_environment() {
    for (setting, (variable, value, shown, others)) in samples() {
        if !setting.flag {
            continue;
        }
        let flag = format!("--{}", setting.name);
        let assigned = format!("{flag}={value}");
        let mut arguments = others.to_vec();
        arguments.push(if value == "true" { &flag } else { &assigned });
        let environment = [(variable, weaker(variable, value))];
        let run = LoadCase { arguments: &arguments, environment: &environment, ..RUN };
        let source = format!("command line {flag}");
        assert_eq!(run.row(setting.name), (shown.to_owned(), source), "{flag}");
    }
}

#[test]
fn the_environment_wins_over_its_file_and_the_file_over_the_default() {
    for (setting, (variable, value, shown, others)) in samples() {
        let weaker = format!("{variable}={}\n", weaker(variable, value));
        let environment = [(variable, value)];
        let run = LoadCase { arguments: others, environment: &environment, dotenv: &weaker, ..RUN };
        let source = format!("environment {variable}");
        assert_eq!(run.row(setting.name), (shown.to_owned(), source), "{variable}");
        let dotenv = format!("{variable}='{value}'\n");
        let run = LoadCase { arguments: others, dotenv: &dotenv, ..RUN };
        let source = format!("environment file {variable}");
        assert_eq!(run.row(setting.name), (shown.to_owned(), source));
    }
}

#[test]
fn an_empty_variable_is_not_set_unless_empty_is_a_value() {
    for (setting, (variable, .., others)) in samples() {
        let environment = [(variable, "")];
        let run = LoadCase { arguments: others, environment: &environment, ..RUN };
        match variable {
            // Without its other half this is an error, so it was not set.
            "TLS_CERT" | "TLS_KEY" | "REDIS_TLS_CERT" | "REDIS_TLS_KEY" => {
                assert!(run.error().contains("needs"), "{variable}");
            }
            _ if setting.kind == SettingKind::MayBeEmpty => {
                assert_eq!(run.row(setting.name).1, format!("environment {variable}"));
            }
            _ => assert_eq!(run.settings(), LoadCase { arguments: others, ..RUN }.settings()),
        }
    }
}

#[test]
fn the_dump_has_every_setting_in_the_order_of_the_table() {
    let rows = RUN.rows();
    let mut names = rows.iter().map(|row| row.name);
    for (setting, _) in samples() {
        assert!(names.any(|name| name == setting.name), "{} is missing or late", setting.name);
    }
}

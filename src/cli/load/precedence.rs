//! For every setting: the command line over the environment over the environment file over the default.

use super::tests::{LoadCase, RUN};
use crate::config::{
    setting,
    setting::{Setting, SettingKind},
};

/// A setting, a value for it, the same as it is shown, what else must be given for it to count.
pub(super) type SettingSample = (Setting, &'static str, &'static str, &'static [&'static str]);

pub(super) const SAMPLES: &[SettingSample] = &[
    (setting::DATABASE_URL, "mysql://u:hunter2@h/d", "mysql://u:***@h:3306/d?ssl-mode=prefer", &[]),
    (setting::DATABASE_PREFIX, "nc_", "\"nc_\"", &[]),
    (setting::REDIS_URL, "redis://:hunter2@r", "redis://:***@r:6379/0", &[]),
    (setting::REDIS_TLS_CERT, "/c", "/c", &["--redis-url=rediss://r", "--redis-tls-key=/k"]),
    (setting::REDIS_TLS_KEY, "/k", "/k", &["--redis-url=rediss://r", "--redis-tls-cert=/c"]),
    (setting::REDIS_TLS_CA, "/ca", "/ca", &["--redis-url=rediss://r"]),
    (setting::REDIS_TLS_DONT_VALIDATE_HOSTNAME, "true", "true", &[]),
    (setting::REDIS_TLS_INSECURE, "true", "true", &[]),
    (setting::NEXTCLOUD_URL, "https://c.example", "https://c.example/", &[]),
    (setting::NEXTCLOUD_CA, "/ca", "/ca", &[]),
    (setting::ALLOW_SELF_SIGNED, "true", "true", &[]),
    (setting::USER_AGENT, "agent", "agent", &[]),
    (setting::COMPAT_VERSION, "1.3.0", "1.3.0", &[]),
    (setting::NEXTCLOUD_SECRET, "hunter2", "***", &[]),
    (setting::AUTH, "database", "database", &[]),
    (setting::REAUTH_INTERVAL, "30m", "1800 s", &[]),
    (setting::THROTTLE_MAX_ATTEMPTS, "3", "3", &[]),
    (setting::THROTTLE_IPV4_PREFIX, "24", "24", &[]),
    (setting::THROTTLE_IPV6_PREFIX, "/64", "64", &[]),
    (setting::TRUSTED_PROXIES, "10.0.0.0/8", "10.0.0.0/8", &[]),
    (setting::FORWARDED_FOR_HEADERS, "X-Real-Ip", "x-real-ip", &[]),
    (setting::PORT, "80", "80", &[]),
    (setting::BIND, "127.0.0.1", "127.0.0.1", &[]),
    (setting::SOCKET_PATH, "/s", "/s", &[]),
    (setting::SOCKET_PERMISSIONS, "600", "0600", &["--socket-path=/s"]),
    (setting::PROXY_PROTOCOL, "true", "true", &[]),
    (setting::TLS_CERT, "/c", "/c", &["--tls-key=/k"]),
    (setting::TLS_KEY, "/k", "/k", &["--tls-cert=/c"]),
    (setting::METRICS_PORT, "9000", "9000", &[]),
    (setting::METRICS_SOCKET_PATH, "/m", "/m", &[]),
    (setting::ADMIN_PORT, "9001", "9001", &[]),
    (setting::ADMIN_SOCKET, "/a", "/a", &[]),
    (setting::MAX_UNAUTHENTICATED, "7", "7", &[]),
    (setting::MAX_UNAUTHENTICATED_PER_ADDRESS, "7", "7", &[]),
    (setting::MAX_DEBOUNCE_TIME, "7", "7 s", &[]),
    (setting::DEBOUNCE_DISABLE, "true", "true", &[]),
    (setting::PUSH_RATE, "7", "7 a second", &[]),
    (setting::MAX_CONNECTION_TIME, "7", "7 s", &[]),
    (setting::MAX_CONNECTIONS, "7", "7", &[]),
    (setting::DRAIN_TIME, "7", "7 s", &[]),
    (setting::LOG, "notify_push=debug", "notify_push=debug", &[]),
    (setting::LOG_FORMAT, "json", "json", &[]),
    (setting::NO_ANSI, "true", "true", &[]),
];

/// Another valid value, to be overridden.
fn weaker(setting: Setting, value: &'static str) -> &'static str {
    match setting {
        setting::DATABASE_URL => "sqlite:///weaker.db",
        setting::REDIS_URL => "rediss://weaker",
        setting::NEXTCLOUD_URL => "https://weaker.example",
        setting::COMPAT_VERSION => "9.9.9",
        setting::LOG => "trace",
        setting::LOG_FORMAT => "text",
        setting::AUTH => "database",
        setting::TRUSTED_PROXIES => "192.0.2.1",
        setting::BIND => "::1",
        setting::SOCKET_PERMISSIONS => "0777",
        _ if value == "true" => "false",
        _ if value.starts_with('/') && value.len() < 4 => "/weaker",
        _ if value.parse::<u64>().is_ok() => "11",
        _ => value,
    }
}

#[test]
fn each_setting_has_a_sample() {
    let sampled: Vec<_> = SAMPLES.iter().map(|sample| sample.0.name).collect();
    let known: Vec<_> = setting::ALL.iter().map(|setting| setting.name).collect();
    assert_eq!(sampled, known);
}

#[test]
fn the_command_line_wins_over_the_environment() {
    for &(setting, value, shown, others) in SAMPLES.iter().filter(|sample| sample.0.flag) {
        let flag = format!("--{}", setting.name);
        let assigned = format!("{flag}={value}");
        let switch = value == "true";
        let mut arguments = others.to_vec();
        arguments.push(if switch { &flag } else { &assigned });
        let environment = [(setting.variable, weaker(setting, value))];
        let run = LoadCase { arguments: &arguments, environment: &environment, ..RUN };
        let source = format!("command line {flag}");
        assert_eq!(run.row(setting.name), (shown.to_owned(), source), "{flag}");
    }
}

#[test]
fn the_environment_wins_over_dotenv_and_dotenv_over_nothing() {
    for &(setting, value, shown, others) in SAMPLES {
        let variable = setting.variable;
        let weaker = format!("{variable}={}\n", weaker(setting, value));
        let environment = [(variable, value)];
        let run = LoadCase { arguments: others, environment: &environment, dotenv: &weaker, ..RUN };
        let source = format!("environment {variable}");
        assert_eq!(run.row(setting.name), (shown.to_owned(), source), "{variable}");
        let dotenv = format!("{variable}='{value}'\n");
        let run = LoadCase { arguments: others, dotenv: &dotenv, ..RUN };
        assert_eq!(
            run.row(setting.name),
            (shown.to_owned(), format!("environment file {variable}"))
        );
    }
}

#[test]
fn an_empty_variable_is_none_unless_it_means_something() {
    for &(setting, _, _, others) in SAMPLES {
        let environment = [(setting.variable, "")];
        let run = LoadCase { arguments: others, environment: &environment, ..RUN };
        match setting {
            // Without its other half this is an error, which shows that it was not seen.
            setting::TLS_CERT
            | setting::TLS_KEY
            | setting::REDIS_TLS_CERT
            | setting::REDIS_TLS_KEY => {
                assert!(run.error().contains("needs"), "{}", setting.name);
            }
            _ if setting.kind == SettingKind::MayBeEmpty => {
                let source = format!("environment {}", setting.variable);
                assert_eq!(run.row(setting.name).1, source);
            }
            _ => assert_eq!(run.settings(), LoadCase { arguments: others, ..RUN }.settings()),
        }
    }
}

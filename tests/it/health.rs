//! `/health/…` and `notify_push healthcheck`: ready while clients can log in and be notified.

use crate::support::{
    certificates::Certificates,
    daemon::Daemon,
    folder, free_port, http,
    installation::Installation,
    nextcloud::{Nextcloud, NextcloudSetup},
    until,
};
use serde_json::Value;
use std::process::{Command, Output};

/// The command beside a daemon with this environment.
async fn healthcheck(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    command.arg("healthcheck").args(arguments).env_clear().envs(environment.iter().copied());
    let run = tokio::task::spawn_blocking(move || command.output());
    let Output { status, stdout, stderr } = run.await.unwrap().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

async fn report(address: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let answer = http::get(address, "/health/ready", headers).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn states(report: &Value) -> Vec<(&str, &str, bool)> {
    let line = |line: &'_ Value| line["needed"].as_bool().unwrap();
    let lines = report["dependencies"].as_array().unwrap().iter();
    lines
        .map(|one| (one["name"].as_str().unwrap(), one["state"].as_str().unwrap(), line(one)))
        .collect()
}

#[tokio::test]
async fn readiness_follows_redis_and_says_since_when_and_why() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    let mut installation = Installation::start().await;
    let port = free_port().to_string();
    let variables = [("ADMIN_PORT", &*port), ("NEXTCLOUD_URL", &nextcloud.url())];
    let daemon = installation.daemon(&variables).await;
    let address = format!("127.0.0.1:{port}");
    let ready = async || {
        let (status, report) = report(&address, &[]).await;
        (status == 200).then_some(report)
    };
    let well = until("it is ready", ready).await;
    let expected =
        [("redis", "up", true), ("database", "up", true), ("nextcloud", "untried", false)];
    assert_eq!((states(&well), &well["ready"]), (expected.to_vec(), &Value::Bool(true)));
    let (code, said) = healthcheck(&[], &[("ADMIN_PORT", &port)]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("ready\n  redis      up "), "{said}");

    installation.redis.kill();
    let gone = async || {
        let (status, report) = report(&address, &[]).await;
        (status == 503).then_some(report)
    };
    let gone = until("it is not", gone).await;
    assert_eq!(states(&gone)[0], ("redis", "down", true));
    let redis = &gone["dependencies"][0];
    assert!(redis["why"].as_str().unwrap().contains("127.0.0.1"), "{redis}");
    assert!(redis["since"].as_str().unwrap().starts_with("20"), "{redis}");
    let (_, far) = report(&address, &[("x-forwarded-for", "203.0.113.7")]).await;
    assert_eq!(states(&far)[0], ("redis", "down", true));
    assert!(!far.to_string().contains("127.0.0.1"), "{far}");
    let (code, said) = healthcheck(&[], &[("ADMIN_PORT", &port)]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not ready\n  redis      down "), "{said}");
    assert_eq!(
        healthcheck(&["--live"], &[("ADMIN_PORT", &port)]).await,
        (Some(0), "live\n".into())
    );
    assert_eq!(daemon.get("/health/ready", &[]).await.body, "not ready\n");
    assert_eq!(daemon.get("/push/health/live", &[]).await.status, 200);
}

#[tokio::test]
async fn without_another_listener_the_clients_own_is_asked_over_tls_too() {
    let certificates = Certificates::new();
    let pair = certificates.server();
    let (cert, key) = (pair.cert.display().to_string(), pair.key.display().to_string());
    let installation = Installation::start().await;
    let files = [("TLS_CERT", &*cert), ("TLS_KEY", &*key)];
    let daemon = installation.daemon(&files).await;
    let port = daemon.port().to_string();
    let environment = [("PORT", &*port), files[0], files[1]];
    until("it is ready", async || {
        (healthcheck(&[], &environment).await == (Some(0), "ready\n".into())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_unix_socket_is_asked_without_tls_whatever_certificate_is_set() {
    let (certificates, folder) = (Certificates::new(), folder("health"));
    let pair = certificates.server();
    let files = [pair.cert, pair.key, folder.path().join("push.sock")];
    let [cert, key, socket] = files.map(|file| file.display().to_string());
    let environment = [("TLS_CERT", &*cert), ("TLS_KEY", &*key), ("SOCKET_PATH", &*socket)];
    let installation = Installation::start().await;
    let config = installation.config_php("").display().to_string();
    let all = [&environment[..], &[("AUTH", "database")]].concat();
    let _daemon = Daemon::start(&[&config], &all).await;
    until("it is ready", async || {
        (healthcheck(&[], &environment).await == (Some(0), "ready\n".into())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_missing_daemon_is_unhealthy_and_the_remedy_is_named() {
    let port = free_port().to_string();
    let (code, said) = healthcheck(&[], &[("PORT", &port)]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("no daemon answers") && said.contains(&port), "{said}");
}

#[tokio::test]
async fn a_daemon_that_waits_for_redis_from_the_start_is_live_and_not_ready() {
    let installation = Installation::start().await;
    let config = installation.config_php("").display().to_string();
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let environment = [("REDIS_URL", &*nowhere), ("AUTH", "database")];
    let daemon = Daemon::start(&[&config], &environment).await;
    assert_eq!(daemon.get("/health/live", &[]).await.body, "live\n");
    assert_eq!(daemon.get("/health/ready", &[]).await.status, 503);
}

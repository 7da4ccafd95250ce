//! The running daemon under occ and an operator: self-test, log level, metrics, commands.

use crate::support::{
    client::Client,
    daemon::Daemon,
    free_port, http,
    installation::Installation,
    nextcloud::{Nextcloud, NextcloudSetup},
    until,
};

const TOKEN: (&str, &str) = ("token", "jwOLYqIvtIVuSCbGa3YR0NwkPk//++i9");

async fn daemon(environment: &[(&str, &str)]) -> (Installation, Daemon) {
    let installation = Installation::start().await;
    installation.user_with_home("alice", 7, 1).await;
    installation.redis.set("test-token", TOKEN.1).await;
    let daemon = installation.daemon(environment).await;
    (installation, daemon)
}

#[tokio::test]
async fn the_self_test_passes_with_and_without_the_prefix() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    nextcloud.cookie("483634358");
    let (installation, daemon) = daemon(&[("NEXTCLOUD_URL", &nextcloud.url())]).await;
    installation.redis.publish("notify_test_cookie", "483634358").await;
    until("the cookie arrives", async || {
        (daemon.get("/test/cookie", &[TOKEN]).await.body == "483634358").then_some(())
    })
    .await;
    for (path, expected) in [
        ("/test/cookie", "483634358"),
        ("/test/reverse_cookie", "483634358"),
        ("/test/mapping/7", "1"),
        ("/test/mapping/8", "0"),
        ("/test/remote/1.2.3.4", "1.2.3.4"),
    ] {
        for prefix in ["", "/push"] {
            let answer = daemon.get(&format!("{prefix}{path}"), &[TOKEN]).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{prefix}{path}");
        }
    }
    let answer = http::request("POST", &daemon.address(), "/test/version", &[TOKEN], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "set"));
    assert_eq!(installation.redis.get("notify_push_version").await.as_deref(), Some("1.4.0"));
}

#[tokio::test]
async fn a_request_without_the_token_learns_only_that_a_daemon_runs() {
    let (installation, daemon) = daemon(&[]).await;
    installation.redis.publish("notify_test_cookie", "483634358").await;
    for headers in [&[][..], &[("token", "wrong")]] {
        let answer = daemon.get("/test/cookie", headers).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.parse::<u32>().is_ok(), "{answer:?}");
        for path in ["/test/mapping/7", "/test/reverse_cookie", "/test/remote/1.2.3.4"] {
            let answer = daemon.get(path, headers).await;
            assert_ne!(answer.status, 200, "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn occ_sets_the_log_level_and_restores_it() {
    let (installation, daemon) = daemon(&[("LOG", "notify_push=info")]).await;
    let mut client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    // Invalid messages are ignored, and their length is logged at debug.
    let redis = &installation.redis;
    redis.publish("notify_custom", "x".repeat(1001)).await;
    redis.publish("notify_config", r#"{"log_spec":"notify_push=debug"}"#).await;
    redis.publish("notify_custom", "x".repeat(1002)).await;
    redis.publish("notify_config", "\"log_restore\"").await;
    redis.publish("notify_custom", "x".repeat(1003)).await;
    redis.publish("notify_config", r#"{"log_spec":"trace"}"#).await;
    redis.publish("notify_custom", "x".repeat(1004)).await;
    installation.custom("alice", "marker").await;
    assert_eq!(client.text().await, "marker");
    daemon.logs("1004").await;
    let log = daemon.log();
    assert!(log.contains("1002") && !log.contains("1001") && !log.contains("1003"), "{log}");
    assert!(log.contains("log filter restored over Redis"), "{log}");
}

#[tokio::test]
async fn metrics_count_connections_and_return_to_zero() {
    let port = free_port().to_string();
    let (installation, daemon) = daemon(&[("METRICS_PORT", &port)]).await;
    let address = format!("127.0.0.1:{port}");
    let shows = async |line: &str| {
        until(line, async || {
            let page = http::get(&address, "/metrics", &[]).await;
            page.body.lines().any(|shown| shown == line).then_some(())
        })
        .await;
    };
    let mut client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    shows("active_connection_count 1").await;
    shows("active_user_count 1").await;
    installation.redis.publish("notify_activity", r#"{"user":"alice"}"#).await;
    assert_eq!(client.text().await, "notify_activity");
    shows("message_count_total{type=\"activity\"} 1").await;
    shows("message_count_total 1").await;
    drop(client);
    shows("active_connection_count 0").await;
    shows("active_user_count 0").await;
    shows("total_connection_count 1").await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_warned_of() {
    let (installation, daemon) = daemon(&[("LOG", "warn")]).await;
    let mut client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    installation.custom("alice", &"a".repeat(1024 * 1024)).await;
    daemon.logs("message not delivered: larger than 1 MiB").await;
    installation.custom("alice", "small").await;
    assert_eq!(client.text().await, "small");
}

#[tokio::test]
async fn the_metrics_command_prints_a_summary() {
    let port = free_port().to_string();
    let (installation, daemon) = daemon(&[("METRICS_PORT", &port)]).await;
    let mut client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    installation.redis.publish("notify_activity", r#"{"user":"alice"}"#).await;
    assert_eq!(client.text().await, "notify_activity");
    let shown = until("the message is counted", async || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_notify_push"));
        command.args(["metrics", "--over", "0"]).env_clear().env("METRICS_PORT", &port);
        let run = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(run.status.success(), "{run:?}");
        let text = String::from_utf8(run.stdout).unwrap();
        text.contains("\n    activity                                 1").then_some(text)
    })
    .await;
    for line in [
        "  logged in                                  1\n",
        "    redis                                  yes\n",
    ] {
        assert!(shown.contains(line), "{line}{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

#[tokio::test]
async fn occ_metrics_reads_numbers_from_redis() {
    let (installation, daemon) = daemon(&[]).await;
    let _client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    installation.redis.publish("notify_query", "\"metrics\"").await;
    let key = async || installation.redis.get("notify_push_metrics").await;
    let numbers: serde_json::Value =
        serde_json::from_str(&until("the key is set", key).await).unwrap();
    assert_eq!(numbers["active_connection_count"], 1);
    assert_eq!(numbers["active_user_count"], 1);
    for name in [
        "total_connection_count",
        "mapping_query_count",
        "events_received",
        "messages_sent",
        "messages_sent_file",
        "messages_sent_activity",
        "messages_sent_notification",
        "messages_sent_custom",
    ] {
        assert!(numbers[name].is_u64(), "{name}: {numbers}");
    }
}

#[tokio::test]
async fn version_is_one_line_that_the_set_up_wizard_recognizes() {
    let mut daemon = Daemon::launch(&["--version"], &[]);
    assert_eq!(daemon.ends().await.code(), Some(0));
    let log = daemon.log();
    assert!(log.starts_with("notify_push") && log.lines().count() == 1, "{log:?}");
}

#[tokio::test]
async fn the_log_command_shows_and_changes_the_filter() {
    let port = free_port().to_string();
    let (_installation, _daemon) = daemon(&[("ADMIN_PORT", &port), ("LOG", "warn")]).await;
    let log = async |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_notify_push"));
        command.arg("log").args(arguments).env_clear().env("ADMIN_PORT", &port);
        let run = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(run.status.success(), "{run:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(log(&[]).await, "warn\n");
    assert_eq!(log(&["notify_push=debug"]).await, "notify_push=debug\n");
    assert_eq!(log(&[]).await, "notify_push=debug\n");
    assert_eq!(log(&["--restore"]).await, "warn\n");
}

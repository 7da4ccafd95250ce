//! Several Nextclouds in one daemon: events, logins and counters stay separate.

use crate::support::{
    Folder, client::Client, daemon::Daemon, folder, free_port, http, installation::Installation,
    redis::Redis, until,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{fmt::Write as _, path::Path, process::Command};

/// Settings of each service: no debounce, logins are decided from the database.
const USUAL: &str = "auth = \"database\"\nmax_debounce_time = \"0\"\n";

/// A daemon of two Nextclouds with a user of the same name: `a` below `/a`, `b` by its name.
struct TwoServicesFixture {
    a: Installation,
    b: Installation,
    daemon: Daemon,
    metrics: String,
    folder: Folder,
}

impl TwoServicesFixture {
    async fn start() -> Self {
        let (a, b) = (Installation::start().await, Installation::start().await);
        a.user_with_home("alice", 1, 1).await;
        b.user("alice", "of b").await;
        b.file(1, 1, "").await;
        b.mount("alice", 1, 1).await;
        let folder = folder("services");
        let file = write(
            folder.path(),
            &[
                ("a", "path = \"/a\"", &a.config_php("")),
                ("b", "server_name = \"127.0.0.1\"", &b.config_php("")),
            ],
        );
        let metrics = free_port().to_string();
        let environment = [("LOG", "notify_push=debug"), ("ADMIN_PORT", &metrics)];
        let daemon = Daemon::start(&["--config", &file], &environment).await;
        a.listened_to().await;
        b.listened_to().await;
        Self { a, b, daemon, metrics, folder }
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.daemon.address())
    }

    async fn alices(&self) -> (Client, Client) {
        let a = Client::log_in(&self.url("/a/push/ws"), "alice", "alice-password").await;
        (a, Client::log_in(&self.url("/ws"), "alice", "of b").await)
    }
}

fn write(folder: &Path, hosts: &[(&str, &str, &Path)]) -> String {
    let mut text = String::new();
    for (name, place, config) in hosts {
        let config = config.display();
        write!(text, "[[service]]\nname = \"{name}\"\n{place}\nconfig = \"{config}\"\n{USUAL}\n")
            .unwrap();
    }
    let file = folder.join("services.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn events_reach_only_the_clients_of_their_service() {
    let scene = TwoServicesFixture::start().await;
    let (mut a, mut b) = scene.alices().await;
    scene.a.custom("alice", "for_a").await;
    scene.a.changed(1, "files/x", 5).await;
    scene.b.custom("alice", "for_b").await;
    assert_eq!(b.text().await, "for_b");
    let mut told = [a.text().await, a.text().await];
    told.sort_unstable();
    assert_eq!(told, ["for_a", "notify_file"]);
    scene.b.custom("alice", "last_of_b").await;
    assert_eq!(b.text().await, "last_of_b", "b receives nothing of a");
}

#[tokio::test]
async fn passwords_and_tickets_are_valid_for_one_service_only() {
    let scene = TwoServicesFixture::start().await;
    let mut client = Client::connect(&scene.url("/ws")).await;
    let refused = "err: Invalid credentials";
    assert_eq!(client.credentials("alice", "alice-password").await, refused);
    scene.a.ticket("alice", "ticket-of-a").await;
    // What is published later has been heard later.
    let mut a = Client::log_in(&scene.url("/a/ws"), "alice", "alice-password").await;
    scene.a.custom("alice", "after_the_ticket").await;
    assert_eq!(a.text().await, "after_the_ticket");
    let mut client = Client::connect(&scene.url("/ws")).await;
    assert_eq!(client.credentials("", "ticket-of-a").await, refused);
    let mut client = Client::connect(&scene.url("/a/ws")).await;
    assert_eq!(client.credentials("", "ticket-of-a").await, "authenticated");
}

#[tokio::test]
async fn requests_are_routed_by_path_and_server_name() {
    let scene = TwoServicesFixture::start().await;
    let (port, address) = (scene.daemon.port(), scene.daemon.address());
    let by_another_name = format!("localhost:{port}");
    for (at, path, status) in [
        (&address, "/a/test/cookie", 200),
        (&address, "/a/push/test/cookie", 200),
        (&address, "/test/cookie", 200),
        (&by_another_name, "/a/test/cookie", 200),
        (&by_another_name, "/test/cookie", 404),
        (&by_another_name, "/ws", 404),
        (&address, "/b/test/cookie", 404),
        (&address, "/health/live", 200),
        (&address, "/a/health/ready", 200),
        (&address, "/a/push/health/ready", 200),
    ] {
        assert_eq!(http::get(at, path, &[]).await.status, status, "{at}{path}");
    }
    scene.a.redis.publish("notify_test_cookie", "42").await;
    let cookie = async |path: &'static str| scene.daemon.get(path, &[]).await.body;
    until("a has the cookie", async || (cookie("/a/test/cookie").await == "42").then_some(()))
        .await;
    assert_eq!(cookie("/test/cookie").await, "0");
}

#[tokio::test]
async fn metrics_have_a_service_label_and_revoke_needs_the_service() {
    let scene = TwoServicesFixture::start().await;
    let (mut a, mut b) = scene.alices().await;
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_notify_push"))
            .args(arguments)
            .args(["--admin-port", &scene.metrics])
            .env_clear()
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let (done, said) = run(&["revoke", "alice"]);
    assert!(!done && said.contains("Which service?") && said.contains("a, b"), "{said}");
    let (done, said) = run(&["revoke", "--service", "c", "alice"]);
    assert!(!done && said.contains("Which service?"), "{said}");
    assert_eq!(
        run(&["revoke", "--service", "a", "alice"]),
        (true, "closed 1 connection of alice".to_owned())
    );
    assert_eq!(a.text().await, "err: Login revoked");
    scene.b.custom("alice", "still_here").await;
    assert_eq!(b.text().await, "still_here");
    let address = format!("127.0.0.1:{}", scene.metrics);
    for line in [
        "notify_push_connections_total{service=\"a\"} 1\n",
        "notify_push_connections{service=\"b\"} 1\n",
        "notify_push_messages_sent_total{topic=\"custom\",service=\"b\"} 1\n",
        "active_connection_count{service=\"b\"} 1\n",
    ] {
        until(line, async || {
            http::get(&address, "/metrics", &[]).await.body.contains(line).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_without_redis_does_not_affect_the_other() {
    let mut scene = TwoServicesFixture::start().await;
    let (_a, mut b) = scene.alices().await;
    scene.a.redis.kill();
    scene.b.custom("alice", "for_b").await;
    assert_eq!(b.text().await, "for_b");
    let ready = async |path: &'static str| scene.daemon.get(path, &[]).await.status;
    let lost = async || (ready("/a/health/ready").await == 503).then_some(());
    until("a knows that its Redis is away", lost).await;
    assert_eq!(ready("/health/ready").await, 200, "b can do its job");
}

#[tokio::test]
async fn the_doctor_checks_each_service_under_its_name() {
    let scene = TwoServicesFixture::start().await;
    let file = scene.folder.path().join("services.toml");
    let doctor = Command::new(env!("CARGO_BIN_EXE_notify_push"))
        .args(["doctor", "--json", "--config"])
        .arg(&file)
        .env_clear()
        .env("PORT", scene.daemon.port().to_string())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&doctor.stderr));
    });
    let found = |host: &str, check: &str| {
        let all = report["findings"].as_array().unwrap().iter();
        let mut found =
            all.filter(|finding| finding["service"] == host && finding["check"] == check);
        found.next().unwrap_or_else(|| panic!("no {check} of {host}: {report}"))["state"].clone()
    };
    for host in ["a", "b"] {
        assert_eq!(found(host, "redis"), "fine");
        assert_eq!(found(host, "database"), "fine");
    }
}

#[tokio::test]
async fn a_reload_reads_the_services_file_again() {
    let scene = TwoServicesFixture::start().await;
    let (mut a, mut b) = scene.alices().await;
    let file = scene.folder.path().join("services.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "push_rate = \"7\"\n").unwrap();
    scene.daemon.signal(Signal::HUP);
    scene.daemon.logs("service b: PUSH_RATE changed: in effect now").await;
    assert_eq!(scene.daemon.log().matches(" changed: ").count(), 1, "{}", scene.daemon.log());
    scene.a.custom("alice", "for_a").await;
    scene.b.custom("alice", "for_b").await;
    assert_eq!((a.text().await, b.text().await), ("for_a".to_owned(), "for_b".to_owned()));
}

#[tokio::test]
async fn log_lines_of_a_service_name_it_and_those_of_the_daemon_name_none() {
    let mut scene = TwoServicesFixture::start().await;
    let (_a, _b) = scene.alices().await;
    scene.a.redis.kill();
    let log = |part: &'static str| {
        let daemon = &scene.daemon;
        until(part, async move || {
            daemon.log().lines().find(|line| line.contains(part)).map(str::to_owned)
        })
    };
    for part in ["client::redis", "logged in"] {
        let line = log(part).await;
        assert!(line.contains("service{name=a}: ") || line.contains("service{name=b}: "), "{line}");
    }
    let text = scene.daemon.log();
    let said = |host: &str| text.lines().any(|line| line.contains(host) && line.contains("logged"));
    assert!(said("service{name=a}: ") && said("service{name=b}: "), "{text}");
    assert!(!log("listening on").await.contains("service{"));
}

#[tokio::test]
async fn a_full_service_rejects_clients_and_the_other_accepts_them() {
    let scene = TwoServicesFixture::start().await;
    let file = scene.folder.path().join("services.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (a, b) = text.split_at(text.rfind("[[service]]").unwrap());
    std::fs::write(&file, format!("{a}max_connections = 1\n\n{b}")).unwrap();
    scene.daemon.signal(Signal::HUP);
    scene.daemon.logs("service a: MAX_CONNECTIONS changed: in effect now").await;
    // A client that connects before there is a session is accepted, and rejected once it has logged in.
    let mut early = Client::connect(&scene.url("/a/ws")).await;
    let (mut a, mut b) = scene.alices().await;
    early.say("alice").await;
    early.say("alice-password").await;
    assert_eq!(early.closed().await.map(|(code, _)| code), Some(1013));
    let (address, websocket) = (scene.daemon.address(), [("sec-websocket-key", "x")]);
    let full = http::get(&address, "/a/push/ws", &websocket).await;
    assert_eq!((full.status, &*full.body), (503, "Connection limit reached, retry later\n"));
    assert_eq!(http::get(&address, "/a/push/ws", &[]).await.status, 426, "no client");
    assert_eq!(http::get(&address, "/a/test/cookie", &[]).await.status, 200);
    let _second_of_b = Client::log_in(&scene.url("/ws"), "alice", "of b").await;
    scene.a.custom("alice", "for_a").await;
    scene.b.custom("alice", "for_b").await;
    assert_eq!((a.text().await, b.text().await), ("for_a".to_owned(), "for_b".to_owned()));
    let metrics = format!("127.0.0.1:{}", scene.metrics);
    let page = http::get(&metrics, "/metrics", &[]).await.body;
    let refused = |host: &str, count| {
        let line =
            format!("sessions_refused_total{{reason=\"full\",service=\"{host}\"}} {count}\n");
        assert!(page.contains(&line), "{line} not in {page}");
    };
    refused("a", 2);
    refused("b", 0);
    drop(a);
    until("there is room again", async || {
        (http::get(&address, "/a/push/ws", &websocket).await.status != 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_services_on_one_redis_are_rejected_whatever_their_databases() {
    let folder = folder("services");
    let redis = Redis::start().await;
    let mut text = String::new();
    for (name, host, index) in [("a", "127.0.0.1", 1), ("b", "localhost", 2)] {
        let redis = format!("redis://{host}:{}/{index}", redis.port());
        let database = folder.path().join("none.db");
        write!(
            text,
            "[[service]]\nname = \"{name}\"\npath = \"/{name}\"\nredis_url = \"{redis}\"\n\
             database_url = \"sqlite://{}\"\n",
            database.display()
        )
        .unwrap();
    }
    let file = folder.path().join("services.toml");
    std::fs::write(&file, text).unwrap();
    let mut daemon = Daemon::launch(&["--config", &file.display().to_string()], &[]);
    assert!(!daemon.ready().await, "it starts");
    let log = daemon.log();
    assert!(log.contains("services a and b use the same Redis"), "{log}");
}

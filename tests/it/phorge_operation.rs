//! A server among other hosts and under an operator's eyes: a services file, health, metrics, revoke, the
//! watchdog, limits, a reload, the doctor.

use crate::support::{
    Folder,
    client::Client,
    daemon::Daemon,
    folder, free_port, http,
    phorge::{Aphlict, AphlictPorts, LeaderTab, publish, write},
    until,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{path::Path, process::Command};

const TRIES: usize = 5;

fn run(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    let output = command.args(arguments).env_clear().output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Two servers in one daemon: `old` has Aphlict's file and ports, `new` its browsers at the daemon's own
/// listener, below `/new`.
struct TwoPhorgeServers {
    daemon: Daemon,
    old: AphlictPorts,
    publish: String,
    metrics: String,
    _folder: Folder,
}

impl TwoPhorgeServers {
    async fn start() -> Self {
        for _ in 0..TRIES {
            let (folder, old) = (folder("both"), AphlictPorts::free());
            let (publish, metrics) = (free_port(), free_port().to_string());
            let file = hosts(folder.path(), old, publish);
            let variables = [("ADMIN_PORT", &*metrics), ("LOG", "notify_push=debug")];
            let mut daemon = Daemon::launch(&["--config", &file], &variables);
            if daemon.ready().await {
                let publish = format!("127.0.0.1:{publish}");
                return Self { daemon, old, publish, metrics, _folder: folder };
            }
            let log = daemon.log();
            assert!(log.to_lowercase().contains("address already in use"), "no start: {log}");
        }
        panic!("no free ports for two servers");
    }

    async fn browser_of_new(&self) -> LeaderTab {
        LeaderTab(Client::connect(&format!("ws://{}/new/ws/~acme/", self.daemon.address())).await)
    }

    async fn browser_of_old(&self) -> LeaderTab {
        LeaderTab(Client::connect(&format!("ws://127.0.0.1:{}/ws/~acme/", self.old.client)).await)
    }
}

fn hosts(folder: &Path, old: AphlictPorts, publish: u16) -> String {
    let config = write(folder, old, &|_| {});
    let text = format!(
        "[[service]]\nname = \"old\"\nkind = \"phorge\"\nconfig = \"{}\"\n\n\
         [[service]]\nname = \"new\"\nkind = \"phorge\"\npath = \"/new\"\nclient_listen = \"shared\"\n\
         publish_listen = \"127.0.0.1:{publish}\"\nmax_connections = 2\n",
        config.display()
    );
    let file = folder.join("services.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn message(unique: &str) -> String {
    json!({"subscribers": ["a"], "uniqueID": unique}).to_string()
}

#[tokio::test]
async fn two_servers_in_one_daemon_are_apart() {
    let both = TwoPhorgeServers::start().await;
    let (mut old, mut new) = (both.browser_of_old().await, both.browser_of_new().await);
    old.subscribe(&["a"]).await;
    new.subscribe(&["a"]).await;
    let admin = format!("127.0.0.1:{}", both.old.admin);
    assert_eq!(publish(&admin, "acme", &message("of old")).await.status, 200);
    assert_eq!(publish(&both.publish, "acme", &message("of new")).await.status, 200);
    assert_eq!(old.told().await, ["of old"]);
    assert_eq!(new.told().await, ["of new"]);
    // At the shared listener nobody publishes, whatever the path.
    for path in ["/new/?instance=acme", "/new/status/", "/new/ws/"] {
        let answer = http::request("POST", &both.daemon.address(), path, &[], &message("x")).await;
        assert_eq!(answer.status, 501, "{path}");
    }
    let answer = http::get(&both.daemon.address(), "/elsewhere", &[]).await;
    assert_eq!(answer.status, 404);
    let page = format!("127.0.0.1:{}", both.metrics);
    for line in [
        "notify_push_messages_published_total{service=\"old\"} 1\n",
        "notify_push_connections{service=\"new\"} 1\n",
        "notify_push_messages_sent_total{topic=\"custom\",service=\"new\"} 1\n",
    ] {
        until(line, async || {
            http::get(&page, "/metrics", &[]).await.body.contains(line).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_operator_closes_an_instance_or_who_listens_to_an_id() {
    let both = TwoPhorgeServers::start().await;
    let (mut one, mut two) = (both.browser_of_old().await, both.browser_of_old().await);
    one.subscribe(&["a"]).await;
    two.subscribe(&["b"]).await;
    let revoke =
        |user: &str| run(&["revoke", "--service", "old", "--admin-port", &both.metrics, user]);
    assert_eq!(revoke("acme/a"), (0, "closed 1 connection of acme/a\n".to_owned()));
    assert_eq!(one.0.closed().await, Some((4401, "login revoked".to_owned())));
    drop(one);
    let admin = format!("127.0.0.1:{}", both.old.admin);
    until("it has left", async || {
        let status = http::get(&admin, "/status/?instance=acme", &[]).await.body;
        status.contains(r#""clients.active":1,"#).then_some(())
    })
    .await;
    assert_eq!(two.told().await, [""; 0]);
    assert_eq!(revoke("acme"), (0, "closed 1 connection of acme\n".to_owned()));
    assert_eq!(two.0.closed().await, Some((4401, "login revoked".to_owned())));
}

#[tokio::test]
async fn a_server_that_is_full_sends_browsers_back() {
    let both = TwoPhorgeServers::start().await;
    let (mut one, two) = (both.browser_of_new().await, both.browser_of_new().await);
    one.subscribe(&["a"]).await;
    let url = format!("ws://{}/new/ws/", both.daemon.address());
    let sent_back = async || Client::connect_with(&url, &[]).await.err().map(drop);
    until("a third is sent back", sent_back).await;
    assert_eq!(http::get(&both.daemon.address(), "/new/ws/", &[]).await.status, 501);
    drop(two);
    until("there is room again", async || Client::connect_with(&url, &[]).await.ok()).await;
}

#[tokio::test]
async fn nobody_gets_into_a_full_server_as_its_probe() {
    let both = TwoPhorgeServers::start().await;
    let (mut one, mut two) = (both.browser_of_new().await, both.browser_of_new().await);
    one.subscribe(&["a"]).await;
    two.subscribe(&["a"]).await;
    for name in ["%01probe", "probe", "acme"] {
        let url = format!("ws://{}/new/ws/~{name}/?probe", both.daemon.address());
        // At the door it isn't known yet; who isn't the probe is cut off then.
        if let Ok(mut client) = Client::connect_with(&url, &[]).await {
            assert_eq!(client.closed().await, None, "{name}");
        }
    }
}

#[tokio::test]
async fn the_watchdog_is_fed_over_a_browsers_way_which_leaves_no_trace() {
    let watchdog = [("WATCHDOG_USEC", "2000000"), ("MAX_CONNECTIONS", "1")];
    let server = Aphlict::with_environment(|_| {}, &watchdog).await;
    // A probe that was here a moment ago may still have the place.
    let url = format!("ws://{}/ws/", server.clients());
    let connect = async || Client::connect_with(&url, &[]).await.ok();
    let mut only = LeaderTab(until("there is room", connect).await);
    only.subscribe(&["a"]).await;
    for _ in 0..3 {
        server.daemon.notifies("WATCHDOG=1").await;
    }
    server.tell("", &["a"], "1").await;
    assert_eq!(only.told().await, ["1"]);
    let counted = async || {
        let status = server.status("").await;
        let keys =
            ["clients.active", "clients.total", "messages.in", "messages.out", "history.size"];
        keys.iter().all(|key| status[key] == 1).then_some(())
    };
    until("nothing of it is counted", counted).await;
}

#[tokio::test]
async fn health_tells_of_peers_and_does_not_depend_on_them() {
    let (nobody, metrics) = (free_port(), free_port().to_string());
    let cluster = json!([{"host": "127.0.0.1", "port": nobody, "protocol": "http"}]);
    let change = |file: &mut Value| file["cluster"] = cluster.clone();
    let server = Aphlict::with_environment(change, &[("ADMIN_PORT", &metrics)]).await;
    let page = format!("127.0.0.1:{metrics}");
    let known = async || {
        let answer = http::get(&page, "/health/ready", &[]).await;
        let report: Value = serde_json::from_str(&answer.body).unwrap();
        let peer = report["dependencies"][0].clone();
        (peer["state"] == "down").then_some((answer.status, peer))
    };
    let (status, peer) = until("the peer is known to be away", known).await;
    assert_eq!((status, &peer["name"]), (200, &json!(format!("peer 127.0.0.1:{nobody}"))));
    server.tell("", &["a"], "1").await;
}

#[tokio::test]
async fn a_health_check_asks_where_metrics_are_and_says_so() {
    let metrics = free_port().to_string();
    let server = Aphlict::with_environment(|_| {}, &[("METRICS_PORT", &metrics)]).await;
    let (code, said) = run(&["healthcheck", "--metrics-port", &metrics]);
    assert_eq!(code, 0, "{said}");
    drop(server);
    // Nobody listens there.
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    command.arg("healthcheck").env_clear().env("PORT", free_port().to_string());
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.contains("needs ADMIN_SOCKET_PATH"), "{said}");
}

#[tokio::test]
async fn a_reload_takes_in_what_can_change_and_says_what_can_not() {
    let server = Aphlict::start().await;
    server.daemon.logs("memory.hint is for Node").await;
    let cluster = |file: &mut Value| {
        file["cluster"] = json!([{"host": "peer.example", "port": 1, "protocol": "http"}]);
    };
    write(server.folder(), server.ports, &cluster);
    server.daemon.signal(Signal::HUP);
    server.daemon.logs("PEERS changed: takes effect at").await;
    let mut browser = server.browser("").await;
    browser.subscribe(&["a"]).await;
    server.tell("", &["a"], "1").await;
    assert_eq!(browser.told().await, ["1"]);
}

#[tokio::test]
async fn the_doctor_looks_at_listeners_and_peers() {
    let nobody = free_port();
    let server = Aphlict::with(|file| {
        file["cluster"] = json!([{"host": "127.0.0.1", "port": nobody, "protocol": "http"}]);
    })
    .await;
    let file = server.folder().join("aphlict.custom.json").display().to_string();
    let (code, report) = run(&["phorge", "doctor", "--config", &file]);
    assert_eq!(code, 1, "{report}");
    assert_eq!(report.matches("memory.hint is for Node").count(), 1, "{report}");
    for seen in [
        format!("http://{} answers 501", server.clients()),
        format!("http://{} answers (version 7, 0 clients)", server.admins()),
        format!("http://127.0.0.1:{nobody} can't be reached"),
    ] {
        assert!(report.contains(&seen), "no {seen:?} in {report}");
    }
}

#[tokio::test]
async fn the_doctor_looks_at_the_shared_listener_as_those_who_know_the_hosts_name() {
    let folder = folder("named");
    let file = |listen: &str| {
        let socket = folder.path().join("admin.sock");
        let text = format!(
            "[listen]\n{listen}\n\n[[service]]\nname = \"one\"\nkind = \"phorge\"\nserver_name = \
             \"phorge.example\"\nclient_listen = \"shared\"\npublish_listen = \"{}\"\n",
            socket.display(),
        );
        let file = folder.path().join("services.toml");
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let mut daemon = Daemon::launch(&["--config", &file("")], &[]);
    assert!(daemon.ready().await, "{}", daemon.log());
    let address = daemon.address();
    let port = address.rsplit_once(':').unwrap().1;
    let (_, report) = run(&["doctor", "--config", &file(&format!("port = {port}"))]);
    assert!(report.contains(&format!("127.0.0.1:{port} answers 501")), "{report}");
    let listen = format!("port = {port}\nproxy_protocol = true");
    let (_, report) = run(&["doctor", "--config", &file(&listen)]);
    assert!(report.contains("expects a PROXY protocol header"), "{report}");
}

#[test]
fn what_holds_and_who_said_it_can_be_seen_before_a_start() {
    let folder = folder("dump");
    let file = write(folder.path(), AphlictPorts { client: 22280, admin: 22281 }, &|file| {
        file["cluster"] = json!([{"host": "push2", "port": 22281, "protocol": "https"}]);
    });
    let file = file.display().to_string();
    let dump = |arguments: &[&str]| {
        let (code, said) = run(&[&["phorge", "--dump-config"], arguments].concat());
        assert_eq!(code, 0, "{said}");
        let row = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        said.lines().map(row).collect::<Vec<_>>()
    };
    let says = |rows: &[String], expected: &str| {
        assert!(rows.iter().any(|row| row.starts_with(expected)), "no {expected:?} in {rows:#?}");
    };
    let rows = dump(&["--config", &file]);
    says(&rows, &format!("client-listen 127.0.0.1:22280 {file} line 2: servers"));
    says(&rows, &format!("peers https://push2:22281/ {file} line"));
    says(&rows, "warning: memory.hint is for Node");
    let rows = dump(&["--config", &file, "--publish-listen", "127.0.0.1:1, [::1]:2"]);
    says(&rows, "publish-listen 127.0.0.1:1,[::1]:2 command line --publish-listen");
    says(&rows, &format!("client-listen 127.0.0.1:22280 {file}"));
    let rows = dump(&[]);
    says(&rows, "client-listen *:22280 default");
    says(&rows, "publish-listen 127.0.0.1:22281 default");
    for (wrong, expected) in [
        (
            ["--publish-listen", "shared"],
            "--publish-listen: \"shared\" is not valid; expected a port",
        ),
        (
            ["--client-listen", "localhost:1"],
            "--client-listen: \"localhost:1\" is not valid; expected a port",
        ),
        (["--peers", "push2:22281"], "is not valid; expected addresses"),
        (["--peers", "http://:secret@push2"], "--peers: \"http://***@push2\" is not valid"),
        (["--peers", "http://push2?x"], "is not valid; expected addresses"),
        (["--peers", "http://push2#x"], "is not valid; expected addresses"),
        (["--client-tls-cert", "x"], "--client-tls-cert: a certificate needs its key"),
        (
            ["--max-subscriptions", "0"],
            "--max-subscriptions: \"0\" is not valid; expected a number from 1",
        ),
        (["--config", "/nowhere/aphlict.json"], "cannot read /nowhere/aphlict.json"),
    ] {
        let (code, said) = run(&[&["phorge"], &wrong[..]].concat());
        assert_eq!((code, said.contains(expected)), (1, true), "{wrong:?}: {said}");
    }
}

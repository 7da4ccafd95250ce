//! The clients of the table in `specs/webhook-push.md` section 3, each as it is on npm, over each of its
//! transports: they register, hear what was pushed as it was pushed, and hear again after their
//! connection broke.

use crate::support::{
    certificates::Certificates,
    faults::FaultProxy,
    node::{NEWER, NodeClient, OLDER, TRANSPORTS},
    redis::Redis,
    until,
    webhook::{TOKEN, Webhook},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What section 8 asks to come out unharmed, and what JSON has besides.
fn message(number: u32) -> Value {
    json!({
        "title": "é☃ 😀\u{2028}",
        "params": { "n": number, "half": 0.5, "none": null, "list": [1, [], "x\"y\\"] },
        "ключ": "\u{0}\u{7f}\u{feff}",
    })
}

/// A user with letters beyond ASCII, as it is and as it stands in a path.
const USER: (&str, &str) = ("é☃ 😀", "%C3%A9%E2%98%83%20%F0%9F%98%80");

async fn one_client(version: &str, transport: &str) {
    let host = Webhook::start().await;
    let proxy = FaultProxy::to(host.daemon.address()).await;
    host.register(USER.1, "c-%E2%98%83").await;
    let push = async |number| drop(host.push(USER.1, &message(number).to_string()).await);
    let pair = (USER.0, "c-☃");
    let client = NodeClient::start(version, transport, proxy.port(), pair, &json!({}));
    assert_eq!(client.says("registered", 1).await, json!({ "ok": true }), "{}", client.log());
    push(1).await;
    assert_eq!(client.says("message", 1).await, json!([message(1)]), "{version} {transport}");
    if transport == "default" {
        assert_eq!(client.says("upgraded", 1).await, "websocket");
        push(2).await;
        assert_eq!(client.says("message", 2).await, json!([message(2)]), "{version} {transport}");
    }
    // A client that polls may have no connection at this moment. Who has noticed is left alone: it may
    // be coming back by now.
    let broken = async || match client.all("disconnected").pop() {
        Some(noticed) => Some(noticed),
        None => {
            proxy.reset_connections().await;
            None
        }
    };
    until("its connection breaks", broken).await;
    assert_eq!(client.says("registered", 2).await, json!({ "ok": true }), "{}", client.log());
    push(3).await;
    // Who leaves while it is received may be received again: that is what ids are for.
    let last = async || client.all("message").pop().filter(|last| *last == json!([message(3)]));
    until(&format!("{version} {transport} hears again: {}", client.log()), last).await;
    assert!(!host.daemon.log().contains("panicked"), "{}", host.daemon.log());
}

async fn all_versions(versions: [&str; 3]) {
    for transport in TRANSPORTS {
        join_all(versions.map(|version| one_client(version, transport))).await;
    }
}

#[tokio::test]
async fn clients_of_the_originals_generation() {
    all_versions(OLDER).await;
}

#[tokio::test]
async fn clients_of_the_newer_generation() {
    all_versions(NEWER).await;
}

fn start(host: &Webhook, client: (&str, &str), pair: (&str, &str), options: &Value) -> NodeClient {
    NodeClient::start(client.0, client.1, host.daemon.port(), pair, options)
}

#[tokio::test]
async fn a_client_with_ids_receives_missed_messages_once() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let client = |since: &str| {
        let register = json!({ "ids": true, "since": (!since.is_empty()).then_some(since) });
        start(&host, ("4.8", "default"), ("alice", "c1"), &json!({ "register": register }))
    };
    let first = client("");
    first.says("registered", 1).await;
    let id = host.push("alice", r#""one""#).await;
    assert_eq!(first.says("message", 1).await, json!(["one", id]));
    drop(first);
    let second = host.push("alice", r#""two""#).await;
    let third = host.push("alice", r#"[3,"three"]"#).await;
    let again = client(&id);
    again.says("message", 2).await;
    assert_eq!(again.all("message"), [json!(["two", second]), json!([[3, "three"], third])]);
}

#[tokio::test]
async fn a_newer_registration_replaces_and_notifies_the_older() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let pair = ("alice", "c1");
    let older = start(&host, ("1.7", "polling"), pair, &json!({}));
    older.says("registered", 1).await;
    let newer = start(&host, ("4.8", "websocket"), pair, &json!({}));
    newer.says("registered", 1).await;
    assert_eq!(older.says("error", 1).await["error"], "replaced");
    host.push("alice", "1").await;
    assert_eq!(newer.says("message", 1).await, json!([1]));
    let nothing: [Value; 0] = [];
    assert_eq!((older.all("message"), older.all("disconnected")), (nothing.to_vec(), vec![]));
}

#[tokio::test]
async fn an_unregistered_client_receives_the_reason_only() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    for client in [("1.7", "polling"), ("2.5", "default"), ("4.8", "websocket")] {
        let unknown_user = start(&host, client, ("alice", "guessed"), &json!({}));
        let answer = unknown_user.says("registered", 1).await;
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!("unknown")));
        let known = start(&host, client, ("alice", "c1"), &json!({}));
        known.says("registered", 1).await;
        host.push("alice", r#""secret""#).await;
        known.says("message", 1).await;
        assert_eq!(unknown_user.all("message"), [Value::Null; 0], "{}", unknown_user.log());
    }
}

#[tokio::test]
async fn an_unregistered_client_is_notified_and_receives_nothing() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let client = start(&host, ("4.8", "default"), ("alice", "c1"), &json!({}));
    client.says("registered", 1).await;
    let gone = host.ask("DELETE", "/api/alice/register?connectionId=c1", "").await;
    assert!((200..300).contains(&gone.status));
    assert_eq!(client.says("error", 1).await["error"], "unknown");
}

#[tokio::test]
async fn clients_of_both_generations_come_back_after_a_restart() {
    let clients = [("1.7", "polling"), ("1.7", "default"), ("4.8", "polling"), ("4.8", "default")];
    let redis = Redis::start().await;
    let mut host = Webhook::on(&redis).await;
    let mut started = Vec::new();
    for (number, client) in clients.into_iter().enumerate() {
        let connection = format!("c{number}");
        host.register("alice", &connection).await;
        started.push(start(&host, client, ("alice", &connection), &json!({})));
    }
    for client in &started {
        assert_eq!(client.says("registered", 1).await, json!({ "ok": true }), "{}", client.log());
    }
    host.daemon.stop().await;
    host.daemon.start_again();
    assert!(host.daemon.ready().await);
    for client in &started {
        // While the daemon has no Redis yet it says to try later.
        let back = async || client.all("registered").into_iter().skip(1).find(|a| a["ok"] == true);
        until(&format!("it is back: {}", client.log()), back).await;
    }
    host.push("alice", r#""again""#).await;
    for client in &started {
        let received = async || client.all("message").pop().filter(|m| *m == json!(["again"]));
        until(&format!("it hears again: {}", client.log()), received).await;
    }
}

#[tokio::test]
async fn over_tls_as_without() {
    let certificates = Certificates::new();
    let server = certificates.server();
    let (cert, key) = (server.cert.display().to_string(), server.key.display().to_string());
    let host = Webhook::start_with(&[("TLS_CERT", &cert), ("TLS_KEY", &key)]).await;
    let url = format!("https://localhost:{}", host.daemon.port());
    let back_end = async |method: &str, path: &str, body: &str| {
        let token = format!("X-AUTH-TOKEN: {TOKEN}");
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["--silent", "--fail", "--cacert"]).arg(certificates.ca());
        curl.args(["-X", method, "-H", &token, "-H", "Content-Type: application/json"]);
        let called = curl.args(["-d", body, &format!("{url}{path}")]).status().await;
        assert!(called.expect("tests/install has been run").success());
    };
    back_end("PUT", "/api/alice/register?connectionId=c1", "").await;
    for client in [("1.7", "polling"), ("1.7", "default"), ("4.8", "default")] {
        let options = json!({ "rejectUnauthorized": false });
        let client = NodeClient::at(&url, client, ("alice", "c1"), &options);
        assert_eq!(client.says("registered", 1).await, json!({ "ok": true }), "{}", client.log());
        back_end("POST", "/api/alice/push", r#"{"message":"\u2603"}"#).await;
        assert_eq!(client.says("message", 1).await, json!(["☃"]), "{}", client.log());
    }
}

/// Clients that connect while Redis refuses writes: their registration is refused, and as the original's
/// clients they register only when they connect. They have to be disconnected.
async fn after_an_outage(redis: &Redis, transport: &str) {
    let host = Webhook::on(redis).await;
    let versions = || OLDER.iter().chain(&NEWER).enumerate();
    for (number, _) in versions() {
        host.register("alice", &format!("{transport}{number}")).await;
    }
    let _: () = redis.query(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1)).await;
    let clients: Vec<_> = versions()
        .map(|(number, version)| {
            let connection = format!("{transport}{number}");
            start(&host, (version, transport), ("alice", &connection), &json!({}))
        })
        .collect();
    for client in &clients {
        assert_eq!(client.says("registered", 1).await["error"], "try later", "{}", client.log());
        client.says("disconnected", 1).await;
    }
    let _: () = redis.query(redis::cmd("REPLICAOF").arg("NO").arg("ONE")).await;
    for client in &clients {
        let back = async || client.all("registered").into_iter().find(|a| a["ok"] == true);
        until(&format!("it is registered: {}", client.log()), back).await;
    }
    host.push("alice", "1").await;
    for client in &clients {
        assert_eq!(client.says("message", 1).await, json!([1]), "{}", client.log());
    }
}

#[tokio::test]
async fn a_client_refused_during_an_outage_is_disconnected_and_registers_again() {
    let redis = Redis::start().await;
    for transport in ["polling", "websocket"] {
        after_an_outage(&redis, transport).await;
    }
}

//! Clients of webhook push over plain WebSocket: who may come in, what they hear, what they missed.

use crate::support::{
    client::Client,
    free_port, http,
    redis::Redis,
    until,
    webhook::{JSON, Webhook, message},
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_push_reaches_all_clients_of_the_user_unchanged_and_no_others() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    host.register("alice", "c2").await;
    host.register("bob", "c1").await;
    let (mut one, mut two) = (host.client("alice", "c1").await, host.client("alice", "c2").await);
    let mut bob = host.client("bob", "c1").await;
    let value = r#"{"z":"é☃😀 \u00e9","big":123456789012345678901234567890,"a":[1.10,{}],"a":2}"#;
    let id = host.push("alice", value).await;
    let expected = format!(r#"{{"id":"{id}","message":{value}}}"#);
    assert_eq!(one.text().await, expected);
    assert_eq!(two.text().await, expected);
    let id = host.push("bob", "true").await;
    assert_eq!(bob.text().await, format!(r#"{{"id":"{id}","message":true}}"#), "the first");
}

#[tokio::test]
async fn only_registered_pairs_are_admitted_and_all_others_refused_alike() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let unknown = r#"{"error":"unknown"}"#;
    for (user, connection) in
        [("alice", "c2"), ("nobody", "c1"), ("__proto__", "toString"), ("alice", "__proto__")]
    {
        assert_eq!(host.refusal(&host.socket(user, connection)).await, unknown);
    }
    let malformed = r#"{"error":"malformed"}"#;
    let address = host.daemon.address();
    for path in ["/ws/alice", "/ws/alice?connectionId=", "/ws/alice?connectionId=c1&since=x"] {
        assert_eq!(host.refusal(&format!("ws://{address}{path}")).await, malformed, "{path}");
    }
    for (said, answer) in [
        (r#"{"register":{"userId":"alice","connectionId":"c2"}}"#, unknown),
        (r#"{"register":{"userId":"__proto__","connectionId":"c"}}"#, unknown),
        (r#"{"register":{"userId":"alice"}}"#, malformed),
        (r#"{"register":[]}"#, malformed),
        ("register", malformed),
    ] {
        let mut client = Client::connect(&format!("ws://{address}/ws")).await;
        client.say(said).await;
        assert_eq!(client.text().await, answer, "{said}");
        assert_eq!(client.closed().await.map(|(code, _)| code >= 1008), Some(true));
    }
    let mut client = Client::connect(&format!("ws://{address}/ws")).await;
    client.say(r#"{"register":{"userId":"alice","connectionId":"c1"}}"#).await;
    assert_eq!(client.text().await, r#"{"registered":true}"#, "no other client is affected");
    host.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!(1));
}

#[tokio::test]
async fn a_name_such_as_proto_is_a_plain_string() {
    let host = Webhook::start().await;
    host.register("__proto__", "constructor").await;
    let mut client = host.client("__proto__", "constructor").await;
    host.push("__proto__", r#""hi""#).await;
    assert_eq!(message(&client.text().await).1, json!("hi"));
    assert_eq!(
        host.refusal(&host.socket("toString", "constructor")).await,
        r#"{"error":"unknown"}"#
    );
}

#[tokio::test]
async fn missed_messages_are_replayed_in_order_and_once() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    host.push("alice", r#""before""#).await;
    let mut client = host.client("alice", "c1").await;
    host.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!("before"), "it was away");
    let (first, value) = message(&client.text().await);
    assert_eq!(value, json!(1));
    host.all_is_delivered().await;
    drop(client);
    host.no_session_is_left().await;
    let second = host.push("alice", "2").await;
    host.push("alice", "3").await;
    let mut client = host.client("alice", "c1").await;
    assert_eq!(message(&client.text().await), (second.clone(), json!(2)));
    assert_eq!(message(&client.text().await).1, json!(3));
    host.all_is_delivered().await;
    drop(client);
    host.no_session_is_left().await;
    // Who says what it had last is sent what came after, though it was sent before.
    let mut client = host.client_at(&format!("{}&since={first}", host.socket("alice", "c1"))).await;
    assert_eq!(message(&client.text().await), (second.clone(), json!(2)));
    assert_eq!(message(&client.text().await).1, json!(3));
    host.push("alice", "4").await;
    assert_eq!(message(&client.text().await).1, json!(4));
    // What came before it was registered is not for a connection.
    host.register("alice", "late").await;
    let mut late = host.client("alice", "late").await;
    host.push("alice", "5").await;
    assert_eq!(message(&late.text().await).1, json!(5));
}

#[tokio::test]
async fn messages_arrive_in_order_across_reconnections() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let (mut last, mut had) = (None::<String>, 0);
    for round in 0..10 {
        let url = host.socket("alice", "c1");
        let url = last.iter().fold(url, |url, id| format!("{url}&since={id}"));
        let (mut client, ()) = tokio::join!(host.client_at(&url), async {
            for number in 0..3 {
                host.push("alice", &(3 * round + number + 1).to_string()).await;
            }
        });
        // Leaves with one unread: it was sent, and is sent again.
        for _ in 0..2 {
            let (id, value) = message(&client.text().await);
            had += 1;
            assert_eq!(value, json!(had), "in round {round}");
            last = Some(id);
        }
    }
    assert_eq!(had, 20);
}

#[tokio::test]
async fn a_newer_connection_replaces_the_older() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let mut older = host.client("alice", "c1").await;
    let mut newer = host.client("alice", "c1").await;
    let closed = older.closed().await.expect("a close frame");
    assert_eq!(closed, (4409, "replaced by a newer connection".to_owned()));
    host.push("alice", "1").await;
    assert_eq!(message(&newer.text().await).1, json!(1));
}

#[tokio::test]
async fn an_unregistered_client_is_closed_and_refused() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    host.register("alice", "c2").await;
    let (mut gone, mut other) =
        (host.client("alice", "c1").await, host.client("alice", "c2").await);
    let path = "/api/alice/register?connectionId=c1";
    assert_eq!(host.ask("DELETE", path, "").await.status, 200);
    assert_eq!(gone.text().await, r#"{"error":"unknown"}"#);
    assert_eq!(gone.closed().await.map(|(code, _)| code), Some(4401));
    assert_eq!(host.ask("DELETE", path, "").await.status, 404);
    assert_eq!(host.refusal(&host.socket("alice", "c1")).await, r#"{"error":"unknown"}"#);
    host.push("alice", "1").await;
    assert_eq!(message(&other.text().await).1, json!(1));
}

#[tokio::test]
async fn an_unused_registration_expires() {
    let host = Webhook::start_with(&[("REGISTRATION_TIME", "8")]).await;
    host.register("alice", "used").await;
    let client = host.client("alice", "used").await;
    host.register("alice", "unused").await;
    let unknown = r#"{"error":"unknown"}"#;
    // To come in renews it, so each is tried once.
    let others: Vec<String> = (0..40).map(|number| format!("other{number}")).collect();
    for other in &others {
        host.register("bob", other).await;
    }
    let mut left = others.iter();
    until("one is over", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let heard = host.refusal(&host.socket("bob", left.next()?)).await;
        (heard == unknown).then_some(())
    })
    .await;
    assert_eq!(host.refusal(&host.socket("alice", "unused")).await, unknown, "it was the older");
    drop(client);
    let mut client = host.client("alice", "used").await;
    host.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!(1), "what is in use lives on");
}

#[tokio::test]
async fn a_client_creates_a_private_url_that_others_can_call() {
    let host = Webhook::start_with(&[("HOOK_RATE", "3")]).await;
    host.register("alice", "c1").await;
    host.register("alice", "c2").await;
    let (mut client, mut other) =
        (host.client("alice", "c1").await, host.client("alice", "c2").await);
    client.say(r#"{"hook":{"seconds":60}}"#).await;
    let made: Value = serde_json::from_str(&client.text().await).unwrap();
    let path = made["hook"]["url"].as_str().unwrap().to_owned();
    assert!(path.starts_with("/hook/"), "{made}");
    let call = async |path: &str, body: &'static str| {
        let answer = http::request("POST", &host.daemon.address(), path, &[JSON], body).await;
        (answer.status, answer.body)
    };
    assert_eq!(call(&path, r#"{"message":"psst"}"#).await, (200, String::new()));
    assert_eq!(message(&client.text().await).1, json!("psst"));
    let (status, text) = call(&path, "{").await;
    assert!(status == 400 && text.contains("is not valid JSON"), "{text}");
    let (status, text) = call(&path, "{}").await;
    assert!(status == 400 && text.contains("the body needs a message"), "{text}");
    assert_eq!(call(&path, r#"{"message":1}"#).await, (429, "Too Many Requests".to_owned()));
    let gone = (404, "Not Found".to_owned());
    assert_eq!(call("/hook/guess", r#"{"message":1}"#).await, gone);
    let revoke = json!({ "hook": { "revoke": made["hook"]["id"] } });
    client.say(&revoke.to_string()).await;
    assert_eq!(client.text().await, r#"{"hook":{"revoked":true}}"#);
    host.push("alice", "2").await;
    assert_eq!(message(&other.text().await).1, json!(2), "the hook was for one connection");
}

#[tokio::test]
async fn a_back_end_makes_lists_and_revokes_private_urls() {
    let host = Webhook::start_with(&[("PUBLIC_URL", "https://push.example.org/")]).await;
    host.register("alice", "c1").await;
    let mut client = host.client("alice", "c1").await;
    let made = host.ask("POST", "/api/alice/hooks", r#"{"seconds":60}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let url = made["url"].as_str().unwrap();
    let path = url.strip_prefix("https://push.example.org").unwrap();
    let address = host.daemon.address();
    let call =
        async || http::request("POST", &address, path, &[JSON], r#"{"message":1}"#).await.status;
    assert_eq!(call().await, 200);
    assert_eq!(message(&client.text().await).1, json!(1));
    let listed = host.ask("GET", "/api/alice/hooks", "").await;
    let listed: Value = serde_json::from_str(&listed.body).unwrap();
    assert_eq!(listed[0]["id"], made["id"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert!(!listed.to_string().contains("/hook/"));
    let id = made["id"].as_str().unwrap();
    assert_eq!(host.ask("DELETE", &format!("/api/bob/hooks/{id}"), "").await.status, 404);
    assert_eq!(host.ask("DELETE", &format!("/api/alice/hooks/{id}"), "").await.status, 200);
    assert_eq!(call().await, 404);
    assert!(!host.daemon.log().contains(path), "it is a secret");
    for body in ["[]", r#"{"seconds":0}"#, r#"{"to":"connection"}"#, r#"{"connection":""}"#] {
        assert_eq!(host.ask("POST", "/api/alice/hooks", body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn a_private_url_expires() {
    let host = Webhook::start_with(&[("HOOK_RATE", "100000")]).await;
    let made = host.ask("POST", "/api/alice/hooks", r#"{"seconds":10}"#).await;
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let path = made["url"].as_str().unwrap();
    let address = host.daemon.address();
    let call =
        async || http::request("POST", &address, path, &[JSON], r#"{"message":1}"#).await.status;
    assert_eq!(call().await, 200);
    until("it is over", async || (call().await == 404).then_some(())).await;
}

#[tokio::test]
async fn the_self_probe_works_and_affects_no_client() {
    let redis = Redis::start().await;
    let url = redis.url();
    for more in [&[][..], &[("REDIS_URL", &*url)]] {
        let host = Webhook::start_with(&[&[("WATCHDOG_USEC", "400000")], more].concat()).await;
        host.register("alice", "c1").await;
        let mut client = host.client("alice", "c1").await;
        for _ in 0..3 {
            host.daemon.notifies("WATCHDOG=1").await;
        }
        host.push("alice", "1").await;
        assert_eq!(message(&client.text().await).1, json!(1));
    }
}

#[tokio::test]
async fn a_full_service_refuses_clients_and_still_serves_back_ends() {
    let host = Webhook::start_with(&[("MAX_CONNECTIONS", "1")]).await;
    host.register("alice", "c1").await;
    host.register("bob", "c1").await;
    let mut client = host.client("alice", "c1").await;
    let full = Client::connect_with(&host.socket("bob", "c1"), &[]).await;
    assert!(full.err().is_some_and(|error| error.to_string().contains("503")));
    host.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!(1));
}

#[tokio::test]
async fn an_operator_closes_a_users_clients() {
    let port = free_port().to_string();
    let host = Webhook::start_with(&[("ADMIN_PORT", &port)]).await;
    host.register("alice", "c1").await;
    host.register("alice", "c2").await;
    host.register("bob", "c1").await;
    let (mut one, mut two) = (host.client("alice", "c1").await, host.client("alice", "c2").await);
    let mut bob = host.client("bob", "c1").await;
    let program = env!("CARGO_BIN_EXE_notify_push");
    let closed = tokio::process::Command::new(program)
        .args(["revoke", "alice"])
        .env("ADMIN_PORT", &port)
        .output()
        .await
        .expect("it runs");
    assert!(closed.status.success(), "{closed:?}");
    for client in [&mut one, &mut two] {
        assert_eq!(client.closed().await.map(|(code, _)| code), Some(4401));
    }
    host.push("bob", "1").await;
    assert_eq!(message(&bob.text().await).1, json!(1));
}

impl Webhook {
    /// Waits until the daemon knows that what was pushed before has been value. Who leaves at that very
    /// moment may be sent it again.
    async fn all_is_delivered(&self) {
        self.register("marker", "c").await;
        let mut marker = self.client("marker", "c").await;
        for number in ["1", "2"] {
            self.push("marker", number).await;
            marker.text().await;
        }
    }

    /// Waits until the daemon has noticed that all clients have left.
    async fn no_session_is_left(&self) {
        until("all have left", async || {
            let left = self.daemon.log().matches("client disconnected").count();
            let came = self.daemon.log().matches("client connected").count();
            (left == came).then_some(())
        })
        .await;
    }
}

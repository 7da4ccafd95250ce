//! Two daemons on one Redis: a request to one takes effect at the other.

use crate::support::{
    faults::{Fault, FaultProxy},
    http,
    recipe::user,
    redis::Redis,
    redis_cluster::RedisCluster,
    until,
    webhook::{JSON, Webhook, message},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

struct WebhookReplicas {
    redis: Redis,
    one: Webhook,
    two: Webhook,
}

impl WebhookReplicas {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let (one, two) = (Webhook::on(&redis).await, Webhook::on(&redis).await);
        Self { redis, one, two }
    }
}

#[tokio::test]
async fn registrations_and_pushes_reach_all_replicas() {
    let WebhookReplicas { one, two, redis: _redis } = WebhookReplicas::start().await;
    one.register("alice", "c1").await;
    two.register("alice", "c2").await;
    let (mut here, mut there) = (two.client("alice", "c1").await, one.client("alice", "c2").await);
    let value = r#"{"z":"é☃😀","big":123456789012345678901234567890,"a":[1.10]}"#;
    let mut last = String::new();
    for host in [&one, &two, &one] {
        let id = host.push("alice", value).await;
        let expected = format!(r#"{{"id":"{id}","message":{value}}}"#);
        assert_eq!(here.text().await, expected);
        assert_eq!(there.text().await, expected);
        assert!(id.parse::<u64>().unwrap() > last.parse().unwrap_or(0), "ids grow");
        last = id;
    }
    assert_eq!(one.refusal(&one.socket("alice", "c3")).await, r#"{"error":"unknown"}"#);
    let gone = two.ask("DELETE", "/api/alice/register?connectionId=c2", "").await;
    assert_eq!(gone.status, 200);
    assert_eq!(there.closed().await.map(|(code, _)| code), Some(4401));
    assert_eq!(two.refusal(&two.socket("alice", "c2")).await, r#"{"error":"unknown"}"#);
}

#[tokio::test]
async fn a_newer_connection_on_another_replica_replaces_the_older() {
    let WebhookReplicas { one, two, redis: _redis } = WebhookReplicas::start().await;
    one.register("alice", "c1").await;
    let mut client = one.client("alice", "c1").await;
    for host in [&two, &one, &two] {
        let newer = host.client("alice", "c1").await;
        assert_eq!(client.closed().await.map(|(code, _)| code), Some(4409));
        client = newer;
    }
    one.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!(1));
}

#[tokio::test]
async fn missed_messages_are_replayed_on_another_replica() {
    let WebhookReplicas { one, two, redis } = WebhookReplicas::start().await;
    one.register("alice", "c1").await;
    let mut client = one.client("alice", "c1").await;
    one.push("alice", "1").await;
    let (first, _) = message(&client.text().await);
    drop(client);
    one.daemon.logs("client disconnected").await;
    one.push("alice", "2").await;
    two.push("alice", "3").await;
    let mut client = two.client_at(&format!("{}&since={first}", two.socket("alice", "c1"))).await;
    assert_eq!(message(&client.text().await).1, json!(2));
    assert_eq!(message(&client.text().await).1, json!(3));
    two.push("alice", "4").await;
    assert_eq!(message(&client.text().await).1, json!(4), "nothing twice");
    // A replica that starts later knows what was said before.
    let three = Webhook::on(&redis).await;
    let mut client =
        three.client_at(&format!("{}&since={first}", three.socket("alice", "c1"))).await;
    for expected in 2..=4 {
        assert_eq!(message(&client.text().await).1, json!(expected));
    }
}

#[tokio::test]
async fn private_urls_work_on_all_replicas_until_their_connection_ends() {
    let WebhookReplicas { one, two, redis } = WebhookReplicas::start().await;
    one.register("alice", "c1").await;
    let mut client = two.client("alice", "c1").await;
    client.say(r#"{"hook":{"seconds":600}}"#).await;
    let made: Value = serde_json::from_str(&client.text().await).unwrap();
    let path = made["hook"]["url"].as_str().unwrap().to_owned();
    let call = async |host: &Webhook| {
        let address = host.daemon.address();
        http::request("POST", &address, &path, &[JSON], r#"{"message":"psst"}"#).await.status
    };
    for host in [&one, &two] {
        assert_eq!(call(host).await, 200);
        assert_eq!(message(&client.text().await).1, json!("psst"));
    }
    let secret = path.strip_prefix("/hook/").unwrap();
    let keys: Vec<String> = redis.query(redis::cmd("KEYS").arg("*")).await;
    assert!(keys.iter().any(|key| key.contains("}:h:")), "{keys:?}");
    assert!(keys.iter().all(|key| !key.contains(secret)), "only its digest is kept");
    let listed = one.ask("GET", "/api/alice/hooks", "").await;
    let listed: Value = serde_json::from_str(&listed.body).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["connection"]), (&made["hook"]["id"], &json!("c1")));
    // It ends with what it is bound to.
    let gone = one.ask("DELETE", "/api/alice/register?connectionId=c1", "").await;
    assert_eq!(gone.status, 200);
    assert_eq!((call(&one).await, call(&two).await), (404, 404));
    assert_eq!(one.ask("GET", "/api/alice/hooks", "").await.body, "[]");
}

#[tokio::test]
async fn a_redis_outage_is_reported_and_missed_messages_follow() {
    let WebhookReplicas { mut redis, one, two } = WebhookReplicas::start().await;
    one.register("alice", "c1").await;
    let mut client = one.client("alice", "c1").await;
    redis.kill();
    one.daemon.logs("no messages from Redis").await;
    let pushed = one.ask("POST", "/api/alice/push", r#"{"message":1}"#).await;
    assert_eq!((pushed.status, &*pushed.body), (503, "Service Unavailable"));
    let registered = one.ask("PUT", "/api/alice/register?connectionId=c2", "").await;
    assert_eq!(registered.status, 503);
    assert_eq!(one.refusal(&one.socket("alice", "c1")).await, r#"{"error":"try later"}"#);
    let ping = one.ask("GET", "/api/status/ping", "").await;
    assert_eq!((ping.status, &*ping.body), (200, "pong"));
    redis.start_again();
    one.daemon.logs(" s; clients are asked to resync").await;
    let pushed = until("Redis is back", async || {
        let answer = two.ask("POST", "/api/alice/push", r#"{"message":2}"#).await;
        (answer.status == 200).then(|| answer.header("x-message-id").unwrap().to_owned())
    })
    .await;
    assert_eq!(message(&client.text().await), (pushed, json!(2)), "the session has lived on");
}

#[tokio::test]
async fn a_signature_counts_once_whichever_replica_is_called() {
    let WebhookReplicas { one, two, redis: _redis } = WebhookReplicas::start().await;
    one.register("alice", "c1").await;
    let mut client = two.client("alice", "c1").await;
    let body = r#"{"connection":"c1","signed":true}"#;
    let made = one.ask("POST", "/api/alice/hooks", body).await;
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let (path, secret) = (made["url"].as_str().unwrap(), made["secret"].as_str().unwrap());
    #[expect(clippy::disallowed_methods, reason = "callers have a clock of their own")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let call = async |host: &Webhook, secret: &str, stamp: u64, body: &'static str| {
        let (stamp, signature) = (stamp.to_string(), signed(secret, stamp, body));
        let headers = [JSON, ("X-Hook-Timestamp", &*stamp), ("X-Hook-Signature", &*signature)];
        http::request("POST", &host.daemon.address(), path, &headers, body).await.status
    };
    let body = r#"{"message":"signed"}"#;
    let address = one.daemon.address();
    assert_eq!(http::request("POST", &address, path, &[JSON], body).await.status, 404);
    assert_eq!(call(&one, "another", now, body).await, 404);
    assert_eq!(call(&one, secret, now - 400, body).await, 404, "too old");
    assert_eq!(call(&one, secret, now, body).await, 200);
    assert_eq!(message(&client.text().await).1, json!("signed"));
    for host in [&one, &two] {
        assert_eq!(call(host, secret, now, body).await, 404, "it is used");
    }
    assert_eq!(call(&two, secret, now + 1, body).await, 200, "signed anew");
    assert_eq!(message(&client.text().await).1, json!("signed"));
    assert_eq!(call(&two, secret, now, "{}").await, 400, "no signature");
}

/// What a caller sends as `X-Hook-Signature`.
fn signed(secret: &str, stamp: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{stamp}.{body}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test]
async fn a_replica_catches_up_after_a_gap() {
    let redis = Redis::start().await;
    let proxy = FaultProxy::to(format!("127.0.0.1:{}", redis.port())).await;
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let cut_off = Webhook::start_with(&[("REDIS_URL", &url)]).await;
    cut_off.daemon.logs("subscribed to Redis").await;
    let other = Webhook::on(&redis).await;
    for connection in ["stays", "unregistered", "moves"] {
        other.register("alice", connection).await;
    }
    let mut stays = cut_off.client("alice", "stays").await;
    let mut unregistered = cut_off.client("alice", "unregistered").await;
    let mut moves = cut_off.client("alice", "moves").await;
    proxy.set(Fault::Cut);
    cut_off.daemon.logs("no messages from Redis").await;
    let gone = other.ask("DELETE", "/api/alice/register?connectionId=unregistered", "").await;
    assert_eq!(gone.status, 200);
    let mut moved = other.client("alice", "moves").await;
    let pushed = other.push("alice", "1").await;
    assert_eq!(message(&moved.text().await), (pushed.clone(), json!(1)));
    proxy.set(Fault::None);
    assert_eq!(message(&stays.text().await), (pushed, json!(1)), "delivered once the feed is back");
    assert_eq!(unregistered.closed().await.map(|(code, _)| code), Some(4401));
    assert_eq!(moves.closed().await.map(|(code, _)| code), Some(4409));
    let pushed = cut_off.push("alice", "2").await;
    for client in [&mut stays, &mut moved] {
        assert_eq!(message(&client.text().await), (pushed.clone(), json!(2)));
    }
}

#[tokio::test]
async fn a_late_replica_reads_messages_of_any_length() {
    let redis = Redis::start().await;
    let one = Webhook::on(&redis).await;
    one.register("alice", "c1").await;
    let long = format!(r#""{}""#, "x".repeat(90_000));
    for _ in 0..60 {
        one.push("alice", &long).await;
    }
    let last = one.push("alice", r#""last""#).await;
    let two = Webhook::on(&redis).await;
    let mut client = two.client("alice", "c1").await;
    // The newest 4 MiB of a user are kept.
    assert_eq!(client.text().await, r#"{"missing":true}"#);
    let value = loop {
        let (id, value) = message(&client.text().await);
        if id == last {
            break value;
        }
    };
    assert_eq!(value, json!("last"));
}

#[tokio::test]
async fn a_daemon_without_redis_is_alive() {
    let mut redis = Redis::start().await;
    let url = redis.url();
    let host = Webhook::start_with(&[("REDIS_URL", &url), ("WATCHDOG_USEC", "400000")]).await;
    host.daemon.logs("subscribed to Redis").await;
    redis.kill();
    host.daemon.logs("no messages from Redis").await;
    // Far more than can have been said before.
    for _ in 0..25 {
        host.daemon.notifies("WATCHDOG=1").await;
    }
}

#[tokio::test]
async fn a_redis_without_write_access_is_reported() {
    let mut user = user("notify_push_webhook");
    user.retain(|word| *word != "+eval");
    let redis = Redis::start_with(&user).await;
    let url = redis.url().replace("//", "//notify_push_webhook:CHANGE-ME@");
    let host = Webhook::start_with(&[("REDIS_URL", &url)]).await;
    host.daemon.logs("subscribed to Redis").await;
    host.daemon.logs("Redis refuses registrations and messages").await;
    let registered = host.ask("PUT", "/api/alice/register?connectionId=c1", "").await;
    assert_eq!(registered.status, 503);
    let said = host.daemon.log().matches("Redis refuses registrations").count();
    assert_eq!(said, 1, "once");
}

/// Everything that needs Redis, once.
async fn does_everything(one: &Webhook, two: &Webhook) {
    one.register("alice", "c1").await;
    let mut client = two.client("alice", "c1").await;
    one.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!(1));
    client.say(r#"{"hook":{}}"#).await;
    let made: Value = serde_json::from_str(&client.text().await).unwrap();
    let path = made["hook"]["url"].as_str().unwrap_or_else(|| panic!("{made}"));
    let called =
        http::request("POST", &one.daemon.address(), path, &[JSON], r#"{"message":2}"#).await;
    assert_eq!(called.status, 200);
    assert_eq!(message(&client.text().await).1, json!(2));
    let id = made["hook"]["id"].as_str().unwrap();
    assert!(one.ask("GET", "/api/alice/hooks", "").await.body.contains(id));
    assert_eq!(one.ask("DELETE", &format!("/api/alice/hooks/{id}"), "").await.status, 200);
    let signed = two.ask("POST", "/api/alice/hooks", r#"{"signed":true}"#).await;
    assert_eq!(signed.status, 201);
    drop(client);
    two.daemon.logs("client disconnected").await;
    let gone = two.ask("DELETE", "/api/alice/register?connectionId=c1", "").await;
    assert_eq!(gone.status, 200);
}

#[tokio::test]
async fn the_documented_redis_rights_suffice() {
    let redis = Redis::start_with(&user("notify_push_webhook")).await;
    let url = format!("redis://notify_push_webhook:CHANGE-ME@127.0.0.1:{}", redis.port());
    let replica = async || {
        let host = Webhook::start_with(&[("REDIS_HOST", &url)]).await;
        host.daemon.logs("subscribed to Redis").await;
        host
    };
    does_everything(&replica().await, &replica().await).await;
    let refused: Vec<redis::Value> = redis.query(redis::cmd("ACL").arg("LOG")).await;
    assert!(refused.is_empty(), "{refused:?}");
}

#[tokio::test]
async fn a_redis_cluster_works_too() {
    let cluster = RedisCluster::start().await;
    let urls = cluster.urls().join(",");
    let replica = async || {
        let host = Webhook::start_with(&[("REDIS_URL", &urls)]).await;
        host.daemon.logs("subscribed to Redis").await;
        host
    };
    does_everything(&replica().await, &replica().await).await;
}

#[tokio::test]
async fn a_restart_with_redis_loses_nothing() {
    let redis = Redis::start().await;
    let mut host = Webhook::on(&redis).await;
    host.register("alice", "c1").await;
    let mut client = host.client("alice", "c1").await;
    host.push("alice", "1").await;
    assert_eq!(message(&client.text().await).1, json!(1));
    let other = Webhook::on(&redis).await;
    assert!(host.daemon.stop().await.success());
    assert_eq!(client.closed().await.map(|(code, _)| code), Some(1012));
    other.push("alice", "2").await;
    let host = Webhook::on(&redis).await;
    let mut client = host.client("alice", "c1").await;
    assert_eq!(
        message(&client.text().await).1,
        json!(2),
        "earlier messages were recorded as received"
    );
}

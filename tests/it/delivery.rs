//! Which notices reach a client, in which order and how often, with the usual debounce.

use crate::support::{client::Client, daemon::Daemon, installation::Installation};
use std::collections::BTreeSet;

/// The default debounce.
const DEBOUNCE: [(&str, &str); 1] = [("MAX_DEBOUNCE_TIME", "15")];

async fn alice() -> (Installation, Daemon, Client) {
    let installation = Installation::start().await;
    installation.user_with_home("alice", 1, 1).await;
    let daemon = installation.daemon(&DEBOUNCE).await;
    let mut client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    client.wants_ids().await;
    (installation, daemon, client)
}

fn ids(text: &str) -> Vec<i64> {
    let list = text.strip_prefix("notify_file_id ").unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(list).unwrap()
}

#[tokio::test]
async fn a_steady_stream_of_changes_starves_no_client() {
    let (installation, _daemon, mut client) = alice().await;
    // Goes on until three messages have arrived: a starved client would receive none while it lasts.
    let (mut received, mut messages, mut last) = (BTreeSet::new(), 0, 0);
    while messages < 3 {
        last += 1;
        installation.changed(1, &format!("files/{last}"), last).await;
        if let Some(text) = client.text_soon().await {
            received.extend(ids(&text));
            messages += 1;
        }
    }
    while !received.iter().copied().eq(1..=last) {
        received.extend(ids(&client.text().await));
    }
}

#[tokio::test]
async fn many_changes_are_few_messages() {
    let (installation, _daemon, mut client) = alice().await;
    let names: Vec<_> = (1..=60).map(|id| (format!("files/{id}"), id)).collect();
    for upload in names.chunks(20) {
        let upload: Vec<_> = upload.iter().map(|(path, id)| (path.as_str(), *id)).collect();
        installation.changed_at_once(1, &upload).await;
    }
    let (mut received, mut messages) = (BTreeSet::new(), 0);
    while received.len() < names.len() {
        received.extend(ids(&client.text().await));
        messages += 1;
    }
    // Each upload is one message, unless it arrives while one is being sent.
    assert!(messages <= 6, "{messages} messages");
}

#[tokio::test]
async fn the_changes_of_one_upload_are_one_message() {
    let (installation, _daemon, mut client) = alice().await;
    let upload = [("files/a", 12), ("files", 2), ("files", 2), ("files/a", 12)];
    installation.changed_at_once(1, &upload).await;
    assert_eq!(client.text().await, "notify_file_id [12,2]");
}

#[tokio::test]
async fn a_client_that_has_not_asked_for_ids_receives_none() {
    let (installation, daemon, _) = alice().await;
    let mut plain = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    installation.changed(1, "files/a", 12).await;
    assert_eq!(plain.text().await, "notify_file");
}

#[tokio::test]
async fn an_unknown_change_absorbs_the_known_ones() {
    let (installation, _daemon, mut client) = alice().await;
    let mut pipeline = redis::pipe();
    let known = r#"{"storage":1,"path":"files\/a","file_id":12}"#;
    pipeline.publish("notify_storage_update", known);
    pipeline.publish("notify_user_share_created", r#"{"user":"alice"}"#);
    installation.redis.pipe(&pipeline).await;
    assert_eq!(client.text().await, "notify_file");
}

#[tokio::test]
async fn messages_of_apps_arrive_at_once_in_order_and_with_their_body() {
    let (installation, _daemon, mut client) = alice().await;
    for number in 0..200 {
        let payload = format!(r#"{{"user":"alice","message":"step","body":{{"n": {number}}}}}"#);
        installation.redis.publish("notify_custom", payload).await;
    }
    for number in 0..200 {
        assert_eq!(client.text().await, format!(r#"step {{"n":{number}}}"#));
    }
    installation.custom("alice", "without_body").await;
    assert_eq!(client.text().await, "without_body");
}

#[tokio::test]
async fn garbage_on_every_channel_is_ignored() {
    let (installation, _daemon, mut client) = alice().await;
    let garbage: [&[u8]; 6] =
        [b"", b"null", b"{", b"\xff\xfe\x00", br#"{"user":7,"storage":"x"}"#, &[b'['; 100_000]];
    for channel in ["notify_storage_update", "notify_custom", "notify_config", "notify_signal"] {
        for payload in garbage {
            installation.redis.publish(channel, payload).await;
        }
    }
    installation.custom("alice", "still_there").await;
    assert_eq!(client.text().await, "still_there");
}

#[tokio::test]
async fn a_reset_closes_every_client() {
    let (installation, _daemon, mut client) = alice().await;
    installation.redis.publish("notify_signal", "\"reset\"").await;
    assert!(client.closed().await.is_some());
}

#[tokio::test]
async fn a_client_receives_no_events_of_other_users() {
    let (installation, daemon, mut alice) = alice().await;
    installation.user_with_home("bob", 2, 2).await;
    let mut bob = Client::log_in(&daemon.url(), "bob", "bob-password").await;
    installation.changed(2, "files/secret", 22).await;
    installation.custom("bob", "for_bob").await;
    // Their order depends on how quick the test was.
    let mut received = [bob.text().await, bob.text().await];
    received.sort_unstable();
    assert_eq!(received, ["for_bob", "notify_file"]);
    installation.changed(1, "files/a", 12).await;
    assert_eq!(alice.text().await, "notify_file_id [12]");
}

#[tokio::test]
async fn after_a_redis_outage_every_client_is_notified_of_every_topic() {
    let (mut installation, _daemon, mut client) = alice().await;
    installation.redis.restart().await;
    installation.listened_to().await;
    let mut received = BTreeSet::new();
    while received.len() < 3 {
        received.insert(client.text().await);
    }
    assert_eq!(
        received,
        ["notify_activity", "notify_file", "notify_notification"].map(str::to_owned).into()
    );
}

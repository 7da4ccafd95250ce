//! What reaches a client, in which order and how often: the real daemon at its usual pace.

use crate::support::{client::Client, daemon::Daemon, installation::Installation};
use std::{collections::BTreeSet, time::Duration};

/// The pace that users have.
const USUAL: [(&str, &str); 1] = [("MAX_DEBOUNCE_TIME", "15")];

async fn alice() -> (Installation, Daemon, Client) {
    let installation = Installation::start().await;
    installation.user_with_home("alice", 1, 1).await;
    let daemon = installation.daemon(&USUAL).await;
    let mut client = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    client.say("listen notify_file_id").await;
    (installation, daemon, client)
}

fn ids(text: &str) -> Vec<i64> {
    let list = text.strip_prefix("notify_file_id ").unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(list).unwrap()
}

#[tokio::test]
async fn a_user_with_a_steady_stream_of_changes_hears_all_of_them_in_few_messages() {
    let (installation, _daemon, mut client) = alice().await;
    let publishing = async {
        for id in 1..=60 {
            installation.changed(1, &format!("files/{id}"), id).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let hearing = async {
        let (mut heard, mut messages) = (BTreeSet::new(), 0);
        while heard.len() < 60 {
            heard.extend(ids(&client.text().await));
            messages += 1;
        }
        messages
    };
    let ((), messages) = tokio::join!(publishing, hearing);
    // Three seconds of changes: at most every half second, so that a crowd does not ask at once, and
    // at least every one and a half, so that nobody waits longer than promised.
    assert!((3..=8).contains(&messages), "{messages} messages");
}

#[tokio::test]
async fn the_changes_of_one_upload_are_one_message() {
    let (installation, _daemon, mut client) = alice().await;
    for (path, id) in [("files/a", 12), ("files", 2), ("files", 2), ("files/a", 12)] {
        installation.changed(1, path, id).await;
    }
    assert_eq!(client.text().await, "notify_file_id [12,2]");
}

#[tokio::test]
async fn who_has_not_asked_for_ids_hears_that_something_changed() {
    let (installation, daemon, _) = alice().await;
    let mut plain = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    installation.changed(1, "files/a", 12).await;
    assert_eq!(plain.text().await, "notify_file");
}

#[tokio::test]
async fn an_unknown_change_absorbs_the_known_ones() {
    let (installation, _daemon, mut client) = alice().await;
    installation.changed(1, "files/a", 12).await;
    installation.redis.publish("notify_user_share_created", r#"{"user":"alice"}"#).await;
    assert_eq!(client.text().await, "notify_file");
}

#[tokio::test]
async fn messages_of_apps_come_at_once_in_order_and_with_their_body() {
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
async fn garbage_on_every_channel_is_passed_over() {
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
async fn nobody_hears_what_is_not_theirs() {
    let (installation, daemon, mut alice) = alice().await;
    installation.user_with_home("bob", 2, 2).await;
    let mut bob = Client::log_in(&daemon.url(), "bob", "bob-password").await;
    installation.changed(2, "files/secret", 22).await;
    installation.custom("bob", "for_bob").await;
    assert_eq!(bob.text().await, "for_bob");
    assert_eq!(bob.text().await, "notify_file");
    installation.changed(1, "files/a", 12).await;
    assert_eq!(alice.text().await, "notify_file_id [12]");
}

#[tokio::test]
async fn after_redis_was_away_everybody_is_told_that_something_may_have_changed() {
    let (mut installation, _daemon, mut client) = alice().await;
    installation.redis.restart().await;
    installation.listened_to().await;
    let mut told = BTreeSet::new();
    while told.len() < 3 {
        told.insert(client.text().await);
    }
    assert_eq!(
        told,
        ["notify_activity", "notify_file", "notify_notification"].map(str::to_owned).into()
    );
}

//! Sessions without a user: a ticket lets them in, and they receive custom messages only.

use crate::support::{client::Client, daemon::Daemon, installation::Installation};

async fn publish(installation: &Installation, channel: &str, payload: &str) {
    installation.redis.publish(channel, payload).await;
}

async fn session(installation: &Installation, daemon: &Daemon, number: usize) -> (Client, String) {
    let ticket = format!("ticket-{number}");
    let payload = format!(r#"{{"session":"myapp:s1","token":"{ticket}"}}"#);
    publish(installation, "notify_pre_auth", &payload).await;
    let mut client = Client::connect(&daemon.url()).await;
    let answer = client.credentials("", &ticket).await;
    (client, answer)
}

#[tokio::test]
async fn a_session_receives_its_custom_messages_and_nothing_else() {
    let installation = Installation::start().await;
    // A user with the same name is somebody else.
    installation.user_with_home("myapp:s1", 1, 1).await;
    let daemon = installation.daemon(&[]).await;
    let mut user = Client::log_in(&daemon.url(), "myapp:s1", "myapp:s1-password").await;
    let (mut client, answer) = session(&installation, &daemon, 0).await;
    assert_eq!(answer, "authenticated");
    for channel in ["notify_activity", "notify_notification", "notify_user_share_created"] {
        publish(&installation, channel, r#"{"user":"myapp:s1"}"#).await;
        publish(&installation, channel, r#"{"session":"myapp:s1"}"#).await;
    }
    installation.changed(1, "files/a", 5).await;
    let message = r#"{"session":"myapp:s1","message":"my_message","body":{"foo":"bar"}}"#;
    for _ in 0..3 {
        publish(&installation, "notify_custom", message).await;
    }
    installation.custom("myapp:s1", "for_the_user").await;
    let mut texts = user.texts_before("for_the_user").await;
    assert!(!texts.iter().any(|text| text.starts_with("my_message")), "{texts:?}");
    for _ in 0..3 {
        assert_eq!(client.text().await, r#"my_message {"foo":"bar"}"#);
    }
    // The user's changes leave after the merge window; the session's next text is its own.
    for text in ["notify_file", "notify_activity", "notify_notification"] {
        while !texts.iter().any(|known| known == text) {
            texts.push(user.text().await);
        }
    }
    publish(&installation, "notify_custom", r#"{"session":"myapp:s1","message":"last"}"#).await;
    assert_eq!(client.text().await, "last");
}

#[tokio::test]
async fn a_session_has_at_most_64_connections() {
    let installation = Installation::start().await;
    let daemon = installation.daemon(&[]).await;
    let mut clients = Vec::new();
    for number in 0..64 {
        let (client, answer) = session(&installation, &daemon, number).await;
        assert_eq!(answer, "authenticated");
        clients.push(client);
    }
    let (_, answer) = session(&installation, &daemon, 64).await;
    assert_eq!(answer, "err: Too many connections");
    publish(&installation, "notify_custom", r#"{"session":"myapp:s1","message":"all"}"#).await;
    for client in &mut clients {
        assert_eq!(client.text().await, "all");
    }
}

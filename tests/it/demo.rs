//! `notify_push demo`: what somebody sees who has just built it.

use crate::support::{Server, client::Client, folder, until};
use rustix::process::Signal;
use std::path::Path;

fn start(folder: &Path, arguments: &'static [&'static str]) -> Server {
    let temporary = folder.join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    Server::start(env!("CARGO_BIN_EXE_notify_push"), &folder.join("log"), move |command| {
        command.arg("demo").args(arguments).env("TMPDIR", &temporary);
    })
}

fn is_tidy(folder: &Path) -> bool {
    std::fs::read_dir(folder.join("temporary")).unwrap().next().is_none()
}

#[tokio::test]
async fn once_shows_each_kind_of_message_and_ends_well() {
    let folder = folder("demo");
    let mut demo = start(folder.path(), &["--once"]);
    let status = until("the demo ends", async || demo.ended()).await;
    let log = demo.log();
    assert_eq!(status.code(), Some(0), "{log}");
    for line in [
        "alice  notify_file_id [11]",
        "bob    (nothing)",
        "alice  notify_activity",
        "alice  notify_file_id [21]",
        "bob    notify_file_id [21]",
        "bob    notify_notification",
        "bob    notify_file\n",
        r#"alice  text_steps {"doc":7,"version":3}"#,
        "Each kind of message was heard by those concerned",
    ] {
        assert!(log.contains(line), "{line} is not in:\n{log}");
    }
    // Not in the time before the name.
    let told = |line: &str, id| line.split_once("bob").is_some_and(|(_, heard)| heard.contains(id));
    let told_bob = |id| log.lines().any(|line| told(line, id));
    assert!(!told_bob("11") && !told_bob("12"), "{log}");
    assert!(!log.contains('\x1b') && !log.contains("WARN"), "{log}");
    assert!(is_tidy(folder.path()));
}

#[tokio::test]
async fn without_once_one_can_listen_oneself_until_ctrl_c() {
    let folder = folder("demo");
    let mut demo = start(folder.path(), &[]);
    let invited = async || demo.log().contains("Listen as bob").then_some(());
    until("the demo invites", invited).await;
    let log = demo.log();
    let word = |start: &str| log.split_whitespace().find(|word| word.starts_with(start)).unwrap();
    let password = word("NEXTCLOUD_PASSWORD=").split_once('=').unwrap().1;
    let mut client = Client::log_in(word("ws://"), "bob", password).await;
    client.wants_ids().await;
    assert!(client.text().await.starts_with("notify_file"));
    demo.signal(Signal::INT);
    assert_eq!(client.closed().await.map(|(code, _)| code), Some(1012));
    let status = until("the demo ends", async || demo.ended()).await;
    assert_eq!(status.code(), Some(0), "{}", demo.log());
    assert!(is_tidy(folder.path()));
}

//! `notify_push demo`: what somebody sees who has just built it.

use crate::support::{Server, browser::Browser, client::Client, folder, until};
use rustix::process::Signal;
use std::path::Path;

fn start(folder: &Path, arguments: &[&str]) -> Server {
    let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    let temporary = folder.join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    Server::start(env!("CARGO_BIN_EXE_notify_push"), &folder.join("log"), move |command| {
        command.arg("demo").args(&arguments).env("TMPDIR", &temporary);
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
        "Each kind of message reached the right users",
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

#[tokio::test]
async fn of_webhooks_once_sends_a_message_through_a_private_url() {
    let folder = folder("demo");
    let port = crate::support::free_port().to_string();
    let mut demo = start(folder.path(), &["webhook", "--once", "--port", &port]);
    let status = until("the demo ends", async || demo.ended()).await;
    let log = demo.log();
    assert_eq!(status.code(), Some(0), "{log}");
    for line in [
        "PUT  /api/visitor/register?connectionId=",
        &format!("the client's private URL: http://127.0.0.1:{port}/"),
        "  curl -H 'Content-Type: application/json' \\\n",
        r#"{"title":"Build finished","body":"main is green ☃"}"#,
    ] {
        assert!(log.contains(line), "{line} is not in:\n{log}");
    }
    assert!(!log.contains('\x1b') && !log.contains("WARN") && !log.contains("WRONG"), "{log}");
}

#[tokio::test]
async fn of_webhooks_a_page_makes_a_private_url_and_shows_what_the_curl_line_sends() {
    let folder = folder("demo");
    let demo = start(folder.path(), &["webhook"]);
    let invited = async || demo.log().contains("Then run the curl line").then_some(());
    until("the demo invites", invited).await;
    let log = demo.log();
    let page = log.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let browser = Browser::start().await;
    browser.open(page).await;
    browser.shows("#state", |text| text == "connected").await;
    browser.click("#make").await;
    let line = browser.shows("#curl", |text| text.contains("/hook/")).await;
    let called = run(&line).await;
    assert!(called.contains(" 20"), "{called}");
    browser.shows("#arrived", |text| text.contains("Hello ☃")).await;
    browser.click("#revoke").await;
    browser.shows("#curl", str::is_empty).await;
    assert!(!run(&line).await.contains(" 20"));
    let asked = browser.eval("performance.getEntriesByType('resource').map(e => e.name)").await;
    let asked = asked.as_array().unwrap();
    assert!(asked.iter().all(|url| url.as_str().unwrap().starts_with(page)), "{asked:?}");
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.viewport(390, 700, "dark").await;
    assert_eq!(browser.eval("document.documentElement.scrollWidth").await, 390);
}

/// Runs a line as somebody who pastes it into a terminal; says the status line of the answer.
async fn run(line: &str) -> String {
    let line = line.replacen("curl", "curl --silent --show-error --include", 1);
    let output = tokio::process::Command::new("sh").args(["-c", &line]).output().await.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap_or_default().to_owned()
}

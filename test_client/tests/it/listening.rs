//! What is printed, when it ends, and when it begins again.

use crate::support::{
    probe::{Running, command, finish, run, run_with_input},
    push::{Do, Push},
};
use Do::{Close, Hang, Say};

#[tokio::test]
async fn each_kind_is_a_line_and_with_json_an_object() {
    const SCRIPT: &[Do] = &[
        Say("authenticated"),
        Say("notify_file_id [12,459]"),
        Say("notify_file"),
        Say("notify_activity"),
        Say("notify_notification"),
        Say(r#"text_steps {"doc":7}"#),
    ];
    let push = Push::start(&[SCRIPT]).await;
    let lines = run(&[&push.url(), "bob", "--count", "5"]).await;
    assert_eq!(lines.code, Some(0), "{lines:?}");
    let of_messages: Vec<&str> = lines.stdout.lines().skip(2).map(|line| &line[15..]).collect();
    let expected = [
        "file           12, 459",
        "file           which ones is not known",
        "activity",
        "notification",
        r#"custom         text_steps {"doc":7}"#,
    ];
    assert_eq!(of_messages, expected);
    let objects = run(&[&push.url(), "bob", "--count", "5", "--json"]).await;
    let objects: Vec<serde_json::Value> =
        objects.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    let expected =
        ["connected", "authenticated", "file", "file", "activity", "notification", "custom"];
    assert_eq!(kinds, expected);
    assert_eq!(objects[2]["ids"], serde_json::json!([12, 459]));
    assert_eq!(objects[6]["body"]["doc"], 7);
    assert!(objects.iter().all(|object| object["time"].as_str().unwrap().ends_with('Z')));
}

#[tokio::test]
async fn file_ids_are_asked_for_unless_told_otherwise() {
    let push = Push::start(&[&[Say("authenticated")]]).await;
    let asking = Running::start(&[&push.url(), "bob"]);
    assert_eq!(push.heard(3).await[2], "listen notify_file_id");
    drop(asking);
    const TWICE: &[Do] = &[Say("authenticated"), Say("notify_file")];
    let push = Push::start(&[TWICE]).await;
    let outcome = run(&[&push.url(), "bob", "--once", "--no-listen-ids"]).await;
    assert_eq!((outcome.code, push.heard(2).await.len()), (Some(0), 2));
}

#[tokio::test]
async fn it_connects_again_after_every_kind_of_end() {
    const RESTART: &[Do] = &[Say("authenticated"), Close(1012, "")];
    const BROKEN: &[Do] = &[Say("authenticated"), Hang];
    const BUSY: &[Do] = &[Say("err: try again later")];
    const GOOD: &[Do] = &[Say("authenticated"), Say("notify_activity")];
    let push = Push::start(&[RESTART, BROKEN, BUSY, GOOD]).await;
    let outcome = run(&[&push.url(), "bob", "--once"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let again: Vec<&str> =
        outcome.stdout.lines().filter(|line| line.contains("  again  ")).collect();
    assert!(again[0].contains("code 1012: restarting"), "{again:?}");
    assert_eq!(again.len(), 3, "{again:?}");
}

#[tokio::test]
async fn after_a_revoked_password_it_does_not_try_again() {
    const GOOD: &[Do] = &[Say("authenticated"), Hang];
    let push = Push::start(&[GOOD, &[Say("err: Invalid credentials")]]).await;
    let outcome = run(&[&push.url(), "bob"]).await;
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
}

#[tokio::test]
async fn with_no_reconnect_the_end_of_the_connection_is_exit_code_9() {
    let push = Push::start(&[&[Say("authenticated"), Close(1013, "too slow")]]).await;
    let outcome = run(&[&push.url(), "bob", "--no-reconnect", "--json"]).await;
    assert_eq!(outcome.code, Some(9), "{outcome:?}");
    assert!(outcome.stderr.contains("1013: overloaded: too slow"), "{outcome:?}");
    let last: serde_json::Value =
        serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["exit_code"]), (&"failure".into(), &9.into()));
}

#[tokio::test]
async fn ctrl_c_is_a_good_end_and_a_time_out_without_messages_is_not() {
    let push = Push::start(&[&[Say("authenticated")]]).await;
    let mut running = Running::start(&[&push.url(), "bob"]);
    running.until("authenticated").await;
    assert_eq!(running.interrupt().await, Some(0));
    let outcome = run(&[&push.url(), "bob", "--once", "--timeout", "1"]).await;
    assert_eq!(outcome.code, Some(10), "{outcome:?}");
}

#[tokio::test]
async fn the_password_can_be_read_from_standard_input_or_a_file() {
    const GOOD: &[Do] = &[Say("authenticated"), Say("notify_activity")];
    let push = Push::start(&[GOOD]).await;
    let outcome = run_with_input(command(&[&push.url(), "bob", "-", "--once"]), "typed in\n").await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(push.heard(2).await.contains(&"typed in".to_owned()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file\n").unwrap();
    let path = file.path().to_str().unwrap();
    let outcome = run(&[&push.url(), "bob", "--once", "--password-file", path]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(push.heard(4).await.contains(&"from a file".to_owned()));
    let url = push.url();
    let mut without = command(&[&url, "bob"]);
    without.env_remove("NEXTCLOUD_PASSWORD");
    assert_eq!(finish(without).await.code, Some(1));
}

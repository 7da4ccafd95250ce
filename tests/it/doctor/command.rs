//! The doctor command: exit codes, JSON, and passwords that are never shown.

use super::fixture::DoctorFixture;
use crate::support::{folder, free_port, within};
use serde_json::Value;
use std::process::{Output, Stdio};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

const PASSWORD: &str = "alice-password";

async fn run(arguments: &[&str], input: &str) -> Output {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_notify_push"))
        .env_clear()
        .current_dir(std::env::temp_dir())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // It may exit without reading its input.
    let _ = doctor.stdin.take().unwrap().write_all(input.as_bytes()).await;
    within("the doctor ends", doctor.wait_with_output()).await.unwrap()
}

impl DoctorFixture {
    async fn doctor(&self, more: &[&str], input: &str) -> (Option<i32>, String) {
        let lines = "  'trusted_proxies' => array ('127.0.0.1'),\n";
        let file = self.installation.config_php(lines).display().to_string();
        let (port, url) = (self.daemon.port().to_string(), self.nextcloud.url());
        let usual =
            ["doctor", &file, "--port", &port, "--nextcloud-url", &url, "--idle-time", "1s"];
        let Output { status, stdout, stderr } = run(&[&usual, more].concat(), input).await;
        let text = [stdout, stderr].concat();
        (status.code(), String::from_utf8(text).unwrap())
    }
}

#[tokio::test]
async fn the_exit_code_tells_the_result() {
    let fixture = DoctorFixture::healthy().await;
    let (code, text) = fixture.doctor(&["--user", "alice"], "alice-password\n").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("✓ login        alice can log in\n"), "{text}");
    assert!(!text.contains(PASSWORD) && !text.contains('\x1b'), "{text}");
    fixture.trusts(&[]);
    let (code, text) = fixture.doctor(&[], "").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("✗ proxies"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[tokio::test]
async fn json_reports_the_same_findings() {
    let (fixture, folder) = (DoctorFixture::healthy().await, folder("password"));
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\nsecond line\n")).unwrap();
    let file = file.display().to_string();
    let arguments = ["--json", "--user", "alice", "--password-file", &file];
    let (code, text) = fixture.doctor(&arguments, "").await;
    assert_eq!(code, Some(0), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["fine"], true);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["check"] == "login" && f["state"] == "fine"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
}

#[tokio::test]
async fn bad_usage_exits_with_2_and_bad_settings_are_a_finding() {
    for arguments in [
        &["doctor", "--no-such-flag"][..],
        &["doctor", "--idle-time", "soon"],
        &["doctor", "--password-file", "/x"],
        &[
            "doctor",
            "--user",
            "alice",
            "--password-file",
            "/nowhere",
            "--database-url",
            "sqlite:///x",
        ],
    ] {
        let output = run(arguments, "").await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
    let output = run(&["doctor", "/nowhere/config.php"], "").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("✗ settings     ") && text.contains("/nowhere/config.php"), "{text}");
    let output = run(&["doctor", "--json", "/nowhere/config.php"], "").await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["fine"], false);
}

/// Runs in a terminal of script(1), which echoes typed text unless echo is turned off.
#[tokio::test]
async fn a_typed_password_is_not_echoed() {
    const TYPED: &str = "typed-in-secret";
    let nowhere = free_port();
    let doctor = env!("CARGO_BIN_EXE_notify_push");
    let mut terminal = Command::new("script")
        .args([
            "-q",
            "-e",
            "-E",
            "always",
            "-c",
            &format!("{doctor} doctor --user alice"),
            "/dev/null",
        ])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("NO_COLOR", "1")
        .env("DATABASE_URL", "sqlite:///nowhere/none.db")
        .env("REDIS_URL", format!("redis://127.0.0.1:{nowhere}"))
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) =
        (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut shown = Vec::new();
    within("it asks", async {
        while !String::from_utf8_lossy(&shown).contains("Password of alice: ") {
            assert_ne!(screen.read_buf(&mut shown).await.unwrap(), 0, "it exits without asking");
        }
    })
    .await;
    keyboard.write_all(format!("{TYPED}\n").as_bytes()).await.unwrap();
    within("it ends", screen.read_to_end(&mut shown)).await.unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("✗ redis"), "{shown}");
    assert!(!shown.contains(TYPED), "{shown}");
}

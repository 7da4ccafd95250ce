//! SIGHUP reads the settings again: live ones apply at once, the log names those that need a restart.

use crate::support::{
    Folder, certificates::Certificates, client::Client, daemon::Daemon, folder,
    installation::Installation,
};
use rustix::process::Signal;
use std::{fs, path::Path, process::Command};

struct ReloadFixture {
    _installation: Installation,
    folder: Folder,
    daemon: Daemon,
}

impl ReloadFixture {
    /// A daemon whose environment file holds these lines.
    async fn start(lines: &str) -> Self {
        let (installation, folder) = (Installation::start().await, folder("reload"));
        installation.user("alice", "password").await;
        let file = folder.path().join("environment");
        fs::write(&file, lines).unwrap();
        let config = installation.config_php("").display().to_string();
        let environment = [("AUTH", "database"), ("ENV_FILE", file.to_str().unwrap())];
        let daemon = Daemon::start(&[&config], &environment).await;
        Self { _installation: installation, folder, daemon }
    }

    /// Writes other lines, asks the daemon to read them, and waits until it has.
    async fn reload(&mut self, lines: &str) {
        fs::write(self.folder.path().join("environment"), lines).unwrap();
        self.daemon.signal(Signal::HUP);
        self.daemon.notifies("RELOADING=1").await;
        self.daemon.notifies("READY=1").await;
    }
}

#[tokio::test]
async fn live_settings_apply_and_the_others_are_reported() {
    let mut scene = ReloadFixture::start("LOG=notify_push=info\n").await;
    let mut early = Client::log_in(&scene.daemon.url(), "alice", "password").await;
    let more = "LOG=notify_push=debug\nMAX_CONNECTION_TIME=1\nPUSH_RATE=7\nMETRICS_PORT=1\n";
    scene.reload(more).await;
    for line in [
        "LOG changed: in effect now",
        "MAX_CONNECTION_TIME changed: in effect now",
        "PUSH_RATE changed: in effect now",
        "METRICS_PORT changed: takes effect at the next start",
    ] {
        scene.daemon.logs(line).await;
    }
    // New clients may stay a second; older ones keep the limit they were accepted with.
    let mut late = Client::log_in(&scene.daemon.url(), "alice", "password").await;
    assert!(late.closed().await.is_some());
    early.send(tokio_tungstenite::tungstenite::Message::Ping("still there".into())).await;
    assert!(early.next().await.is_some_and(|message| message.is_pong()));
    scene.daemon.logs("DEBUG").await;
}

#[tokio::test]
async fn a_reload_without_changes_reports_none() {
    let mut scene = ReloadFixture::start("LOG=notify_push=info\n").await;
    scene.reload("LOG=notify_push=info\n").await;
    scene.reload("LOG=notify_push=info\nPUSH_RATE=7\n").await;
    scene.daemon.logs("PUSH_RATE changed: in effect now").await;
    assert_eq!(scene.daemon.log().matches(" changed: ").count(), 1, "{}", scene.daemon.log());
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_reported() {
    let mut scene = ReloadFixture::start("LOG=notify_push=info\nMAX_CONNECTION_TIME=0\n").await;
    let mut client = Client::log_in(&scene.daemon.url(), "alice", "password").await;
    scene.reload("MAX_CONNECTION_TIME=1\nthis is no setting\n").await;
    scene.daemon.logs("reload failed; keeping the current configuration: environment file ").await;
    scene.reload("MAX_CONNECTION_TIME=soon\n").await;
    scene.daemon.logs("expected a number of seconds").await;
    client.send(tokio_tungstenite::tungstenite::Message::Ping("still there".into())).await;
    assert!(client.next().await.is_some_and(|message| message.is_pong()));
    scene.reload("MAX_CONNECTION_TIME=0\nPUSH_RATE=7\nLOG=notify_push=info\n").await;
    scene.daemon.logs("PUSH_RATE changed: in effect now").await;
}

#[tokio::test]
async fn certificates_on_a_disk_that_hangs_don_t_block_other_changes() {
    let certificates = Certificates::new();
    let pair = certificates.server();
    let lines = |cert: &Path, more: &str| {
        format!("TLS_CERT={}\nTLS_KEY={}\n{more}", cert.display(), pair.key.display())
    };
    let scene = ReloadFixture::start(&lines(&pair.cert, "LOG=notify_push=info\n")).await;
    // Opening a pipe blocks until there is a writer.
    let hangs = scene.folder.path().join("hangs");
    assert!(Command::new("mkfifo").arg(&hangs).status().unwrap().success());
    let fresh = lines(&hangs, "LOG=notify_push=info\nPUSH_RATE=7\n");
    fs::write(scene.folder.path().join("environment"), fresh).unwrap();
    scene.daemon.signal(Signal::HUP);
    scene.daemon.logs("PUSH_RATE changed: in effect now").await;
    scene.daemon.logs("reading the settings again took too long").await;
}

//! What stands between the clients and the daemon, with nginx right and wrong.

use super::ward::{DoctorFixture, all_wrong, described, diagnose, lines, of, wrong};
use crate::support::{installation::Installation, nextcloud::Answer};
use notify_push::doctor::{CheckId, FindingState};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

#[tokio::test]
async fn a_proxy_that_drops_the_upgrade_is_found() {
    let fixture = DoctorFixture::with_mistakes(&[
        ("proxy_set_header Upgrade $http_upgrade;", ""),
        ("proxy_set_header Connection $notify_push_connection;", ""),
    ])
    .await;
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.seen.contains("does not pass the upgrade on"), "{finding:?}");
    assert!(lines(finding)[0].contains("proxy_set_header Upgrade $http_upgrade;"), "{finding:?}");
    assert_eq!(all_wrong(&findings), [CheckId::Endpoint]);
    assert_eq!(of(&findings, CheckId::Delivery)[0].seen, "skipped because endpoint failed");
}

#[tokio::test]
async fn a_proxy_that_passes_nothing_on_is_found() {
    let fixture =
        DoctorFixture::with_mistakes(&[("location ^~ /push/", "location ^~ /other/")]).await;
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.seen.contains("/push/ is not passed on"), "{finding:?}");
    assert!(lines(finding)[0].starts_with("include "), "{finding:?}");
}

#[tokio::test]
async fn a_daemon_that_does_not_run_is_told_twice() {
    let mut fixture = DoctorFixture::healthy().await;
    fixture.daemon.kill();
    let findings = fixture.findings(&[]).await;
    assert_eq!(all_wrong(&findings), [CheckId::Daemon, CheckId::Endpoint]);
    let started = "sudo systemctl enable --now notify_push";
    assert_eq!(lines(wrong(&findings, CheckId::Daemon))[0], started);
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.seen.contains("does not reach the daemon"), "{finding:?}");
}

#[tokio::test]
async fn nginx_does_not_buffer_websockets_whatever_it_is_told() {
    let fixture =
        DoctorFixture::with_mistakes(&[("proxy_buffering off;", "proxy_buffering on;")]).await;
    assert_eq!(all_wrong(&fixture.findings(&[]).await), []);
}

/// Something that passes on the answer to an upgrade and gathers all that follows.
async fn hoarder(upstream: String) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.unwrap();
            connections.spawn(hoard(client, server));
        }
    });
    (port, tasks)
}

async fn hoard(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::io::copy(&mut from_client, &mut to_server);
    let down = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = from_server.read_u8().await?;
            head.push(byte);
            to_client.write_all(&[byte]).await?;
        }
        tokio::io::copy(&mut from_server, &mut tokio::io::sink()).await
    };
    // Whoever leaves first ends it.
    tokio::select! { _ = up => {}, _ = down => {} }
}

#[tokio::test]
async fn whoever_holds_frames_back_is_found() {
    let fixture = DoctorFixture::healthy().await;
    let (port, _tasks) = hoarder(fixture.proxy.address()).await;
    fixture.sends_clients_to(&format!("ws://127.0.0.1:{port}/push/ws"));
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.seen.contains("a ping does not come back at once"), "{finding:?}");
    assert!(lines(finding)[0].contains("proxy_buffering off;"), "{finding:?}");
}

#[tokio::test]
async fn a_time_out_that_is_too_short_is_found() {
    let mistake = [("proxy_read_timeout 10m;", "proxy_read_timeout 5s;")];
    let fixture = DoctorFixture::with_mistakes(&mistake).await;
    let described = fixture.described(&[]);
    let findings = super::ward::look_over_for(described, 20).await;
    let finding = wrong(&findings, CheckId::Idle);
    assert!(finding.seen.contains("was cut after"), "{finding:?}");
    assert!(lines(finding)[0].contains("proxy_read_timeout 10m;"), "{finding:?}");
    assert_eq!(all_wrong(&findings), [CheckId::Idle]);
}

#[tokio::test]
async fn a_nextcloud_that_trusts_nobody_is_told_to() {
    let fixture = DoctorFixture::healthy().await;
    fixture.trusts(&[]);
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Proxies);
    assert!(finding.seen.contains("takes 127.0.0.1 for the client"), "{finding:?}");
    // config.php of the test has one entry, and loopback counts as two.
    let line = "occ config:system:set trusted_proxies 3 --value=127.0.0.1";
    assert_eq!(lines(finding), [line]);
}

#[tokio::test]
async fn a_proxy_that_nextcloud_does_not_trust_is_found_hop_by_hop() {
    let bind = ("proxy_http_version 1.1;", "proxy_http_version 1.1; proxy_bind 127.0.0.2;");
    let fixture = DoctorFixture::with_mistakes(&[bind]).await;
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Proxies);
    assert_eq!(finding.seen, "not believed: 127.0.0.2");
    let way = "client 127.0.0.1 → 127.0.0.2 ✗ → daemon → Nextcloud";
    assert_eq!(finding.details[0], way);
    let line = "occ config:system:set trusted_proxies 3 --value=127.0.0.2";
    assert_eq!(lines(finding), [line]);
    fixture.trusts(&["127.0.0.0/8"]);
    let findings = fixture.findings(&[]).await;
    let finding = of(&findings, CheckId::Proxies)[0];
    assert_eq!(
        (finding.state, &*finding.details[0]),
        (FindingState::Fine, &*way.replace('✗', "✓"))
    );
}

#[tokio::test]
async fn a_proxy_that_does_not_say_who_the_client_is_is_found() {
    let header = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    let fixture = DoctorFixture::with_mistakes(&[(header, "")]).await;
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Proxies);
    assert!(finding.seen.contains("does not tell the daemon who the client is"), "{finding:?}");
    assert_eq!(lines(finding), [header]);
}

#[tokio::test]
async fn a_certificate_that_clients_do_not_trust_is_wrong_and_the_rest_is_looked_at_still() {
    let fixture = DoctorFixture::healthy().await;
    fixture.sends_clients_to(&fixture.proxy.tls_url());
    let findings = fixture.findings(&["--allow-self-signed"]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.seen.contains("is not trusted"), "{finding:?}");
    assert_eq!(all_wrong(&findings), [CheckId::Endpoint]);
    assert_eq!(of(&findings, CheckId::Delivery)[0].state, FindingState::Fine, "{findings:#?}");
    let ca = fixture.certificates.ca().display().to_string();
    assert_eq!(all_wrong(&fixture.findings(&["--nextcloud-ca", &ca]).await), []);
}

#[tokio::test]
async fn a_wrong_password_is_told_and_shown_nowhere() {
    let fixture = DoctorFixture::healthy().await;
    let findings = fixture.findings_as("alice", "hunter2").await;
    let finding = wrong(&findings, CheckId::Login);
    assert_eq!(finding.seen, "alice is not let in: err: Invalid credentials");
    assert_eq!(lines(finding), ["occ user:info alice"]);
    assert!(!format!("{findings:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_log_in_that_nextcloud_refuses_hides_nothing_else() {
    let fixture = DoctorFixture::healthy().await;
    let capabilities = "/ocs/v2.php/cloud/capabilities?format=json";
    fixture.nextcloud.answer(capabilities, Some(Answer::new(401, "{}")));
    let findings = fixture.findings_as("alice", "hunter2").await;
    let finding = wrong(&findings, CheckId::Endpoint);
    let guessed = fixture.nextcloud.url().replace("http", "ws") + "/push/ws (guessed";
    assert!(finding.seen.starts_with(&guessed), "{finding:?}");
    assert!(finding.seen.contains("/push/ is not passed on"), "{finding:?}");
}

#[tokio::test]
async fn a_daemon_that_wants_to_know_who_comes_is_told() {
    let installation = Installation::start().await;
    let daemon = installation.daemon(&[("PROXY_PROTOCOL", "true")]).await;
    let config = installation.config_php("").display().to_string();
    let port = daemon.port().to_string();
    let mut flags = vec![config.as_str(), "--port", &port];
    let findings = diagnose(described(&flags), None).await;
    assert_eq!(
        wrong(&findings, CheckId::Daemon).check,
        CheckId::Daemon,
        "it closes without a word"
    );
    flags.push("--proxy-protocol");
    let findings = diagnose(described(&flags), None).await;
    assert_eq!(of(&findings, CheckId::Daemon)[0].state, FindingState::Fine, "{findings:#?}");
}

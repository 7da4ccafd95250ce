//! The checks of the proxies between clients and daemon, with nginx configured right and wrong.

use super::fixture::{DoctorFixture, all_wrong, described, diagnose, lines, of, wrong};
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
    assert!(finding.observed.contains("does not forward the upgrade"), "{finding:?}");
    assert!(lines(finding)[0].contains("proxy_set_header Upgrade $http_upgrade;"), "{finding:?}");
    assert_eq!(all_wrong(&findings), [CheckId::Endpoint]);
    assert_eq!(of(&findings, CheckId::Delivery)[0].observed, "skipped because endpoint failed");
}

#[tokio::test]
async fn a_proxy_without_a_location_is_found() {
    let fixture =
        DoctorFixture::with_mistakes(&[("location ^~ /push/", "location ^~ /other/")]).await;
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.observed.contains("/push/ is not forwarded"), "{finding:?}");
    assert!(lines(finding)[0].starts_with("include "), "{finding:?}");
}

#[tokio::test]
async fn a_stopped_daemon_fails_two_checks() {
    let mut fixture = DoctorFixture::healthy().await;
    fixture.daemon.kill();
    let findings = fixture.findings(&[]).await;
    assert_eq!(all_wrong(&findings), [CheckId::Daemon, CheckId::Endpoint]);
    let started = "sudo systemctl enable --now notify_push";
    assert_eq!(lines(wrong(&findings, CheckId::Daemon))[0], started);
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.observed.contains("does not reach the daemon"), "{finding:?}");
    let port = fixture.daemon.port();
    assert_eq!(lines(finding)[0], format!("curl -v http://127.0.0.1:{port}/push/test/cookie"));
}

#[tokio::test]
async fn nginx_never_buffers_websockets() {
    let fixture =
        DoctorFixture::with_mistakes(&[("proxy_buffering off;", "proxy_buffering on;")]).await;
    assert_eq!(all_wrong(&fixture.findings(&[]).await), []);
}

/// A proxy that forwards the answer to an upgrade and no later byte.
async fn buffering_proxy(upstream: String) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.unwrap();
            connections.spawn(forward_only_the_answer(client, server));
        }
    });
    (port, tasks)
}

async fn forward_only_the_answer(client: TcpStream, server: TcpStream) {
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
    // The first side to close ends both.
    tokio::select! { _ = up => {}, _ = down => {} }
}

#[tokio::test]
async fn a_buffering_proxy_is_found() {
    let fixture = DoctorFixture::healthy().await;
    let (port, _tasks) = buffering_proxy(fixture.proxy.address()).await;
    fixture.sends_clients_to(&format!("ws://127.0.0.1:{port}/push/ws"));
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.observed.contains("a ping is not answered at once"), "{finding:?}");
    assert!(lines(finding)[0].contains("proxy_buffering off;"), "{finding:?}");
}

#[tokio::test]
async fn a_time_out_that_is_too_short_is_found() {
    let mistake = [("proxy_read_timeout 10m;", "proxy_read_timeout 5s;")];
    let fixture = DoctorFixture::with_mistakes(&mistake).await;
    let described = fixture.described(&[]);
    let findings = super::fixture::findings_after_idle_time(described, 20).await;
    let finding = wrong(&findings, CheckId::Idle);
    assert!(finding.observed.contains("was cut after"), "{finding:?}");
    assert!(finding.observed.contains("a proxy in between did it"), "{finding:?}");
    assert!(lines(finding)[0].contains("proxy_read_timeout 10m;"), "{finding:?}");
    assert_eq!(all_wrong(&findings), [CheckId::Idle]);
}

#[tokio::test]
async fn a_nextcloud_without_trusted_proxies_is_found() {
    let fixture = DoctorFixture::healthy().await;
    fixture.trusts(&[]);
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Proxies);
    assert!(finding.observed.contains("takes 127.0.0.1 for the client"), "{finding:?}");
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
    assert_eq!(finding.observed, "not trusted: 127.0.0.2");
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
async fn a_proxy_that_hides_the_clients_address_is_found() {
    let header = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    let fixture = DoctorFixture::with_mistakes(&[(header, "")]).await;
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Proxies);
    assert!(finding.observed.contains("does not forward the client's address"), "{finding:?}");
    assert_eq!(lines(finding), [header]);
}

#[tokio::test]
async fn an_untrusted_certificate_does_not_stop_the_other_checks() {
    let fixture = DoctorFixture::healthy().await;
    fixture.sends_clients_to(&fixture.proxy.tls_url());
    let findings = fixture.findings(&["--allow-self-signed"]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.observed.contains("is not trusted"), "{finding:?}");
    assert_eq!(all_wrong(&findings), [CheckId::Endpoint]);
    assert_eq!(of(&findings, CheckId::Delivery)[0].state, FindingState::Fine, "{findings:#?}");
    let ca = fixture.certificates.ca().display().to_string();
    assert_eq!(all_wrong(&fixture.findings(&["--nextcloud-ca", &ca]).await), []);
}

#[tokio::test]
async fn a_wrong_password_is_reported_and_not_shown() {
    let fixture = DoctorFixture::healthy().await;
    let findings = fixture.findings_as("alice", "hunter2").await;
    let finding = wrong(&findings, CheckId::Login);
    assert_eq!(finding.observed, "alice cannot log in: err: Invalid credentials");
    assert_eq!(lines(finding), ["occ user:info alice"]);
    assert!(!format!("{findings:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_refused_login_does_not_stop_the_other_checks() {
    let fixture = DoctorFixture::healthy().await;
    let capabilities = "/ocs/v2.php/cloud/capabilities?format=json";
    fixture.nextcloud.answer(capabilities, Some(Answer::new(401, "{}")));
    let findings = fixture.findings_as("alice", "hunter2").await;
    let finding = wrong(&findings, CheckId::Endpoint);
    let guessed = fixture.nextcloud.url().replace("http", "ws") + "/push/ws (guessed";
    assert!(finding.observed.starts_with(&guessed), "{finding:?}");
    assert!(finding.observed.contains("/push/ is not forwarded"), "{finding:?}");
}

#[tokio::test]
async fn a_daemon_with_proxy_protocol_is_reached_with_it() {
    let installation = Installation::start().await;
    let daemon = installation.daemon(&[("PROXY_PROTOCOL", "true")]).await;
    let config = installation.config_php("").display().to_string();
    let port = daemon.port().to_string();
    let mut flags = vec![config.as_str(), "--port", &port];
    let findings = diagnose(described(&flags), None).await;
    assert_eq!(
        wrong(&findings, CheckId::Daemon).check,
        CheckId::Daemon,
        "it closes without an answer"
    );
    flags.push("--proxy-protocol");
    let findings = diagnose(described(&flags), None).await;
    assert_eq!(of(&findings, CheckId::Daemon)[0].state, FindingState::Fine, "{findings:#?}");
}

#[tokio::test]
async fn an_advertised_address_that_is_out_of_date_is_replaced() {
    let fixture = DoctorFixture::healthy().await;
    fixture.sends_clients_to("ws://127.0.0.1:1/push/ws");
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::Endpoint);
    let setup = format!("occ notify_push:setup {}/push", fixture.nextcloud.url());
    assert!(lines(finding).contains(&&*setup), "{finding:?}");
}

#[tokio::test]
async fn with_a_login_no_other_is_asked_for() {
    let fixture = DoctorFixture::healthy().await;
    let capabilities = "/ocs/v2.php/cloud/capabilities?format=json";
    fixture.nextcloud.answer(capabilities, Some(Answer::new(200, "{}")));
    let findings = fixture.findings_as("alice", "alice-password").await;
    assert!(!format!("{findings:?}").contains("with --user"), "{findings:#?}");
}

#[tokio::test]
async fn an_app_password_that_the_database_does_not_hold_is_a_hint() {
    const PASSWORD: &str = "an app password made with another secret";
    let fixture = DoctorFixture::healthy_with_nextcloud_logins().await;
    fixture.installation.user("bob", "account password").await;
    fixture.nextcloud.account("bob", PASSWORD, "bob");
    let findings = fixture.findings_as("bob", PASSWORD).await;
    let finding = of(&findings, CheckId::Login)[0];
    assert_eq!(finding.state, FindingState::Hint, "{finding:?}");
    assert!(finding.observed.contains("configured secret"), "{finding:?}");
    fixture.installation.app_password("bob", PASSWORD).await;
    let findings = fixture.findings_as("bob", PASSWORD).await;
    assert_eq!(of(&findings, CheckId::Login)[0].state, FindingState::Fine);
}

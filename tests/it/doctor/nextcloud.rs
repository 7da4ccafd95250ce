//! The doctor's findings about a faulty Nextcloud.

use super::fixture::{DoctorFixture, STATUS, all_wrong, lines, of, wrong};
use crate::support::nextcloud::{Answer, Nextcloud, NextcloudSetup};
use notify_push::doctor::{CheckId, FindingState};

#[tokio::test]
async fn an_app_that_is_not_enabled_is_installed() {
    let fixture = DoctorFixture::healthy().await;
    let uid = "/index.php/apps/notify_push/uid";
    fixture.nextcloud.answer(uid, Some(Answer::new(404, "<html>Page not found</html>")));
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::App);
    assert!(lines(finding).contains(&"occ app:install notify_push"), "{finding:?}");
    assert_eq!(of(&findings, CheckId::Proxies)[0].observed, "skipped because app failed");
}

#[tokio::test]
async fn other_versions_of_the_app_have_remedies() {
    let fixture = DoctorFixture::healthy().await;
    fixture.plays(&["127.0.0.1"], "1.3.0");
    let findings = fixture.findings(&["--compat-version", "1.4.0"]).await;
    assert_eq!(lines(wrong(&findings, CheckId::App)), ["occ app:update notify_push"]);
    fixture.plays(&["127.0.0.1"], "2.0.1");
    let findings = fixture.findings(&["--compat-version", "1.4.0"]).await;
    assert_eq!(lines(wrong(&findings, CheckId::App)), ["COMPAT_VERSION=auto"]);
    assert_eq!(all_wrong(&fixture.findings(&[]).await), []);
    assert_eq!(all_wrong(&fixture.findings(&["--compat-version", "2.0.0"]).await), []);
}

#[tokio::test]
async fn maintenance_is_ended() {
    let fixture = DoctorFixture::healthy().await;
    let status = STATUS.replace(r#""maintenance":false"#, r#""maintenance":true"#);
    fixture.nextcloud.answer("/status.php", Some(Answer::new(200, status)));
    let findings = fixture.findings(&[]).await;
    assert_eq!(lines(wrong(&findings, CheckId::Nextcloud)), ["occ maintenance:mode --off"]);
}

#[tokio::test]
async fn answers_of_other_servers_are_distinguished() {
    let fixture = DoctorFixture::healthy().await;
    for (answer, line) in [
        (Answer::redirect(301, "https://cloud/status.php"), "NEXTCLOUD_URL=https://cloud"),
        (
            Answer::new(400, "untrusted"),
            "occ config:system:set trusted_domains 9 --value=127.0.0.1",
        ),
        (Answer::new(503, "maintenance"), "occ maintenance:mode; occ maintenance:mode --off"),
        (Answer::new(200, "<html>It works!</html>"), "status.php"),
    ] {
        fixture.nextcloud.answer("/status.php", Some(answer));
        let findings = fixture.findings(&[]).await;
        let finding = wrong(&findings, CheckId::Nextcloud);
        assert!(lines(finding).iter().any(|found| found.ends_with(line)), "{finding:?}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_explained() {
    let fixture = DoctorFixture::healthy().await;
    let secure = Nextcloud::start(NextcloudSetup { tls: true, ..NextcloudSetup::default() }).await;
    secure.answer("/status.php", Some(Answer::new(200, STATUS)));
    let findings = fixture.findings(&["--nextcloud-url", &secure.url()]).await;
    let finding = wrong(&findings, CheckId::Nextcloud);
    let expected = ["NEXTCLOUD_CA=/path/to/ca.pem", "ALLOW_SELF_SIGNED=true"];
    assert_eq!(lines(finding), expected, "{finding:?}");
    let flags = ["--nextcloud-url", &secure.url(), "--allow-self-signed"];
    let findings = fixture.findings(&flags).await;
    assert_eq!(of(&findings, CheckId::Nextcloud)[0].state, FindingState::Fine, "{findings:#?}");
}

#[tokio::test]
async fn a_nextcloud_without_redis_is_given_one() {
    let fixture = DoctorFixture::healthy().await;
    let uid = "/index.php/apps/notify_push/uid";
    fixture.nextcloud.answer(uid, Some(Answer::new(500, "Internal Server Error")));
    let findings = fixture.findings(&[]).await;
    let finding = wrong(&findings, CheckId::App);
    assert!(finding.observed.contains("has no usable Redis"), "{finding:?}");
    let host = "occ config:system:set redis host --value=127.0.0.1";
    assert!(lines(finding).contains(&host), "{finding:?}");
}

#[tokio::test]
async fn a_login_that_is_a_visitor_is_not_a_missing_address() {
    let fixture = DoctorFixture::healthy().await;
    fixture.takes_everybody_for_a_visitor();
    let findings = fixture.findings_as("alice", "hunter2").await;
    let finding = wrong(&findings, CheckId::Endpoint);
    assert!(finding.observed.contains("anonymous visitor"), "{finding:?}");
    let setup = |line: &&str| line.contains("notify_push:setup");
    assert!(!lines(finding).iter().any(setup), "{finding:?}");
}

#[tokio::test]
async fn an_authoritys_certificate_is_described_in_words() {
    let fixture = DoctorFixture::healthy().await;
    let secure = Nextcloud::start(NextcloudSetup { tls: true, ..NextcloudSetup::default() }).await;
    let findings = fixture.findings(&["--nextcloud-url", &secure.url()]).await;
    let finding = wrong(&findings, CheckId::Nextcloud);
    assert!(!finding.observed.contains("Other("), "{finding:?}");
}

//! Nextcloud is not as it should be.

use super::ward::{STATUS, Ward, all_wrong, lines, of, wrong};
use crate::support::nextcloud::{Answer, Nextcloud, Setup};
use notify_push::doctor::{Check, State};

#[tokio::test]
async fn an_app_that_is_not_enabled_is_installed() {
    let ward = Ward::healthy().await;
    let uid = "/index.php/apps/notify_push/uid";
    ward.nextcloud.answer(uid, Some(Answer::new(404, "<html>Page not found</html>")));
    let findings = ward.findings(&[]).await;
    let finding = wrong(&findings, Check::App);
    assert!(lines(finding).contains(&"occ app:install notify_push"), "{finding:?}");
    assert_eq!(of(&findings, Check::Proxies)[0].seen, "skipped because app failed");
}

#[tokio::test]
async fn an_older_app_is_updated_and_a_newer_one_is_told_of() {
    let ward = Ward::healthy().await;
    ward.plays(&["127.0.0.1"], "1.3.0");
    let findings = ward.findings(&[]).await;
    assert_eq!(lines(wrong(&findings, Check::App)), ["occ app:update notify_push"]);
    ward.plays(&["127.0.0.1"], "2.0.1");
    let findings = ward.findings(&[]).await;
    assert_eq!(lines(wrong(&findings, Check::App)), ["COMPAT_VERSION=2.0.1"]);
    assert_eq!(all_wrong(&ward.findings(&["--compat-version", "2.0.0"]).await), []);
}

#[tokio::test]
async fn maintenance_is_ended() {
    let ward = Ward::healthy().await;
    let status = STATUS.replace(r#""maintenance":false"#, r#""maintenance":true"#);
    ward.nextcloud.answer("/status.php", Some(Answer::new(200, status)));
    let findings = ward.findings(&[]).await;
    assert_eq!(lines(wrong(&findings, Check::Nextcloud)), ["occ maintenance:mode --off"]);
}

#[tokio::test]
async fn redirects_hosts_and_strangers_are_told_apart() {
    let ward = Ward::healthy().await;
    for (answer, line) in [
        (Answer::redirect(301, "https://cloud/status.php"), "NEXTCLOUD_URL=https://cloud"),
        (
            Answer::new(400, "untrusted"),
            "occ config:system:set trusted_domains 9 --value=127.0.0.1",
        ),
        (Answer::new(503, "maintenance"), "occ maintenance:mode; occ maintenance:mode --off"),
        (Answer::new(200, "<html>It works!</html>"), "status.php"),
    ] {
        ward.nextcloud.answer("/status.php", Some(answer));
        let findings = ward.findings(&[]).await;
        let finding = wrong(&findings, Check::Nextcloud);
        assert!(lines(finding).iter().any(|found| found.ends_with(line)), "{finding:?}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_explained() {
    let ward = Ward::healthy().await;
    let secure = Nextcloud::start(Setup { tls: true, ..Setup::default() }).await;
    secure.answer("/status.php", Some(Answer::new(200, STATUS)));
    let findings = ward.findings(&["--nextcloud-url", &secure.url()]).await;
    let finding = wrong(&findings, Check::Nextcloud);
    let expected = ["NEXTCLOUD_CA=/path/to/ca.pem", "ALLOW_SELF_SIGNED=true"];
    assert_eq!(lines(finding), expected, "{finding:?}");
    let flags = ["--nextcloud-url", &secure.url(), "--allow-self-signed"];
    let findings = ward.findings(&flags).await;
    assert_eq!(of(&findings, Check::Nextcloud)[0].state, State::Fine, "{findings:#?}");
}

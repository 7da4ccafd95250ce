//! The doctor's findings about Redis: refused rights, or another server than Nextcloud's.

use super::fixture::{DoctorFixture, all_wrong, described, diagnose, lines, of, wrong};
use crate::support::{recipe::user, redis::Redis};
use notify_push::doctor::{CheckId, FindingState};

/// Runs the checks where only Redis is reachable.
async fn findings(url: &str) -> Vec<notify_push::doctor::CheckFinding> {
    let others =
        ["--database-url", "sqlite:///nowhere/x.db", "--nextcloud-url", "http://127.0.0.1:1"];
    let arguments = [&["--redis-url", url, "--port", "1"], &others[..]].concat();
    diagnose(described(&arguments), None).await
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let redis = Redis::start_with(&["--requirepass", "right"]).await;
    let url = format!("redis://:hunter2@127.0.0.1:{}", redis.port());
    let findings = findings(&url).await;
    let finding = wrong(&findings, CheckId::Redis);
    assert!(finding.observed.contains("refuses the login"), "{finding:?}");
    assert_eq!(of(&findings, CheckId::Events)[0].observed, "skipped because redis failed");
    assert!(!format!("{findings:?}").contains("hunter2"));
}

#[tokio::test]
async fn missing_rights_come_with_their_grant() {
    let redis =
        Redis::start_with(&["--user", "push", "on", ">secret", "+ping", "+get", "~*"]).await;
    let findings = findings(&format!("redis://push:secret@127.0.0.1:{}", redis.port())).await;
    let finding = wrong(&findings, CheckId::Events);
    let command = lines(finding)[0];
    assert!(command.starts_with("redis-cli ACL SETUSER push resetkeys"), "{finding:?}");
    let rules: Vec<String> =
        command.split(' ').skip(2).map(|word| word.trim_matches('\'').to_owned()).collect();
    redis.query::<()>(redis::cmd("ACL").arg(&rules)).await;
    let findings = self::findings(&format!("redis://push:secret@127.0.0.1:{}", redis.port())).await;
    assert_eq!(of(&findings, CheckId::Events)[0].state, FindingState::Fine, "{findings:#?}");
}

#[tokio::test]
async fn the_documented_rights_are_sufficient() {
    let redis = Redis::start_with(&user("notify_push")).await;
    let url = format!("redis://notify_push:CHANGE-ME@127.0.0.1:{}", redis.port());
    let findings = findings(&url).await;
    for check in [CheckId::Redis, CheckId::Events] {
        assert_eq!(of(&findings, check)[0].state, FindingState::Fine, "{findings:#?}");
    }
    assert!(of(&findings, CheckId::Events)[0].observed.contains("as it should be"));
}

#[tokio::test]
async fn a_nextcloud_with_another_redis_is_found() {
    let (fixture, other) = (DoctorFixture::healthy().await, Redis::start().await);
    let findings = fixture.findings(&["--redis-url", &other.url()]).await;
    let finding = wrong(&findings, CheckId::App);
    assert!(finding.observed.contains("does not know the token"), "{finding:?}");
    assert!(lines(finding).contains(&"occ config:system:get redis"), "{finding:?}");
    assert!(all_wrong(&findings).contains(&CheckId::Delivery), "the daemon uses another one, too");
}

#[tokio::test]
async fn a_wrong_password_is_corrected_where_it_is_set() {
    let redis = Redis::start_with(&["--requirepass", "right"]).await;
    let url = format!("redis://:hunter2@127.0.0.1:{}", redis.port());
    let findings = findings(&url).await;
    let finding = wrong(&findings, CheckId::Redis);
    let remedy = format!("{:?}", finding.remedy);
    assert!(
        remedy.contains("command line --redis-url") && !remedy.contains("config.php"),
        "{remedy}"
    );
}

//! From Nextcloud's address to a login.

use crate::support::{
    probe::{PASSWORD, run},
    push::{Do, Push},
    web::{self, Web},
};

const WELCOME: &[Do] = &[Do::Say("authenticated"), Do::Say("notify_activity")];

#[tokio::test]
async fn the_endpoint_is_found_in_the_capabilities() {
    let push = Push::start(&[WELCOME]).await;
    let nextcloud = web::nextcloud(&push.url()).await;
    let outcome =
        run(&[&format!("{}/nc/index.php/apps/files", nextcloud.url()), "bob", "--once"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains(&format!("found          {}", push.url())), "{outcome:?}");
    assert_eq!(push.heard(2).await[..2], ["bob", PASSWORD]);
    let asked = nextcloud.asked();
    assert!(asked[0].starts_with("get /nc/status.php") && !asked[0].contains("authorization"));
    assert!(
        asked[1].contains("ocs-apirequest: true") && asked[1].contains("authorization: basic ")
    );
}

#[tokio::test]
async fn with_pre_auth_the_password_goes_to_nextcloud_and_only_a_ticket_to_the_daemon() {
    let push = Push::start(&[WELCOME]).await;
    let nextcloud = web::nextcloud(&push.url()).await;
    let url = format!("{}/nc", nextcloud.url());
    let outcome = run(&[&url, "bob", "--once", "--pre-auth"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(push.heard(2).await[..2], ["", "one+time/ticket"]);
    assert!(nextcloud.asked().iter().any(|head| head.starts_with("post /nc/pre_auth")));
}

#[tokio::test]
async fn a_nextcloud_without_push_is_exit_code_4_and_says_how_to_get_it() {
    let body = r#"{"ocs":{"data":{"capabilities":{"core":{}}}}}"#;
    let nextcloud = Web::always(200, "", body).await;
    let outcome = run(&[&nextcloud.url(), "bob"]).await;
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    assert!(outcome.stderr.contains("occ app:enable notify_push"), "{outcome:?}");
}

#[tokio::test]
async fn what_nextcloud_answers_decides_the_exit_code() {
    let login = "<html>Log in</html>";
    let maintenance = r#"{"installed":true,"maintenance":true}"#;
    for (status, body, code, word) in [
        (401, "", 5, "does not accept"),
        (404, "", 3, "not Nextcloud"),
        (200, login, 3, "not Nextcloud"),
        (200, maintenance, 8, "maintenance"),
        (400, "", 3, "trusted_domains"),
        (429, "", 8, "30 minutes"),
        (503, "", 8, "maintenance"),
        (500, "", 8, "log"),
    ] {
        let nextcloud = Web::always(status, "", body).await;
        let outcome = run(&[&nextcloud.url(), "bob"]).await;
        assert_eq!(outcome.code, Some(code), "{status} {body}: {outcome:?}");
        assert!(outcome.stderr.contains(word), "{status} {body}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_named_before_the_password_is_sent() {
    let nextcloud = Web::always(301, "Location: https://cloud.example.com/\r\n", "").await;
    let outcome = run(&[&nextcloud.url(), "bob"]).await;
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.stderr.contains("redirects to https://cloud.example.com/"), "{outcome:?}");
    assert!(nextcloud.asked().iter().all(|head| !head.contains("authorization")));
}

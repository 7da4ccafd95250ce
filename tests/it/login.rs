//! Logins by every method, and the texts of refusals: the real daemon with a real database.

use crate::support::{
    client::Client,
    daemon::Daemon,
    faults::{Fault, FaultProxy},
    installation::Installation,
    mariadb::MariaDb,
    nextcloud::{Answer, Nextcloud, NextcloudSetup},
};

/// The text that a client with wrong credentials reads (`specs/nextcloud.md` section 3).
const INVALID: &str = "err: Invalid credentials";

/// An app password as long as the desktop client's: 72 characters.
const APP_PASSWORD: &str =
    "0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789ab";

async fn answer(daemon: &Daemon, user: &str, password: &str) -> String {
    let mut client = Client::connect(&daemon.url()).await;
    let answer = client.credentials(user, password).await;
    if answer != "authenticated" {
        client.closed().await;
    }
    answer
}

async fn alice_and_bob() -> (Installation, Daemon) {
    let installation = Installation::start().await;
    installation.user("alice", "correct horse").await;
    installation.app_password("alice", APP_PASSWORD).await;
    installation.user("bob", "battery staple").await;
    let daemon = installation.daemon(&[]).await;
    (installation, daemon)
}

#[tokio::test]
async fn the_database_decides_as_nextcloud_would() {
    let (installation, daemon) = alice_and_bob().await;
    for (user, password, expected) in [
        ("alice", APP_PASSWORD, "authenticated"),
        ("alice", "correct horse", "authenticated"),
        ("ALICE", "correct horse", "authenticated"),
        ("  alice\n", " correct horse ", "authenticated"),
        ("alice", "battery staple", INVALID),
        ("bob", APP_PASSWORD, INVALID),
        ("alice", "", INVALID),
        ("", "", INVALID),
        ("mallory", "correct horse", INVALID),
    ] {
        assert_eq!(answer(&daemon, user, password).await, expected, "{user:?} {password:?}");
    }
    installation.disable("alice").await;
    assert_eq!(answer(&daemon, "alice", APP_PASSWORD).await, INVALID);
}

#[tokio::test]
async fn a_login_in_capitals_receives_the_notices_of_the_canonical_user() {
    let (installation, daemon) = alice_and_bob().await;
    let mut client = Client::log_in(&daemon.url(), "ALICE", "correct horse").await;
    installation.custom("alice", "for_alice").await;
    assert_eq!(client.text().await, "for_alice");
}

#[tokio::test]
async fn a_ticket_is_valid_once_whatever_comes_first() {
    let (installation, daemon) = alice_and_bob().await;
    let ticket = "MId7VZ5UwIDszT/2uJxT9Zoi+yW2gOdQ";
    let payload = format!(r#"{{"user":"bob","token":"{}"}}"#, ticket.replace('/', "\\/"));
    let url = daemon.url();
    let (mut client, _) = tokio::join!(
        Client::log_in(&url, "", ticket),
        installation.redis.publish("notify_pre_auth", payload),
    );
    installation.custom("bob", "for_bob").await;
    assert_eq!(client.text().await, "for_bob");
    assert_eq!(answer(&daemon, "", ticket).await, INVALID);
}

#[tokio::test]
async fn an_unavailable_database_is_no_wrong_password() {
    let mariadb = MariaDb::shared().await;
    let installation = Installation::on(mariadb.nextcloud().await).await;
    installation.user("alice", "correct horse").await;
    let proxy = FaultProxy::to(format!("127.0.0.1:{}", mariadb.port())).await;
    let url = installation.database.url();
    let url = url.replace(&mariadb.port().to_string(), &proxy.port().to_string());
    proxy.set(Fault::Cut);
    let daemon = installation.daemon(&[("DATABASE_URL", &url)]).await;
    let unavailable = answer(&daemon, "alice", "correct horse").await;
    assert!(unavailable.starts_with("err: ") && unavailable != INVALID, "{unavailable}");
    for internal in ["127.0.0.1", "sql", "atabase", &proxy.port().to_string()] {
        assert!(!unavailable.contains(internal), "{unavailable}");
    }
    proxy.set(Fault::None);
    crate::support::until("the database is used again", async || {
        (answer(&daemon, "alice", "correct horse").await == "authenticated").then_some(())
    })
    .await;
}

#[tokio::test]
async fn nextcloud_decides_what_the_database_cannot_and_gets_the_client_address() {
    let (installation, nextcloud) =
        (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
    installation.user("alice", "correct horse").await;
    nextcloud.account("ldap-user@example.com", "from LDAP", "ldap-user");
    let url = nextcloud.url();
    let daemon =
        installation.daemon(&[("AUTH", "database,nextcloud"), ("NEXTCLOUD_URL", &url)]).await;
    assert_eq!(answer(&daemon, "alice", "correct horse").await, "authenticated");
    assert_eq!(nextcloud.asked(), []);
    let chain = [("x-forwarded-for", "203.0.113.7, 198.51.100.2")];
    let mut client = Client::connect_with(&daemon.url(), &chain).await.unwrap();
    let said = client.credentials("ldap-user@example.com", "from LDAP").await;
    assert_eq!(said, "authenticated");
    let asked = nextcloud.asked().pop().unwrap();
    assert_eq!(asked.forwarded.as_deref(), Some("203.0.113.7, 198.51.100.2, 127.0.0.1"));
    installation.custom("ldap-user", "for_the_uid").await;
    assert_eq!(client.text().await, "for_the_uid");
    assert_eq!(answer(&daemon, "ldap-user@example.com", "wrong").await, INVALID);
}

#[tokio::test]
async fn a_nextcloud_in_trouble_is_no_wrong_password() {
    let (installation, nextcloud) =
        (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
    let url = nextcloud.url();
    let daemon = installation.daemon(&[("AUTH", "nextcloud"), ("NEXTCLOUD_URL", &url)]).await;
    for status in [500, 502, 503, 400, 429] {
        let page = Answer::new(status, "<html>internal words</html>");
        nextcloud.answer("/index.php/apps/notify_push/uid", Some(page));
        let said = answer(&daemon, "alice", "correct horse").await;
        assert!(said.starts_with("err: ") && said != INVALID, "{status}: {said}");
        assert!(!said.contains("internal") && !said.contains("http"), "{status}: {said}");
    }
}

async fn answer_to(daemon: &Daemon, address: &str, user: &str, password: &str) -> String {
    let chain = [("x-forwarded-for", address)];
    let mut client = Client::connect_with(&daemon.url(), &chain).await.unwrap();
    client.credentials(user, password).await
}

const LATER: &str = "err: Try again later";

/// A daemon that refuses an address after two failures.
async fn strict_daemon() -> (Installation, Nextcloud, Daemon) {
    let (installation, nextcloud) =
        (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
    installation.user("alice", "correct horse").await;
    let url = nextcloud.url();
    let environment = [
        ("AUTH", "database,nextcloud"),
        ("NEXTCLOUD_URL", url.as_str()),
        ("THROTTLE_MAX_ATTEMPTS", "2"),
    ];
    let daemon = installation.daemon(&environment).await;
    (installation, nextcloud, daemon)
}

#[tokio::test]
async fn guesses_count_although_nextcloud_fails_or_throttles() {
    let (_installation, nextcloud, daemon) = strict_daemon().await;
    for (status, address) in [(503, "203.0.113.1"), (429, "203.0.113.2"), (500, "203.0.113.3")] {
        nextcloud.answer("/index.php/apps/notify_push/uid", Some(Answer::new(status, "")));
        for user in ["alice", "mallory"] {
            assert_eq!(answer_to(&daemon, address, user, "guess").await, LATER, "{status}");
        }
        let right = answer_to(&daemon, address, "alice", "correct horse").await;
        assert_eq!(right, LATER, "{status}");
    }
    let elsewhere = answer_to(&daemon, "203.0.113.9", "alice", "correct horse").await;
    assert_eq!(elsewhere, "authenticated");
}

#[tokio::test]
async fn guesses_count_although_the_client_disconnects() {
    let (_installation, nextcloud, daemon) = strict_daemon().await;
    nextcloud.delay(std::time::Duration::from_secs(3600));
    let chain = [("x-forwarded-for", "203.0.113.1")];
    let mut client = Client::connect_with(&daemon.url(), &chain).await.unwrap();
    client.say("alice").await;
    client.say("guess 1").await;
    nextcloud.asked_at_least(1).await;
    drop(client);
    assert_eq!(answer_to(&daemon, "203.0.113.1", "alice", "guess 2").await, LATER);
    assert_eq!(answer_to(&daemon, "203.0.113.1", "alice", "correct horse").await, LATER);
    assert_eq!(answer_to(&daemon, "203.0.113.2", "alice", "correct horse").await, "authenticated");
}

#[tokio::test]
async fn refused_logins_are_logged_with_address_name_and_reason() {
    let installation = Installation::start().await;
    installation.user("alice", "correct horse").await;
    let environment = [("LOG", "warn,notify_push::login=info"), ("THROTTLE_MAX_ATTEMPTS", "1")];
    let daemon = installation.daemon(&environment).await;
    for (user, password) in [("alice\u{1b}[0m", "guess"), ("alice", "correct horse")] {
        answer_to(&daemon, "203.0.113.7", user, password).await;
    }
    assert_eq!(answer_to(&daemon, "203.0.113.8", "alice", "correct horse").await, "authenticated");
    let log = daemon.log();
    for line in [
        r#"login refused address=203.0.113.7 reason=rejected user="alice\u{1b}[0m""#,
        r#"login refused address=203.0.113.7 reason=throttled user="alice""#,
        "logins throttled: too many failures from this address address=203.0.113.7",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(!log.contains("203.0.113.8") && !log.contains("correct horse"), "{log}");
}

/// Each login with an app password that isn't found costs a PHP request.
#[tokio::test]
async fn a_wrong_secret_is_logged_once() {
    let (installation, nextcloud) =
        (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
    installation.user("alice", "correct horse").await;
    installation.app_password("alice", APP_PASSWORD).await;
    nextcloud.account("alice", APP_PASSWORD, "alice");
    nextcloud.account("ldap-user", "a long password from LDAP", "ldap-user");
    let url = nextcloud.url();
    let environment = [
        ("AUTH", "database,nextcloud"),
        ("NEXTCLOUD_URL", url.as_str()),
        ("NEXTCLOUD_SECRET", "another secret"),
    ];
    let daemon = installation.daemon(&environment).await;
    assert_eq!(answer(&daemon, "ldap-user", "a long password from LDAP").await, "authenticated");
    assert!(!daemon.log().contains("NEXTCLOUD_SECRET"), "{}", daemon.log());
    for _ in 0..2 {
        assert_eq!(answer(&daemon, "alice", APP_PASSWORD).await, "authenticated");
    }
    let log = daemon.log();
    assert_eq!(log.matches("under this secret").count(), 1, "{log}");
}

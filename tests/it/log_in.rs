//! Who gets in, by which way, and what those hear who don't: the real daemon with a real database.

use crate::support::{
    client::Client,
    daemon::Daemon,
    faults::{Fault, FaultProxy},
    installation::Installation,
    mariadb::MariaDb,
    nextcloud::{Answer, Nextcloud, NextcloudSetup},
};

/// What a client hears that has shown wrong credentials (`specs/nextcloud.md` section 3).
const INVALID: &str = "err: Invalid credentials";

/// As the desktop client has one: 72 characters.
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
async fn a_login_in_capitals_listens_as_the_user_the_database_knows() {
    let (installation, daemon) = alice_and_bob().await;
    let mut client = Client::log_in(&daemon.url(), "ALICE", "correct horse").await;
    installation.custom("alice", "for_alice").await;
    assert_eq!(client.text().await, "for_alice");
}

#[tokio::test]
async fn a_ticket_is_good_once_whatever_comes_first() {
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
async fn a_database_that_is_away_is_no_wrong_password() {
    let mariadb = MariaDb::shared().await;
    let installation = Installation::on(mariadb.nextcloud().await).await;
    installation.user("alice", "correct horse").await;
    let proxy = FaultProxy::to(format!("127.0.0.1:{}", mariadb.port())).await;
    let url = installation.database.url();
    let url = url.replace(&mariadb.port().to_string(), &proxy.port().to_string());
    proxy.set(Fault::Cut);
    let daemon = installation.daemon(&[("DATABASE_URL", &url)]).await;
    let away = answer(&daemon, "alice", "correct horse").await;
    assert!(away.starts_with("err: ") && away != INVALID, "{away}");
    for internal in ["127.0.0.1", "sql", "atabase", &proxy.port().to_string()] {
        assert!(!away.contains(internal), "{away}");
    }
    proxy.set(Fault::None);
    crate::support::until("the database is used again", async || {
        (answer(&daemon, "alice", "correct horse").await == "authenticated").then_some(())
    })
    .await;
}

#[tokio::test]
async fn nextcloud_decides_what_the_database_cannot_and_learns_who_asks() {
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

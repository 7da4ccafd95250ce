//! Sessions that may not stay are found, and nobody else is, on each engine.

use crate::{
    database_logins::{ALICE, HASH, NOW, clock},
    support::{database::Database, mariadb::MariaDb, postgres::Postgres, sqlite::Sqlite},
};
use notify_push::{
    client::database::DatabaseClientError,
    services::nextcloud::accounts::{
        PasswordFingerprinter, RevocationBasis, RevocationChecker, SessionCheck,
    },
};

/// Sessions, each named after what it rests on.
fn session_checks(fingerprint: &PasswordFingerprinter) -> Vec<SessionCheck<&'static str>> {
    let account = RevocationBasis::Account(fingerprint.of(HASH));
    [
        ("app password", "alice", RevocationBasis::Token(1)),
        ("same app password", "alice", RevocationBasis::Token(1)),
        ("other app password", "alice", RevocationBasis::Token(2)),
        ("account password", "alice", account),
        ("ticket", "alice", RevocationBasis::User),
        ("bob's app password", "Bob", RevocationBasis::Token(3)),
        ("bob's account password", "Bob", account),
        ("bob's ticket", "Bob", RevocationBasis::User),
        ("from LDAP", "lars", RevocationBasis::User),
        ("demo", "nobody", RevocationBasis::Nothing),
    ]
    .map(|(session, recipient, claim)| SessionCheck { session, recipient: recipient.into(), claim })
    .into()
}

const BOBS: [&str; 3] = ["bob's app password", "bob's account password", "bob's ticket"];
const FIRST: [&str; 2] = ["app password", "same app password"];

/// What is done, what it ends, how it is undone.
fn changes() -> Vec<(String, &'static [&'static str], String)> {
    let token = |change: &str, back: &str| {
        let set = |what| format!("UPDATE oc_authtoken SET {what} WHERE id = 1");
        (set(change), &FIRST[..], set(back))
    };
    let disable = "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) VALUES";
    let enable = "DELETE FROM oc_preferences WHERE configkey = 'enabled'";
    let password = |to: &str| format!("UPDATE oc_users SET password = '{to}' WHERE uid = 'Bob'");
    vec![
        token(&format!("expires = {}", NOW - 1), "expires = NULL"),
        token("type = 2", "type = 1"),
        token("password_invalid = TRUE", "password_invalid = FALSE"),
        token("version = 1", "version = 2"),
        (format!("{disable} ('Bob', 'core', 'enabled', 'false')"), &BOBS[..], enable.to_owned()),
        (format!("{disable} ('Bob', 'core', 'enabled', 'true')"), &[], enable.to_owned()),
        (
            format!("{disable} ('lars', 'core', 'enabled', 'false')"),
            &["from LDAP"],
            enable.to_owned(),
        ),
        (password("3|$changed"), &BOBS[1..2], password(HASH)),
        (
            "DELETE FROM oc_users WHERE uid = 'Bob'".to_owned(),
            &BOBS[..2],
            format!(
                "INSERT INTO oc_users (uid, uid_lower, password) VALUES ('Bob', 'bob', '{HASH}')"
            ),
        ),
        ("DELETE FROM oc_authtoken WHERE id = 1".to_owned(), &FIRST[..], String::new()),
    ]
}

async fn finds_whom_to_send_away(database: &Database) {
    let users = format!(
        "INSERT INTO oc_users (uid, uid_lower, password) VALUES \
        ('alice', 'alice', '{HASH}'), ('Bob', 'bob', '{HASH}')"
    );
    database.execute(&users).await;
    let mut bob = ALICE;
    bob.user = "Bob";
    for (id, row) in [(1, ALICE), (2, ALICE), (3, bob)] {
        database.execute(&row.insert(id, &format!("app-password-number-{id:03}"))).await;
    }
    let fingerprint = PasswordFingerprinter::default();
    let session_checks = session_checks(&fingerprint);
    let revocation = RevocationChecker::new(database.store(), fingerprint, clock());
    for (change, ended, back) in changes() {
        assert_eq!(revocation.revoked(&session_checks).await, Ok(vec![]), "before {change}");
        database.execute(&change).await;
        assert_eq!(revocation.revoked(&session_checks).await, Ok(ended.to_vec()), "{change}");
        if !back.is_empty() {
            database.execute(&back).await;
        }
    }
}

#[tokio::test]
async fn on_sqlite() {
    finds_whom_to_send_away(&Sqlite::create().await.database()).await;
}

#[tokio::test]
async fn on_mariadb() {
    finds_whom_to_send_away(&MariaDb::shared().await.nextcloud().await).await;
}

#[tokio::test]
async fn on_postgresql() {
    finds_whom_to_send_away(&Postgres::shared().await.nextcloud().await).await;
}

#[tokio::test]
async fn a_database_that_cannot_say_sends_nobody_away() {
    let store = MariaDb::shared().await.empty().await.store();
    let fingerprint = PasswordFingerprinter::default();
    let session_checks = session_checks(&fingerprint);
    let outcome =
        RevocationChecker::new(store, fingerprint, clock()).revoked(&session_checks).await;
    assert!(matches!(outcome, Err(DatabaseClientError::Misconfigured(_))), "{outcome:?}");
}

/// More sessions than fit one query, all but one in order.
#[tokio::test]
async fn hundreds_of_sessions_are_looked_at_together() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    let fingerprint = PasswordFingerprinter::default();
    let mut users = Vec::new();
    let mut session_checks = Vec::new();
    for n in 0..600 {
        users.push(format!("('user{n}', 'user{n}', '{HASH}')"));
        let claim = RevocationBasis::Account(fingerprint.of(HASH));
        session_checks.push(SessionCheck {
            session: n,
            recipient: format!("user{n}").into(),
            claim,
        });
    }
    let insert = "INSERT INTO oc_users (uid, uid_lower, password) VALUES";
    database.execute(&format!("{insert} {}", users.join(","))).await;
    database.execute("DELETE FROM oc_users WHERE uid = 'user321'").await;
    let revocation = RevocationChecker::new(database.store(), fingerprint, clock());
    assert_eq!(revocation.revoked(&session_checks).await, Ok(vec![321]));
}

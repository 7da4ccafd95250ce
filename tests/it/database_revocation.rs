//! Sessions that are no longer valid are found, and no others, on each engine.

use crate::{
    database_logins::{ALICE, HASH, NOW, clock},
    support::{database::Database, mariadb::MariaDb, postgres::Postgres, sqlite::Sqlite},
};
use notify_push::{
    client::database::DatabaseClientError,
    push::{AppPasswordLogin, TicketOwner},
    services::nextcloud::accounts::{
        PasswordFingerprinter, RevocationBasis, RevocationChecker, SessionCheck,
    },
};

/// Sessions, each named after what it depends on.
fn session_checks(fingerprint: &PasswordFingerprinter) -> Vec<SessionCheck<&'static str>> {
    let account = RevocationBasis::Account(fingerprint.of(HASH));
    let ticket = RevocationBasis::Ticket(TicketOwner::Account(fingerprint.of(HASH)));
    let token = |token| {
        let (account, stored) = (fingerprint.short(HASH), fingerprint.short("encrypted"));
        RevocationBasis::Token(AppPasswordLogin { token, account, stored })
    };
    [
        ("app password", "alice", token(1)),
        ("same app password", "alice", token(1)),
        ("other app password", "alice", token(2)),
        ("account password", "alice", account),
        ("ticket", "alice", ticket),
        ("bob's app password", "Bob", token(3)),
        ("bob's app password with a password", "Bob", token(4)),
        ("bob's account password", "Bob", account),
        ("bob's ticket", "Bob", ticket),
        ("from LDAP", "lars", RevocationBasis::Nextcloud),
        ("ticket from LDAP", "lars", RevocationBasis::Ticket(TicketOwner::OtherBackEnd)),
        ("ticket of an unknown user", "nobody", RevocationBasis::Ticket(TicketOwner::Unknown)),
        ("demo", "nobody", RevocationBasis::Nothing),
    ]
    .map(|(session, recipient, basis)| SessionCheck { session, recipient: recipient.into(), basis })
    .into()
}

const BOBS: [&str; 4] = [
    "bob's app password",
    "bob's app password with a password",
    "bob's account password",
    "bob's ticket",
];
const LARS: [&str; 2] = ["from LDAP", "ticket from LDAP"];
const FIRST: [&str; 2] = ["app password", "same app password"];

async fn revoked<K: Copy>(
    revocation: &RevocationChecker,
    session_checks: &[SessionCheck<K>],
) -> Result<Vec<K>, DatabaseClientError> {
    Ok(revocation.check(session_checks).await?.revoked)
}

/// A change, the sessions that it ends, and how it is undone.
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
        (format!("{disable} ('lars', 'core', 'enabled', 'false')"), &LARS, enable.to_owned()),
        // The password stored with token 4 no longer fits, and Nextcloud would check it.
        (password("3|$changed"), &BOBS[1..], password(HASH)),
        (
            "UPDATE oc_preferences SET configkey = 'other' WHERE userid = 'lars'".to_owned(),
            &LARS[1..],
            "UPDATE oc_preferences SET configkey = 'lastLogin' WHERE userid = 'lars'".to_owned(),
        ),
        (
            "INSERT INTO oc_twofactor_providers (provider_id, uid, enabled) \
             VALUES ('totp', 'Bob', 1), ('backup_codes', 'alice', 1)"
                .to_owned(),
            &BOBS[2..3],
            "DELETE FROM oc_twofactor_providers".to_owned(),
        ),
        (
            "DELETE FROM oc_users WHERE uid = 'Bob'".to_owned(),
            &BOBS,
            format!(
                "INSERT INTO oc_users (uid, uid_lower, password) VALUES ('Bob', 'bob', '{HASH}')"
            ),
        ),
        ("DELETE FROM oc_authtoken WHERE id = 1".to_owned(), &FIRST[..], String::new()),
    ]
}

async fn finds_the_invalid_sessions(database: &Database) {
    let users = format!(
        "INSERT INTO oc_users (uid, uid_lower, password) VALUES \
        ('alice', 'alice', '{HASH}'), ('Bob', 'bob', '{HASH}')"
    );
    database.execute(&users).await;
    let mut bob = ALICE;
    bob.user = "Bob";
    let unchecked = bob.with_stored_password(NOW - 301);
    let last_login = "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) \
                      VALUES ('lars', 'login', 'lastLogin', '1'), ('Bob', 'login', 'lastLogin', '1')";
    database.execute(last_login).await;
    for (id, row) in [(1, ALICE), (2, ALICE), (3, bob), (4, unchecked)] {
        database.execute(&row.insert(id, &format!("app-password-number-{id:03}"))).await;
    }
    let fingerprint = PasswordFingerprinter::default();
    let session_checks = session_checks(&fingerprint);
    let revocation = RevocationChecker::new(database.store(), fingerprint, clock());
    for (change, ended, back) in changes() {
        assert_eq!(revoked(&revocation, &session_checks).await, Ok(vec![]), "before {change}");
        database.execute(&change).await;
        assert_eq!(revoked(&revocation, &session_checks).await, Ok(ended.to_vec()), "{change}");
        if !back.is_empty() {
            database.execute(&back).await;
        }
    }
}

#[tokio::test]
async fn on_sqlite() {
    finds_the_invalid_sessions(&Sqlite::create().await.database()).await;
}

#[tokio::test]
async fn on_mariadb() {
    finds_the_invalid_sessions(&MariaDb::shared().await.nextcloud().await).await;
}

#[tokio::test]
async fn on_postgresql() {
    finds_the_invalid_sessions(&Postgres::shared().await.nextcloud().await).await;
}

#[tokio::test]
async fn a_database_without_tables_ends_no_session() {
    let store = MariaDb::shared().await.empty().await.store();
    let fingerprint = PasswordFingerprinter::default();
    let session_checks = session_checks(&fingerprint);
    let outcome = RevocationChecker::new(store, fingerprint, clock()).check(&session_checks).await;
    assert!(matches!(outcome, Err(DatabaseClientError::Misconfigured(_))), "{outcome:?}");
}

/// More sessions than fit one query, all but one in order.
#[tokio::test]
async fn hundreds_of_sessions_are_checked_together() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    let fingerprint = PasswordFingerprinter::default();
    let mut users = Vec::new();
    let mut session_checks = Vec::new();
    for n in 0..600 {
        users.push(format!("('user{n}', 'user{n}', '{HASH}')"));
        let basis = RevocationBasis::Account(fingerprint.of(HASH));
        session_checks.push(SessionCheck {
            session: n,
            recipient: format!("user{n}").into(),
            basis,
        });
    }
    let insert = "INSERT INTO oc_users (uid, uid_lower, password) VALUES";
    database.execute(&format!("{insert} {}", users.join(","))).await;
    database.execute("DELETE FROM oc_users WHERE uid = 'user321'").await;
    let revocation = RevocationChecker::new(database.store(), fingerprint, clock());
    assert_eq!(revoked(&revocation, &session_checks).await, Ok(vec![321]));
}

/// Where Nextcloud accepted the password of a user that now has a second factor, it is asked again;
/// where the new account password was stored with an app password, that stays valid.
#[tokio::test]
async fn what_nextcloud_would_still_accept_stays() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    let fingerprint = PasswordFingerprinter::default();
    let sessions = session_checks(&fingerprint);
    let user =
        format!("INSERT INTO oc_users (uid, uid_lower, password) VALUES ('Bob', 'bob', '{HASH}')");
    database.execute(&user).await;
    let mut bob = ALICE;
    bob.user = "Bob";
    let unchecked = bob.with_stored_password(NOW - 301);
    database.execute(&unchecked.insert(4, "app-password-number-004")).await;
    let revocation = RevocationChecker::new(database.store(), fingerprint, clock());
    let session: Vec<_> = sessions
        .into_iter()
        .filter(|check| {
            ["bob's app password with a password", "from LDAP"].contains(&check.session)
        })
        .collect();
    for change in [
        "UPDATE oc_users SET password = '3|$changed'",
        "UPDATE oc_authtoken SET password = 'encrypted anew'",
        "INSERT INTO oc_twofactor_providers (provider_id, uid, enabled) VALUES ('totp', 'lars', 1)",
    ] {
        if change.contains("authtoken") {
            let ended = revoked(&revocation, &session).await;
            assert_eq!(ended, Ok(vec!["bob's app password with a password"]));
        }
        database.execute(change).await;
    }
    let findings = revocation.check(&session).await.expect("a database");
    assert_eq!((findings.revoked, findings.second_factor), (vec![], vec!["from LDAP"]));
}

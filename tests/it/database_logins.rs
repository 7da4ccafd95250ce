//! The database decides logins as Nextcloud does: the observed answers of
//! `specs/nextcloud.md` section 7, on each engine.

use crate::support::{database::Database, mariadb::MariaDb, postgres::Postgres, sqlite::Sqlite};
use notify_push::{
    push::{AuthDecision, AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials},
    server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
    services::nextcloud::{
        accounts::{
            ChainPosition, DatabaseAuthenticator, LoginRules, PasswordFingerprinter,
            UncheckedTokens, WallClock,
        },
        login::{AttemptRecord, Authenticator, hashing::HashingPool},
    },
};
use sha2::{Digest, Sha512};
use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

/// Seconds since 1970 that all these tests happen at.
pub(crate) const NOW: i64 = 1_800_000_000;

/// config.php's secret.
const SECRET: &str = "s3cret";

/// Cheap, and fits `right`.
pub(crate) const HASH: &str = "3|$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rc9SVIMTq5NJGXhhEkKX2z34B0IX900+yu18TYBLKbM";

/// 64-bit, as ids may be.
const FIRST_ID: i64 = 9_007_199_254_740_993;

/// The decision of the database.
#[derive(Debug, Clone, PartialEq)]
enum DatabaseDecision {
    /// Accepted as this user, with this app password or with the account password.
    Yes(&'static str, Option<i64>),
    No,
    /// Left to Nextcloud.
    Nothing,
    Unavailable,
}

use DatabaseDecision::{No, Nothing};

fn token(id: i64, user: &'static str) -> DatabaseDecision {
    DatabaseDecision::Yes(user, Some(FIRST_ID + id))
}

fn account(user: &'static str) -> DatabaseDecision {
    DatabaseDecision::Yes(user, None)
}

/// User, password, and the decisions with and without Nextcloud behind the database.
fn observed() -> Vec<(&'static str, &'static str, DatabaseDecision, DatabaseDecision)> {
    let right = |who: DatabaseDecision| (who.clone(), who);
    let refused = || (Nothing, No);
    let left = || (Nothing, Nothing);
    [
        ("alice", "stale-check-token-alice-", right(token(8, "alice"))),
        ("alice", "permanent-token-of-alice", right(token(1, "alice"))),
        ("ALICE", "permanent-token-of-alice", right(token(1, "alice"))),
        ("alice@example.com", "permanent-token-of-alice", refused()),
        ("Bob", "permanent-token-of-alice", refused()),
        ("nobody", "permanent-token-of-alice", refused()),
        ("alice", "deleted-token-of-alice-x", refused()),
        ("alice", "expired-token-of-alice-x", refused()),
        ("alice", "unexpired-token-of-alice", right(token(3, "alice"))),
        ("alice", "invalid-token-of-alice-x", refused()),
        ("alice", "version1-token-of-alice-", refused()),
        ("alice", "wiped-token-of-alice-xxx", refused()),
        ("alice", "session-token-of-alice-x", left()),
        ("alice", "fresh-check-token-alice-", right(token(9, "alice"))),
        ("alice", "without-secret-token-xxx", right(token(10, "alice"))),
        ("Alice@Example.com", "token-made-by-email-xxxx", right(token(11, "alice"))),
        ("alice", "token-made-by-email-xxxx", refused()),
        ("alice", "21-bytes-are-too-few-", refused()),
        ("carol", "token-of-disabled-carol-", refused()),
        ("lars", "token-of-lars-from-ldap-", left()),
        ("dave", "token-of-dave-two-factor", right(token(15, "dave"))),
        ("alice", "right", right(account("alice"))),
        ("aLiCe", "right", right(account("alice"))),
        ("bob", "right", right(account("Bob"))),
        ("alice", "wrong", refused()),
        ("alice@example.com", "right", refused()),
        ("nobody", "right", refused()),
        ("lars", "right", refused()),
        ("carol", "right", refused()),
        ("dave", "right", left()),
        ("dave", "wrong", refused()),
        ("erin", "right", right(account("erin"))),
        ("frank", "right", left()),
        ("alice", "0", refused()),
        ("0", "right", refused()),
        ("alice", "", refused()),
        ("", "permanent-token-of-alice", left()),
    ]
    .into_iter()
    .map(|(user, password, (followed, alone))| (user, password, followed, alone))
    .collect()
}

/// The rows of these users.
async fn fill(database: &Database) {
    let people = format!(
        "INSERT INTO oc_users (uid, uid_lower, password) VALUES ('alice', 'alice', '{HASH}'), \
        ('Bob', 'bob', '{HASH}'), ('carol', 'carol', '{HASH}'), ('dave', 'dave', '{HASH}'), \
        ('erin', 'erin', '{HASH}'), ('frank', 'frank', '')"
    );
    database.execute(&people).await;
    database
        .execute(
            "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) VALUES \
            ('carol', 'core', 'enabled', 'false'), ('alice', 'core', 'enabled', 'true'), \
            ('alice', 'files', 'enabled', 'false'), ('alice', 'core', 'lang', 'de')",
        )
        .await;
    database
        .execute(
            "INSERT INTO oc_twofactor_providers (provider_id, uid, enabled) VALUES \
            ('totp', 'dave', 1), ('backup_codes', 'erin', 1), ('totp', 'erin', 0)",
        )
        .await;
    let by_email = TokenRow { login: Some("alice@example.com"), ..ALICE };
    for (id, password, row) in [
        (1, "permanent-token-of-alice", ALICE),
        (2, "expired-token-of-alice-x", TokenRow { expires: NOW - 1, ..ALICE }),
        (3, "unexpired-token-of-alice", TokenRow { expires: NOW + 1, ..ALICE }),
        (4, "invalid-token-of-alice-x", TokenRow { invalid: true, ..ALICE }),
        (5, "version1-token-of-alice-", TokenRow { version: 1, ..ALICE }),
        (6, "wiped-token-of-alice-xxx", TokenRow { kind: 2, ..ALICE }),
        (7, "session-token-of-alice-x", TokenRow { kind: 0, ..ALICE }),
        (8, "stale-check-token-alice-", TokenRow { checked: Some(NOW - 300), ..ALICE }),
        (9, "fresh-check-token-alice-", TokenRow { checked: Some(NOW - 299), ..ALICE }),
        (10, "without-secret-token-xxx", TokenRow { secret: "", ..ALICE }),
        (11, "token-made-by-email-xxxx", by_email),
        (12, "21-bytes-are-too-few-", ALICE),
        (13, "token-of-disabled-carol-", TokenRow { user: "carol", ..ALICE }),
        (14, "token-of-lars-from-ldap-", TokenRow { user: "lars", ..ALICE }),
        (15, "token-of-dave-two-factor", TokenRow { user: "dave", ..ALICE }),
    ] {
        database.execute(&row.insert(FIRST_ID + id, password)).await;
    }
}

/// A row of `authtoken`.
#[derive(Clone, Copy)]
pub(crate) struct TokenRow {
    pub(crate) user: &'static str,
    login: Option<&'static str>,
    kind: i64,
    expires: i64,
    invalid: bool,
    version: i64,
    secret: &'static str,
    /// When its stored password was last checked, if it stores one.
    checked: Option<i64>,
}

pub(crate) const ALICE: TokenRow = TokenRow {
    user: "alice",
    login: None,
    kind: 1,
    expires: 0,
    invalid: false,
    version: 2,
    secret: SECRET,
    checked: None,
};

impl TokenRow {
    /// The same with an account password that Nextcloud checked at this time.
    pub(crate) fn with_stored_password(self, checked: i64) -> Self {
        Self { checked: Some(checked), ..self }
    }

    pub(crate) fn insert(&self, id: i64, password: &str) -> String {
        let Self { user, kind, expires, invalid, version, secret, .. } = self;
        let mut digest = String::new();
        for byte in Sha512::digest(format!("{password}{secret}")) {
            write!(digest, "{byte:02x}").unwrap();
        }
        let login = self.login.unwrap_or(user);
        let (stored, checked) = match self.checked {
            Some(checked) => ("'encrypted'", checked),
            None => ("NULL", 0),
        };
        format!(
            "INSERT INTO oc_authtoken (id, uid, login_name, password, token, type, last_check, \
            expires, version, password_invalid) VALUES ({id}, '{user}', '{login}', {stored}, \
            '{digest}', {kind}, {checked}, {expires}, {version}, {invalid})"
        )
    }
}

pub(crate) fn clock() -> WallClock {
    Arc::new(|| UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs()))
}

fn rules(chain_position: ChainPosition) -> LoginRules {
    LoginRules {
        secret: SECRET.into(),
        token_auth_enforced: false,
        two_factor_enforced: false,
        unchecked_tokens: UncheckedTokens::Accept,
        chain_position,
    }
}

fn hashing() -> HashingPool {
    HashingPool::new(2, ClientAddressResolver::new(vec![]), Arc::new(|_| true))
}

fn accounts(database: &Database, rules: LoginRules) -> DatabaseAuthenticator {
    DatabaseAuthenticator::new(
        database.store(),
        rules,
        hashing(),
        PasswordFingerprinter::default(),
        clock(),
    )
}

async fn ask(accounts: &DatabaseAuthenticator, user: &str, password: &str) -> DatabaseDecision {
    let credentials = LoginCredentials { user: user.to_owned(), password: password.into() };
    let attempt = LoginAttempt { credentials, peer: ConnectionPeer::default() };
    match accounts.check(&attempt, &AttemptRecord::default()).await {
        AuthDecision::Accept(AuthenticatedClient { recipient, auth_method }) => {
            let known = ["alice", "Bob", "dave", "erin"].into_iter();
            let user = known.into_iter().find(|known| *known == recipient.as_str());
            match auth_method {
                AuthMethod::AppPassword(login) => {
                    DatabaseDecision::Yes(user.expect("canonical"), Some(login.token))
                }
                AuthMethod::UncheckedAppPassword(unchecked) => {
                    DatabaseDecision::Yes(user.expect("canonical"), Some(unchecked.0.token))
                }
                AuthMethod::AccountPassword(_) => {
                    DatabaseDecision::Yes(user.expect("canonical"), None)
                }
                other => panic!("{other:?}"),
            }
        }
        AuthDecision::Reject => No,
        AuthDecision::Abstain => Nothing,
        AuthDecision::Unavailable => DatabaseDecision::Unavailable,
    }
}

async fn answers_as_observed(database: &Database) {
    fill(database).await;
    let followed = accounts(database, rules(ChainPosition::BeforeNextcloud));
    let alone = accounts(database, rules(ChainPosition::LastStep));
    for (user, password, with_next, without) in observed() {
        assert_eq!(ask(&followed, user, password).await, with_next, "followed {user} {password}");
        assert_eq!(ask(&alone, user, password).await, without, "alone {user} {password}");
    }
}

async fn follows_config_php(database: &Database) {
    for chain_position in [ChainPosition::BeforeNextcloud, ChainPosition::LastStep] {
        let enforced = LoginRules { token_auth_enforced: true, ..rules(chain_position) };
        let enforced = accounts(database, enforced);
        let refused = if chain_position == ChainPosition::LastStep { No } else { Nothing };
        assert_eq!(ask(&enforced, "alice", "right").await, refused);
        let app_password = ask(&enforced, "alice", "permanent-token-of-alice").await;
        assert_eq!(app_password, token(1, "alice"));
        let ask_first =
            LoginRules { unchecked_tokens: UncheckedTokens::AskFirst, ..rules(chain_position) };
        let ask_first = accounts(database, ask_first);
        assert_eq!(ask(&ask_first, "alice", "stale-check-token-alice-").await, Nothing);
        let fresh = ask(&ask_first, "alice", "fresh-check-token-alice-").await;
        assert_eq!(fresh, token(9, "alice"));
        let two_factor = LoginRules { two_factor_enforced: true, ..rules(chain_position) };
        let two_factor = accounts(database, two_factor);
        assert_eq!(ask(&two_factor, "alice", "right").await, Nothing);
        assert_eq!(ask(&two_factor, "alice", "wrong").await, refused);
    }
}

/// `DATABASE_URL` without config.php: app passwords can't be recognized and are not rejected.
#[tokio::test]
async fn without_the_secret_a_possible_app_password_is_not_rejected() {
    let sqlite = Sqlite::create().await;
    fill(&sqlite.database()).await;
    let secretless = LoginRules { secret: "".into(), ..rules(ChainPosition::LastStep) };
    let secretless = accounts(&sqlite.database(), secretless);
    assert_eq!(ask(&secretless, "alice", "permanent-token-of-alice").await, Nothing);
    assert_eq!(ask(&secretless, "alice", "without-secret-token-xxx").await, token(10, "alice"));
    assert_eq!(ask(&secretless, "alice", "right").await, account("alice"));
    assert_eq!(ask(&secretless, "alice", "wrong").await, No);
}

#[tokio::test]
async fn sqlite_answers_as_nextcloud_does() {
    let sqlite = Sqlite::create().await;
    answers_as_observed(&sqlite.database()).await;
    follows_config_php(&sqlite.database()).await;
    unknown_names_cost_what_users_do(&sqlite.database()).await;
}

#[tokio::test]
async fn mariadb_answers_as_nextcloud_does() {
    let database = MariaDb::shared().await.nextcloud().await;
    answers_as_observed(&database).await;
    follows_config_php(&database).await;
    // MariaDB compares with trailing blanks ignored: the canonical id is what counts.
    let alone = accounts(&database, rules(ChainPosition::LastStep));
    assert_eq!(ask(&alone, "alice  ", "right").await, account("alice"));
    // Unsigned: beyond 2038 is not in the past.
    let late = TokenRow { expires: 4_000_000_000, ..ALICE };
    database.execute(&late.insert(FIRST_ID + 99, "expires-in-the-year-2096")).await;
    assert_eq!(ask(&alone, "alice", "expires-in-the-year-2096").await, token(99, "alice"));
    unknown_names_cost_what_users_do(&database).await;
}

#[tokio::test]
async fn postgresql_answers_as_nextcloud_does() {
    let database = Postgres::shared().await.nextcloud().await;
    answers_as_observed(&database).await;
    follows_config_php(&database).await;
    unknown_names_cost_what_users_do(&database).await;
}

#[tokio::test]
async fn without_tables_no_login_is_accepted_or_rejected() {
    let database = MariaDb::shared().await.empty().await;
    for chain_position in [ChainPosition::BeforeNextcloud, ChainPosition::LastStep] {
        let accounts = accounts(&database, rules(chain_position));
        assert_eq!(ask(&accounts, "alice", "right").await, DatabaseDecision::Unavailable);
        let app_password = ask(&accounts, "alice", "permanent-token-of-alice").await;
        assert_eq!(app_password, DatabaseDecision::Unavailable);
    }
}

/// How many hashes an attempt costs while it is checked, and until it is refused; none is really
/// computed.
async fn hashes(
    database: &Database,
    chain_position: ChainPosition,
    user: &str,
    password: &str,
) -> (usize, usize) {
    let spent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&spent);
    let still_allowed = Arc::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    });
    let hashing = HashingPool::new(1, ClientAddressResolver::new(vec![]), still_allowed);
    let accounts = DatabaseAuthenticator::new(
        database.store(),
        rules(chain_position),
        hashing,
        PasswordFingerprinter::default(),
        clock(),
    );
    let credentials = LoginCredentials { user: user.to_owned(), password: password.into() };
    let attempt = LoginAttempt { credentials, peer: ConnectionPeer::default() };
    let record = AttemptRecord::default();
    accounts.check(&attempt, &record).await;
    let while_checked = spent.load(Ordering::Relaxed);
    accounts.equalize(&attempt, &record).await;
    (while_checked, spent.load(Ordering::Relaxed))
}

/// Every refused attempt costs the same, so that the time reveals no user names. Where only
/// Nextcloud can decide, accepted attempts cost no hash.
#[tokio::test]
async fn the_time_of_a_refusal_reveals_no_user_names() {
    use ChainPosition::{BeforeNextcloud, LastStep};
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    fill(&database).await;
    for password in ["wrong", "wrong and as long as an app password"] {
        for (user, before_nextcloud, last_step) in [
            ("alice", (1, 1), (1, 1)),
            ("carol", (1, 1), (1, 1)),
            ("dave", (1, 1), (1, 1)),
            // Unknown, or from LDAP.
            ("nobody", (0, 1), (1, 1)),
            ("lars", (0, 1), (1, 1)),
            // A hash that only Nextcloud can compare.
            ("frank", (0, 1), (0, 1)),
        ] {
            let spent = hashes(&database, BeforeNextcloud, user, password).await;
            assert_eq!(spent, before_nextcloud, "{user} {password}");
            let spent = hashes(&database, LastStep, user, password).await;
            assert_eq!(spent, last_step, "{user} {password}");
        }
    }
    for password in ["permanent-token-of-alice", "expired-token-of-alice-x", "0"] {
        assert_eq!(hashes(&database, LastStep, "alice", password).await, (0, 0), "{password}");
    }
}

/// An unknown name costs what real users cost, whatever the algorithm.
async fn unknown_names_cost_what_users_do(database: &Database) {
    const BCRYPT: &str = "1|$2y$05$VpulAdBkE6RHjRCLez/ZR.EnKr/h0TwxGK8PxMnMmaACY8QYPIcPS";
    for (stored, cost) in [(HASH, "$argon2id$v=19$m=64,t=1,p=1$"), (BCRYPT, "$2y$05$")] {
        database.execute(&format!("UPDATE oc_users SET password = '{stored}'")).await;
        let accounts = accounts(database, rules(ChainPosition::LastStep));
        for name in ["nobody", "mallory"] {
            let hash = accounts.hash_for_unknown(name).await;
            assert!(hash.starts_with(cost) && !stored.contains(&hash), "{hash}");
        }
    }
    // Installations that hold both: a name always costs the same, and names differ.
    database.execute(&format!("UPDATE oc_users SET password = '{HASH}' WHERE uid < 'c'")).await;
    let accounts = accounts(database, rules(ChainPosition::LastStep));
    let mut bcrypt = 0;
    for n in 0..64 {
        let name = format!("nobody{n}");
        let hash = accounts.hash_for_unknown(&name).await;
        assert_eq!(hash, accounts.hash_for_unknown(&name).await);
        bcrypt += usize::from(hash.starts_with("$2y$"));
    }
    assert!((1..64).contains(&bcrypt), "{bcrypt}");
}

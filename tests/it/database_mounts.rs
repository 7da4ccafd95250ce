//! Who sees what, read from each engine by a user who may read six tables and nothing else.

use crate::{
    database_logins::{ALICE, HASH, clock},
    support::{
        database::Database,
        mariadb::MariaDb,
        postgres::Postgres,
        settings::{server_of, store},
        sqlite::Sqlite,
    },
};
use notify_push::{
    client::database::{Database as Store, DatabaseEngine, DatabaseSettings},
    push::{AppPasswordLogin, recipient::Recipient},
    services::nextcloud::{
        accounts::{PasswordFingerprinter, RevocationBasis, RevocationChecker, SessionCheck},
        audience,
        audience::VisibleMount,
        mount_store::{MountStore, StorageMount},
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// What the daemon needs to read: `specs/nextcloud.md` section 7.
const TABLES: [&str; 6] =
    ["mounts", "filecache", "users", "authtoken", "preferences", "twofactor_providers"];

const BIG: i64 = 9_007_199_254_740_993;

async fn fill(database: &Database) {
    let mounts = format!(
        "INSERT INTO oc_mounts (storage_id, root_id, user_id, mount_point) VALUES \
        ({BIG}, {BIG}, 'alice', '/alice/'), \
        ({BIG}, 12, 'bob', '/bob/files/shared/'), \
        ({BIG}, 12, 'bob', '/bob/files/shared again/'), \
        ({BIG}, 13, 'bob', '/bob/files/other/'), \
        ({BIG}, 14, 'nobody', '/nobody/files/null/'), \
        ({BIG}, 15, 'gone', '/gone/files/no such row/'), \
        (7, 12, 'carol', '/carol/files/shared/')"
    );
    database.execute(&mounts).await;
    let paths = format!(
        "INSERT INTO oc_filecache (fileid, storage, path, path_hash) VALUES \
        ({BIG}, {BIG}, '', 'a'), (12, {BIG}, 'files/Größe & ''Ruhm''', 'b'), \
        (13, {BIG}, 'files/other', 'c'), (14, {BIG}, NULL, 'd')"
    );
    database.execute(&paths).await;
}

type MountRows = Vec<(i64, String, String)>;

fn row(mount: StorageMount<'_>) -> (i64, String, String) {
    (mount.storage, mount.root.to_owned(), mount.user.to_owned())
}

fn expected(rows: &[(i64, &str, &str)]) -> MountRows {
    rows.iter().map(|(storage, root, user)| (*storage, (*root).into(), (*user).into())).collect()
}

async fn on(directory: &MountStore, storage: i64) -> MountRows {
    let mut rows = MountRows::new();
    directory.mounts_of_storage(storage, &mut |mount| rows.push(row(mount))).await.unwrap();
    rows.sort();
    rows
}

async fn of(directory: &MountStore, users: &[&str]) -> MountRows {
    let users: Vec<Recipient> = users.iter().map(|user| Recipient::from(*user)).collect();
    let mut rows = MountRows::new();
    directory.mounts_of_users(&users, &mut |mount| rows.push(row(mount))).await.unwrap();
    rows.sort();
    rows
}

const SHARED: &str = "files/Größe & 'Ruhm'";

async fn reads_mounts(store: Arc<Store>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let directory = MountStore::new(store, move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let seen = on(&directory, BIG).await;
    let all = [(BIG, "", "alice"), (BIG, "files/other", "bob"), (BIG, SHARED, "bob")];
    let mut all = expected(&all);
    all.sort();
    assert_eq!(seen, all, "each once, without those whose root has no path");
    assert_eq!(on(&directory, 8).await, []);
    let by_users = of(&directory, &["carol", "alice", "stranger", "alice"]).await;
    assert_eq!(by_users, expected(&[(7, SHARED, "carol"), (BIG, "", "alice")]));
    assert_eq!(of(&directory, &[]).await, []);
    assert_eq!(asked.load(Ordering::Relaxed), 2, "storages are counted, not users");
    assert_eq!(directory.count_on(BIG).await, Ok(5), "rows, not users");
    assert_eq!(directory.count_on(8).await, Ok(0));
    speaks_for_recipients(&directory).await;
}

async fn speaks_for_recipients(directory: &MountStore) {
    let directory: &dyn audience::MountDirectory = directory;
    let seen = directory.visible_mounts(vec!["carol".into()]).await.unwrap();
    assert_eq!(seen, [VisibleMount { recipient: "carol".into(), storage: 7, root: SHARED.into() }]);
    assert!(directory.list_storage(BIG).await.is_ok());
}

async fn revokes(store: Arc<Store>) {
    let revocation = RevocationChecker::new(store, PasswordFingerprinter::default(), clock());
    let login = |token| AppPasswordLogin { token, ..AppPasswordLogin::default() };
    let session_check = |session, basis| SessionCheck { session, recipient: "alice".into(), basis };
    let session_checks = [
        session_check(1, RevocationBasis::Token(login(1))),
        session_check(2, RevocationBasis::Token(login(2))),
        session_check(3, RevocationBasis::Nextcloud),
    ];
    let findings = revocation.check(&session_checks).await.expect("a database");
    assert_eq!(findings.revoked, [2]);
}

async fn fill_accounts(database: &Database) {
    let user = "INSERT INTO oc_users (uid, uid_lower, password) VALUES ('alice', 'alice', ";
    database.execute(&format!("{user}'{HASH}')")).await;
    database.execute(&ALICE.insert(1, "permanent-token-of-alice")).await;
}

/// The database as a user who may read the six tables and nothing else.
fn as_reader(database: &Database, user: &str) -> DatabaseSettings {
    let mut settings = database.settings();
    let server = server_of(&mut settings);
    server.user = Some(user.to_owned());
    server.password = Some("six".into());
    settings
}

#[tokio::test]
async fn mariadb_says_who_sees_what_to_a_reader() {
    let mariadb = MariaDb::shared().await;
    let database = mariadb.nextcloud().await;
    fill(&database).await;
    fill_accounts(&database).await;
    let settings = as_reader(&database, "sixtables");
    let DatabaseEngine::MySql(server) = &settings.engine else { panic!("MariaDB") };
    let administrator = mariadb.administrator();
    administrator.execute("CREATE USER sixtables@'%' IDENTIFIED BY 'six'").await;
    for table in TABLES {
        let grant = format!("GRANT SELECT ON {}.oc_{table} TO sixtables@'%'", server.database);
        administrator.execute(&grant).await;
    }
    reads_mounts(store(&settings)).await;
    revokes(store(&settings)).await;
}

#[tokio::test]
async fn postgresql_says_who_sees_what_to_a_reader() {
    let postgres = Postgres::shared().await;
    let database = postgres.nextcloud().await;
    fill(&database).await;
    fill_accounts(&database).await;
    postgres.administrator().execute("CREATE ROLE sixtables LOGIN PASSWORD 'six'").await;
    for table in TABLES {
        postgres
            .in_database(&database)
            .execute(&format!("GRANT SELECT ON oc_{table} TO sixtables"))
            .await;
    }
    let settings = as_reader(&database, "sixtables");
    reads_mounts(store(&settings)).await;
    revokes(store(&settings)).await;
}

#[tokio::test]
async fn sqlite_says_who_sees_what() {
    let sqlite = Sqlite::create().await;
    fill(&sqlite.database()).await;
    fill_accounts(&sqlite.database()).await;
    reads_mounts(sqlite.database().store()).await;
    revokes(sqlite.database().store()).await;
}

/// A path that isn't UTF-8 (SQLite lets such in) leaves out one mount, not the storage.
#[tokio::test]
async fn an_unreadable_path_leaves_out_one_mount() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    fill(&database).await;
    database.execute("UPDATE oc_filecache SET path = CAST(x'ff' AS TEXT) WHERE fileid = 12").await;
    let directory = MountStore::new(database.store(), |_, _| ());
    let rest = expected(&[(BIG, "", "alice"), (BIG, "files/other", "bob")]);
    assert_eq!(on(&directory, BIG).await, rest);
}

/// More users than fit one query.
#[tokio::test]
async fn many_users_are_asked_about_in_pieces() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    fill(&database).await;
    let directory = MountStore::new(database.store(), |_, _| {});
    let mut users: Vec<String> = (0..1000).map(|n| format!("user{n}")).collect();
    users.push("carol".to_owned());
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    assert_eq!(of(&directory, &users).await, expected(&[(7, SHARED, "carol")]));
}

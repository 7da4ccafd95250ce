//! Mounts and shares, read from each engine by an account with SELECT on six tables and nothing else.

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
    push::AppPasswordLogin,
    services::nextcloud::{
        accounts::{PasswordFingerprinter, RevocationBasis, RevocationChecker, SessionCheck},
        audience::{MountDirectory, MountRow, RootDigest, RootPlace, ShareRow},
        mount_store::MountStore,
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
const SHARE: &str = "OCA\\Files_Sharing\\MountProvider";

async fn fill(database: &Database) {
    // MariaDB takes a backslash in a text for an escape.
    let share = match database {
        Database::MySql(_) => SHARE.replace('\\', "\\\\"),
        _ => SHARE.to_owned(),
    };
    let mounts = format!(
        "INSERT INTO oc_mounts (id, storage_id, root_id, user_id, mount_point, mount_provider_class) VALUES \
        (1, {BIG}, {BIG}, 'alice', '/alice/', NULL), \
        (2, {BIG}, 12, 'bob', '/bob/files/shared/', '{share}'), \
        (3, {BIG}, 12, 'bob', '/bob/files/shared again/', '{share}'), \
        (4, {BIG}, 13, 'bob', '/bob/files/other/', 'OCA\\GroupFolders\\Mount\\MountProvider'), \
        (5, {BIG}, 14, 'nobody', '/nobody/files/null/', NULL), \
        (6, {BIG}, 15, 'gone', '/gone/files/no such row/', NULL), \
        (7, 7, 12, 'carol', '/carol/files/shared/', '{share}')"
    );
    database.execute(&mounts).await;
    let paths = format!(
        "INSERT INTO oc_filecache (fileid, storage, path, path_hash) VALUES \
        ({BIG}, {BIG}, '', 'd41d8cd98f00b204e9800998ecf8427e'), \
        (12, {BIG}, 'files/Größe & ''Ruhm''', 'b'), \
        (13, {BIG}, 'files/other', 'c'), (14, {BIG}, NULL, 'd')"
    );
    database.execute(&paths).await;
    let share = "INSERT INTO oc_share (id, share_type, share_with, file_source) VALUES \
        (21, 0, 'bob', 12), (22, 1, 'staff', 12), (23, 0, 'dave', 99)";
    database.execute(share).await;
}

const SHARED: &str = "files/Größe & 'Ruhm'";

fn mount(id: i64, listed_in: i64, root: i64, path: &str, user: &str, by_share: bool) -> MountRow {
    let place = RootPlace { storage: BIG, path: path.into() };
    MountRow { id, listed_in, root, place, user: user.into(), by_share }
}

fn all_mounts() -> Vec<MountRow> {
    vec![
        mount(1, BIG, BIG, "", "alice", false),
        mount(2, BIG, 12, SHARED, "bob", true),
        mount(3, BIG, 12, SHARED, "bob", true),
        mount(4, BIG, 13, "files/other", "bob", false),
        mount(7, 7, 12, SHARED, "carol", true),
    ]
}

async fn listed(directory: &dyn MountDirectory, storages: &[i64]) -> Vec<MountRow> {
    let mut rows = directory.mounts_of(storages).await.unwrap();
    rows.sort_by_key(|row| row.id);
    rows
}

async fn reads_mounts(store: Arc<Store>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let directory = MountStore::new(store, move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let all = all_mounts();
    assert_eq!(listed(&directory, &[BIG]).await, all[..4], "roots without a path are left out");
    assert_eq!(listed(&directory, &[7, 8, BIG]).await, all);
    assert_eq!(listed(&directory, &[8]).await, []);
    assert_eq!(asked.load(Ordering::Relaxed), 3, "listings are counted");
    assert_eq!(directory.newest_mount().await, Ok(7));
    assert_eq!(directory.mounts_after(0, 2).await, Ok(all[..2].to_vec()));
    assert_eq!(directory.mounts_after(3, 9).await, Ok(all[3..].to_vec()));
    assert_eq!(directory.count_whole(BIG).await, Ok(1), "mounts of the storage's own root only");
    assert_eq!(directory.count_whole(8).await, Ok(0));
    reads_digests(&directory).await;
}

async fn reads_digests(directory: &MountStore) {
    let digest = |listed_in, root, path: &str, rows, newest| RootDigest {
        listed_in,
        root,
        place: RootPlace { storage: BIG, path: path.into() },
        rows,
        newest,
    };
    let mut digests = directory.digests_of(&[BIG, 7]).await.unwrap();
    digests.sort_by_key(|digest| (digest.listed_in, digest.root));
    let expected = [
        digest(7, 12, SHARED, 1, 7),
        digest(BIG, 12, SHARED, 2, 3),
        digest(BIG, 13, "files/other", 1, 4),
        digest(BIG, BIG, "", 1, 1),
    ];
    assert_eq!(digests, expected);
}

/// Installations that granted six tables go on working.
async fn shares_are_optional(store: Arc<Store>) {
    let directory = MountStore::new(store, |_, _| {});
    assert_eq!(directory.shares_of(&[7]).await, Ok(None));
}

/// `oc_share` is read where the account may.
async fn reads_shares(store: Arc<Store>) {
    let directory = MountStore::new(store, |_, _| {});
    let share = |id, kind, with: &str| ShareRow { id, root: 12, kind, with: with.into() };
    let mut shares = directory.shares_of(&[7]).await.unwrap().unwrap();
    shares.sort_by_key(|share| share.id);
    assert_eq!(shares, [share(21, 0, "bob"), share(22, 1, "staff")]);
    assert_eq!(directory.shares_of(&[8]).await, Ok(Some(vec![])));
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
async fn mariadb_mounts_are_read_by_an_account_with_six_tables() {
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
    shares_are_optional(store(&settings)).await;
    reads_shares(database.store()).await;
}

#[tokio::test]
async fn postgresql_mounts_are_read_by_an_account_with_six_tables() {
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
    shares_are_optional(store(&settings)).await;
    reads_shares(database.store()).await;
}

#[tokio::test]
async fn sqlite_mounts_are_read() {
    let sqlite = Sqlite::create().await;
    fill(&sqlite.database()).await;
    fill_accounts(&sqlite.database()).await;
    reads_mounts(sqlite.database().store()).await;
    reads_shares(sqlite.database().store()).await;
    revokes(sqlite.database().store()).await;
}

/// A path that isn't UTF-8 (SQLite stores such) leaves out one mount, not the storage.
#[tokio::test]
async fn an_unreadable_path_leaves_out_one_mount() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    fill(&database).await;
    database.execute("UPDATE oc_filecache SET path = CAST(x'ff' AS TEXT) WHERE fileid = 12").await;
    let directory = MountStore::new(database.store(), |_, _| ());
    let all = all_mounts();
    assert_eq!(listed(&directory, &[BIG]).await, [all[0].clone(), all[3].clone()]);
}

/// More storages than the longest list of one query.
#[tokio::test]
async fn many_storages_are_listed_in_several_queries() {
    let sqlite = Sqlite::create().await;
    let database = sqlite.database();
    fill(&database).await;
    let directory = MountStore::new(database.store(), |_, _| {});
    let storages: Vec<i64> = (7..1000).collect();
    assert_eq!(listed(&directory, &storages).await, all_mounts()[4..]);
}

//! The database is reached in every way that config.php can express, and failures name a remedy.

use crate::support::{
    database::{Database, PASSWORD},
    folder,
    mariadb::MariaDb,
    postgres::Postgres,
    settings::{server_of, store},
    sqlite::Sqlite,
};
use notify_push::{
    client::database::{
        Database as Store, DatabaseAddress, DatabaseClientError, DatabaseEngine, DatabaseSettings,
        DatabaseTlsMode, STATEMENT, SqlRow, database_url,
    },
    services::nextcloud::table_access::unreadable_tables,
};
use std::os::unix::fs::PermissionsExt;

const USERS: &str = "SELECT COUNT(*) FROM {p}users";

/// How many users there are.
async fn users(store: &Store) -> Result<i64, DatabaseClientError> {
    let mut count = -1;
    let statement = store.statement(USERS);
    let mut each = |row: &SqlRow<'_>| {
        count = row.int(0)?.unwrap_or(-1);
        Ok(())
    };
    store.query(&statement, &[], &mut each).await.map(|()| count)
}

pub(crate) async fn users_with(settings: &DatabaseSettings) -> Result<i64, DatabaseClientError> {
    users(&store(settings)).await
}

/// The settings with another way to the server.
fn at(database: &Database, address: DatabaseAddress) -> DatabaseSettings {
    let mut settings = database.settings();
    server_of(&mut settings).address = address;
    settings
}

pub(crate) fn unavailable(outcome: Result<i64, DatabaseClientError>) -> String {
    match outcome {
        Err(DatabaseClientError::Unavailable(why)) => {
            assert!(!why.contains(PASSWORD), "{why}");
            why.to_string()
        }
        other => panic!("{other:?}"),
    }
}

fn broken(outcome: Result<i64, DatabaseClientError>) -> String {
    match outcome {
        Err(DatabaseClientError::Misconfigured(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unix_sockets_are_reached() {
    let mariadb = MariaDb::shared().await;
    let database = mariadb.nextcloud().await;
    let socket = DatabaseAddress::Unix(mariadb.socket(), 0);
    assert_eq!(users_with(&at(&database, socket)).await, Ok(0));

    let postgres = Postgres::shared().await;
    let database = postgres.nextcloud().await;
    let socket = DatabaseAddress::Unix(postgres.socket_folder().to_owned(), postgres.port());
    assert_eq!(users_with(&at(&database, socket)).await, Ok(0));
}

#[tokio::test]
async fn a_socket_that_asks_for_verified_tls_needs_none() {
    let mariadb = MariaDb::shared().await;
    let mut settings = at(&mariadb.nextcloud().await, DatabaseAddress::Unix(mariadb.socket(), 0));
    server_of(&mut settings).tls.mode = DatabaseTlsMode::VerifyFull;
    assert_eq!(users_with(&settings).await, Ok(0));
}

/// Each engine's database with a table of the plain name `users`.
async fn without_prefix(database: &Database) {
    database.execute("CREATE TABLE users (uid VARCHAR(64))").await;
    database.execute("INSERT INTO users (uid) VALUES ('alice')").await;
    let settings = DatabaseSettings { prefix: String::new(), ..database.settings() };
    assert_eq!(users_with(&settings).await, Ok(1));
}

#[tokio::test]
async fn the_prefix_may_be_empty() {
    without_prefix(&MariaDb::shared().await.nextcloud().await).await;
    without_prefix(&Postgres::shared().await.nextcloud().await).await;
    without_prefix(&Sqlite::create().await.database()).await;
}

#[tokio::test]
async fn a_prefix_that_is_sql_is_refused() {
    let settings = Sqlite::create().await.database().settings();
    let settings = DatabaseSettings { prefix: "oc_users; --".to_owned(), ..settings };
    let refused = Store::new(&settings, fastrand::Rng::new()).err();
    assert_eq!(refused, Some(DatabaseClientError::Prefix("oc_users; --".to_owned())));
}

async fn explains_what_is_wrong(database: &Database) {
    let with = async |change: fn(&mut notify_push::client::database::DatabaseServer)| {
        let mut settings = database.settings();
        change(server_of(&mut settings));
        unavailable(users_with(&settings).await)
    };
    let password = with(|server| server.password = Some("wrong-one".into())).await;
    assert!(password.contains("dbpassword") && !password.contains("wrong-one"), "{password}");
    let name = with(|server| server.database = "nowhere".to_owned()).await;
    assert!(name.contains("dbname") && name.contains("nowhere"), "{name}");
    let port =
        with(|server| server.address = DatabaseAddress::Tcp("127.0.0.1".to_owned(), 1)).await;
    assert!(port.contains("127.0.0.1:1") && port.contains("dbhost"), "{port}");
    let prefix = DatabaseSettings { prefix: "other_".to_owned(), ..database.settings() };
    let prefix = broken(users_with(&prefix).await);
    assert!(prefix.contains("other_users") && prefix.contains("dbtableprefix"), "{prefix}");
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_remedy() {
    explains_what_is_wrong(&MariaDb::shared().await.nextcloud().await).await;
    explains_what_is_wrong(&Postgres::shared().await.nextcloud().await).await;
}

#[tokio::test]
async fn a_missing_sqlite_file_is_not_made() {
    let folder = folder("nothing");
    let file = folder.path().join("owncloud.db");
    let settings =
        DatabaseSettings { engine: DatabaseEngine::Sqlite(file.clone()), prefix: "oc_".to_owned() };
    let why = unavailable(users_with(&settings).await);
    assert!(why.contains("owncloud.db") && why.contains("does the file exist"), "{why}");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_missing_sqlite_table_is_reported_with_its_remedy() {
    let sqlite = Sqlite::create().await;
    let settings = sqlite.database().settings();
    let why =
        broken(users_with(&DatabaseSettings { prefix: "other_".to_owned(), ..settings }).await);
    assert!(why.contains("other_users") && why.contains("dbtableprefix"), "{why}");
}

/// The session itself refuses to write, whatever the user may do.
async fn refuses_to_write(database: &Database) {
    let store = database.store();
    let write = store.statement("INSERT INTO {p}users (uid) VALUES ('mallory')");
    let outcome = store.query(&write, &[], &mut |_| Ok(())).await;
    assert!(matches!(outcome, Err(DatabaseClientError::Misconfigured(_))), "{outcome:?}");
    assert_eq!(users(&store).await, Ok(0));
}

#[tokio::test]
async fn nothing_is_ever_written() {
    refuses_to_write(&MariaDb::shared().await.nextcloud().await).await;
    refuses_to_write(&Postgres::shared().await.nextcloud().await).await;
    refuses_to_write(&Sqlite::create().await.database()).await;
}

async fn number(database: &Database, sql: &str) -> i64 {
    let store = database.store();
    let mut number = -1;
    let mut each = |row: &SqlRow<'_>| {
        number = row.int(0)?.unwrap_or(-1);
        Ok(())
    };
    store.query(&store.statement(sql), &[], &mut each).await.unwrap();
    number
}

/// What nobody waits for any longer must not keep the server busy.
#[tokio::test]
async fn servers_get_the_same_time_limit_as_the_client() {
    let limit = i64::try_from(STATEMENT.as_secs()).unwrap();
    let mariadb = MariaDb::shared().await.nextcloud().await;
    let sql = "SELECT CAST(@@SESSION.max_statement_time AS SIGNED)";
    assert_eq!(number(&mariadb, sql).await, limit);
    let postgres = Postgres::shared().await.nextcloud().await;
    let sql = "SELECT setting::bigint / 1000 FROM pg_settings WHERE name = 'statement_timeout'";
    assert_eq!(number(&postgres, sql).await, limit);
}

/// An upgrade of Nextcloud alters tables under our prepared statements.
async fn follows_an_upgrade(database: &Database, owner: &Database, change: &str) {
    let store = database.store();
    let statement = store.statement("SELECT uid, password FROM {p}users");
    let ask = async || store.query(&statement, &[], &mut |_| Ok(())).await;
    assert_eq!(ask().await, Ok(()));
    owner.execute(&format!("ALTER TABLE oc_users {change}")).await;
    assert_eq!(ask().await, Ok(()), "{change}");
}

#[tokio::test]
async fn tables_may_be_altered_meanwhile() {
    let postgres = Postgres::shared().await;
    let database = postgres.nextcloud().await;
    let owner = postgres.in_database(&database);
    follows_an_upgrade(&database, &owner, "ALTER COLUMN uid TYPE TEXT").await;
    let database = MariaDb::shared().await.nextcloud().await;
    follows_an_upgrade(&database, &database, "MODIFY uid VARCHAR(255), ADD COLUMN x INT").await;
}

/// A user with no right at all on this database but to connect.
async fn another_user(database: &Database, name: &str) -> DatabaseSettings {
    let mut settings = database.settings();
    server_of(&mut settings).user = Some(name.to_owned());
    server_of(&mut settings).password = Some("reader's".into());
    settings
}

#[tokio::test]
async fn a_missing_right_is_reported_with_the_line_that_grants_it() {
    let mariadb = MariaDb::shared().await;
    let database = mariadb.nextcloud().await;
    let settings = another_user(&database, "reader").await;
    let DatabaseEngine::MySql(server) = &settings.engine else { panic!("MariaDB") };
    let name = &server.database;
    let administrator = mariadb.administrator();
    let create = "CREATE USER reader@'%' IDENTIFIED BY 'reader''s'";
    administrator.execute(create).await;
    administrator.execute(&format!("GRANT SELECT ON {name}.oc_mounts TO reader@'%'")).await;
    let why = broken(users_with(&settings).await);
    let remedy = format!("GRANT SELECT ON `{name}`.`oc_users` TO 'reader'@'127.0.0.1';");
    assert!(why.contains(&remedy), "{why}");
    let complaints = unreadable_tables(&store(&settings)).await.unwrap();
    let granted = complaints.iter().filter(|why| why.to_string().contains("oc_mounts")).count();
    assert_eq!((complaints.len(), granted), (6, 0), "{complaints:?}");
    assert_eq!(unreadable_tables(&database.store()).await, Ok(vec![]));

    let postgres = Postgres::shared().await;
    let settings = another_user(&postgres.nextcloud().await, "reader").await;
    let create = "CREATE ROLE reader LOGIN PASSWORD 'reader''s'";
    postgres.administrator().execute(create).await;
    let why = broken(users_with(&settings).await);
    assert!(why.contains("GRANT SELECT ON oc_users TO \"reader\";"), "{why}");
}

/// The name of the system user that runs this process, as `id` knows it.
fn system_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn postgresql_without_a_user_gets_the_system_user() {
    let folder = folder("peer");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let rules = folder.path().join("pg_hba.conf");
    std::fs::write(&rules, "local all postgres trust\nlocal all all peer\n").unwrap();
    let hba = format!("hba_file={}", rules.display());
    let postgres = Postgres::start_with(&[&hba]).await;
    let me = system_user();
    let create = format!("CREATE ROLE \"{me}\" LOGIN SUPERUSER");
    if me != "postgres" {
        postgres.administrator().execute(&create).await;
    }
    let (socket, port) = (postgres.socket_folder().display().to_string(), postgres.port());
    let url = format!("postgresql://anyname/postgres?host={socket}&port={port}");
    let engine = database_url(&url).unwrap().value;
    let settings = DatabaseSettings { engine, prefix: String::new() };
    let mut user = None;
    let store = store(&settings);
    let mut each = |row: &SqlRow<'_>| {
        user = row.text(0)?.map(str::to_owned);
        Ok(())
    };
    let sql = store.statement("SELECT CAST(current_user AS TEXT)");
    store.query(&sql, &[], &mut each).await.unwrap();
    assert_eq!(user, Some(me));
}

#[tokio::test]
async fn options_of_the_url_reach_postgresql() {
    let postgres = Postgres::shared().await;
    let database = postgres.nextcloud().await;
    let url = format!("{}?options=-c%20search_path%3Dnc,public&application_name=x", database.url());
    let engine = database_url(&url).unwrap().value;
    let store = store(&DatabaseSettings { engine, prefix: String::new() });
    for (setting, expected) in [("search_path", "nc,public"), ("application_name", "x")] {
        let mut value = None;
        let mut each = |row: &SqlRow<'_>| {
            value = row.text(0)?.map(str::to_owned);
            Ok(())
        };
        let sql = store.statement(&format!("SELECT current_setting('{setting}')"));
        store.query(&sql, &[], &mut each).await.unwrap();
        assert_eq!(value.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn no_statements_need_to_be_kept() {
    let mut settings = MariaDb::shared().await.nextcloud().await.settings();
    server_of(&mut settings).options.statement_cache = Some(0);
    let store = store(&settings);
    for _ in 0..3 {
        assert_eq!(users(&store).await, Ok(0));
    }
}

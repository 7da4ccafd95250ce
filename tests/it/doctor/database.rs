//! The doctor's findings about missing and excessive rights, with real database servers.

use super::fixture::{described, diagnose, lines, of, wrong};
use crate::support::{
    database::{Database, PASSWORD},
    mariadb::MariaDb,
    postgres::Postgres,
    sqlite::Sqlite,
};
use notify_push::doctor::{CheckFinding, CheckId, FindingState};

async fn findings(url: &str) -> Vec<CheckFinding> {
    let others = ["--redis-url", "redis://127.0.0.1:1", "--nextcloud-url", "http://127.0.0.1:1"];
    let arguments = [&["--database-url", url, "--port", "1"], &others[..]].concat();
    let findings = diagnose(described(&arguments), None).await;
    assert!(!format!("{findings:?}").contains(PASSWORD), "{findings:?}");
    findings
}

fn states(findings: &[CheckFinding]) -> [FindingState; 4] {
    let state = |check| of(findings, check)[0].state;
    [CheckId::Database, CheckId::Tables, CheckId::Rights, CheckId::Mounts].map(state)
}

const A_MOUNT: &str = "INSERT INTO oc_filecache (fileid, storage, path, path_hash) VALUES (7, 3, '', '7');\
    INSERT INTO oc_mounts (id, storage_id, root_id, user_id, mount_point) VALUES (1, 3, 7, 'a', '/a/');";

/// The URL of the database with another user.
fn as_user(database: &Database, user: &str, password: &str) -> String {
    let url = database.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.rsplit_once('@').unwrap().1;
    format!("{scheme}://{user}:{password}@{place}")
}

/// The statements of a remedy with the password filled in.
fn statements(findings: &[CheckFinding], check: CheckId) -> String {
    let finding = of(findings, check)[0];
    lines(finding)[0].replace("<password>", "secret")
}

#[tokio::test]
async fn mariadb_with_nextclouds_own_account_is_a_hint_whose_remedy_works() {
    let mariadb = MariaDb::start().await;
    let database = mariadb.nextcloud().await;
    database.execute(A_MOUNT).await;
    let found = findings(&database.url()).await;
    assert_eq!(
        states(&found),
        [FindingState::Fine, FindingState::Fine, FindingState::Hint, FindingState::Fine],
        "{found:#?}"
    );
    assert!(of(&found, CheckId::Mounts)[0].observed.starts_with("found 1 mount of storage 3 in"));
    mariadb.administrator().execute(&statements(&found, CheckId::Rights)).await;
    let found = findings(&as_user(&database, "notify_push", "secret")).await;
    assert_eq!(states(&found), [FindingState::Fine; 4], "{found:#?}");
}

#[tokio::test]
async fn postgres_with_nextclouds_own_account_is_a_hint_whose_remedy_works() {
    let postgres = Postgres::start().await;
    let database = postgres.nextcloud().await;
    database.execute(A_MOUNT).await;
    revoke_connect(&postgres, &database).await;
    let found = findings(&database.url()).await;
    assert_eq!(
        states(&found),
        [FindingState::Fine, FindingState::Fine, FindingState::Hint, FindingState::Fine],
        "{found:#?}"
    );
    let grants = statements(&found, CheckId::Rights);
    let (create, grant) = grants.split_once('\n').unwrap();
    postgres.administrator().execute(create).await;
    postgres.in_database(&database).execute(grant).await;
    let found = findings(&as_user(&database, "notify_push", "secret")).await;
    assert_eq!(states(&found), [FindingState::Fine; 4], "{found:#?}");
}

/// As Nextcloud's installer does (`specs/nextcloud.md`, section 11).
async fn revoke_connect(postgres: &Postgres, database: &Database) {
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    let revoke = format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC");
    postgres.administrator().execute(&revoke).await;
}

#[tokio::test]
async fn a_database_without_connect_comes_with_its_grant() {
    let postgres = Postgres::start().await;
    let database = postgres.nextcloud().await;
    revoke_connect(&postgres, &database).await;
    postgres.administrator().execute("CREATE ROLE push LOGIN PASSWORD 'secret'").await;
    let found = findings(&as_user(&database, "push", "secret")).await;
    let grant = lines(wrong(&found, CheckId::Database))[0];
    assert!(grant.starts_with("GRANT CONNECT ON DATABASE"), "{found:#?}");
    postgres.administrator().execute(grant).await;
    let found = findings(&as_user(&database, "push", "secret")).await;
    assert_eq!(of(&found, CheckId::Database)[0].state, FindingState::Fine, "{found:#?}");
}

#[tokio::test]
async fn a_grant_names_the_account_as_the_server_does() {
    let mariadb = MariaDb::start().await;
    let database = mariadb.nextcloud().await;
    mariadb.administrator().execute("CREATE USER 'push'@'127.0.0.1' IDENTIFIED BY 'secret'").await;
    let grant = "GRANT SELECT ON `nextcloud0`.`oc_mounts` TO 'push'@'127.0.0.1'";
    mariadb.administrator().execute(grant).await;
    let found = findings(&as_user(&database, "push", "secret")).await;
    let finding = wrong(&found, CheckId::Tables);
    assert!(lines(finding)[0].contains("TO 'push'@'127.0.0.1';"), "{finding:?}");
    mariadb.administrator().execute(lines(finding)[0]).await;
    let found = findings(&as_user(&database, "push", "secret")).await;
    assert_eq!(of(&found, CheckId::Tables)[0].state, FindingState::Fine, "{found:#?}");
    // The rights that every account has in MariaDB's own database `test` are no hint.
    assert_eq!(of(&found, CheckId::Rights)[0].state, FindingState::Fine, "{found:#?}");
}

#[tokio::test]
async fn an_unreadable_table_comes_with_its_grant() {
    let mariadb = MariaDb::start().await;
    let database = mariadb.nextcloud().await;
    let grants = findings(&database.url()).await;
    let grants = statements(&grants, CheckId::Rights);
    let without = grants.lines().filter(|line| !line.contains("oc_authtoken")).collect::<String>();
    mariadb.administrator().execute(&without).await;
    let found = findings(&as_user(&database, "notify_push", "secret")).await;
    let finding = wrong(&found, CheckId::Tables);
    assert!(
        lines(finding)[0].starts_with("GRANT SELECT ON `nextcloud0`.`oc_authtoken` TO"),
        "{finding:?}"
    );
    assert_eq!(of(&found, CheckId::Mounts)[0].observed, "skipped because tables failed");
}

#[tokio::test]
async fn a_wrong_prefix_is_no_table_at_all() {
    let sqlite = Sqlite::create().await;
    let url = sqlite.database().url();
    let others = ["--redis-url", "redis://127.0.0.1:1", "--database-prefix", "nc_"];
    let arguments = [&["--database-url", &url, "--port", "1"], &others[..]].concat();
    let found = diagnose(described(&arguments), None).await;
    let finding = wrong(&found, CheckId::Tables);
    assert!(finding.observed.contains("no such table: nc_mounts"), "{finding:?}");
    let all = of(&found, CheckId::Tables);
    assert_eq!((all.len(), all[0].details.len()), (1, 6), "{all:#?}");
}

#[tokio::test]
async fn a_missing_file_and_a_wrong_password_are_distinguished() {
    let found = findings("sqlite:///nowhere/owncloud.db").await;
    assert_eq!(lines(wrong(&found, CheckId::Database)), ["ls -l /nowhere/owncloud.db"]);
    let postgres = Postgres::shared().await;
    let database = postgres.nextcloud().await;
    let found = findings(&as_user(&database, "nextcloud", "hunter2")).await;
    let finding = wrong(&found, CheckId::Database);
    assert!(finding.observed.contains("dbpassword"), "{finding:?}");
    let remedy = format!("{:?}", finding.remedy);
    assert!(remedy.contains("command line --database-url"), "{remedy}");
    assert!(!format!("{found:?}").contains("hunter2"));
}

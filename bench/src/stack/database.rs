//! A database with Nextcloud's tables, as far as the daemon reads them.

use super::{BUSY, BUSY_MOUNTS, HOMES, SECRET, SHARED, SHARERS, app_password, user};
use crate::options::DatabaseKind;
use sha2::{Digest, Sha512};
use sqlx::{Connection, Executor, MySqlConnection, SqliteConnection};
use std::{
    error::Error,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

const TABLES: &[&str] = &[
    "CREATE TABLE oc_users (uid VARCHAR(64) PRIMARY KEY, password VARCHAR(255) NOT NULL, uid_lower VARCHAR(64))",
    "CREATE INDEX user_uid_lower ON oc_users (uid_lower)",
    "CREATE TABLE oc_authtoken (id BIGINT PRIMARY KEY, uid VARCHAR(64) NOT NULL, login_name VARCHAR(255) NOT NULL, password TEXT, token VARCHAR(200) NOT NULL, type SMALLINT, last_check BIGINT, expires BIGINT, version SMALLINT, password_invalid SMALLINT)",
    "CREATE UNIQUE INDEX authtoken_token_index ON oc_authtoken (token)",
    "CREATE TABLE oc_preferences (userid VARCHAR(64), appid VARCHAR(32), configkey VARCHAR(64), configvalue TEXT, PRIMARY KEY (userid, appid, configkey))",
    "CREATE TABLE oc_twofactor_providers (provider_id VARCHAR(32), uid VARCHAR(64), enabled SMALLINT, PRIMARY KEY (provider_id, uid))",
    "CREATE TABLE oc_mounts (id BIGINT PRIMARY KEY, storage_id BIGINT NOT NULL, root_id BIGINT NOT NULL, user_id VARCHAR(64) NOT NULL, mount_point VARCHAR(250) NOT NULL, mount_provider_class VARCHAR(128))",
    "CREATE INDEX mounts_storage_index ON oc_mounts (storage_id)",
    "CREATE INDEX mounts_root_index ON oc_mounts (root_id)",
    "CREATE TABLE oc_filecache (fileid BIGINT PRIMARY KEY, storage BIGINT NOT NULL, path VARCHAR(4000))",
    "CREATE TABLE oc_share (id BIGINT PRIMARY KEY, share_type SMALLINT NOT NULL, share_with VARCHAR(255), file_source BIGINT)",
    "CREATE INDEX file_source_index ON oc_share (file_source)",
];

/// A database of our own; a server stops when dropped.
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server with a socket in its folder.
    MariaDb { child: Child, socket: PathBuf },
}

impl Database {
    /// Starts an empty one.
    pub fn start(kind: DatabaseKind, folder: &Path) -> Result<Self, Box<dyn Error>> {
        match kind {
            DatabaseKind::Sqlite => Ok(Self::Sqlite(folder.join("owncloud.db"))),
            DatabaseKind::Mariadb => mariadb(folder),
        }
    }

    /// Its part of config.php.
    pub fn config(&self) -> String {
        match self {
            Self::Sqlite(file) => {
                let folder = file.parent().unwrap_or(Path::new("/")).display();
                format!("  'dbtype' => 'sqlite3',\n  'datadirectory' => '{folder}',")
            }
            Self::MariaDb { socket, .. } => format!(
                "  'dbtype' => 'mysql',\n  'dbhost' => 'localhost:{}',\n  'dbname' => 'nextcloud',\n  'dbuser' => 'root',\n  'dbpassword' => '',",
                socket.display()
            ),
        }
    }

    /// Makes the tables and so many users, each with an app password and a home.
    pub fn fill(&self, users: usize) -> Result<(), Box<dyn Error>> {
        let mut all = statements(users)?;
        if matches!(self, Self::MariaDb { .. }) {
            all.insert(0, "CREATE DATABASE nextcloud".into());
            all.insert(1, "USE nextcloud".into());
        }
        self.execute(&all)
    }

    /// Gives all app passwords a stored account password that Nextcloud checked long ago, as after a
    /// night with idle clients.
    pub fn age_tokens(&self) -> Result<(), Box<dyn Error>> {
        let age = "UPDATE oc_authtoken SET password = 'encrypted', last_check = 1".to_owned();
        match self {
            Self::Sqlite(_) => self.execute(&[age]),
            Self::MariaDb { .. } => self.execute(&["USE nextcloud".into(), age]),
        }
    }

    fn execute(&self, statements: &[String]) -> Result<(), Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            match self {
                Self::Sqlite(file) => {
                    let url = format!("sqlite://{}?mode=rwc", file.display());
                    let mut connection = SqliteConnection::connect(&url).await?;
                    run(&mut connection, statements).await?;
                }
                Self::MariaDb { socket, .. } => {
                    let url = format!("mysql://root@localhost/?socket={}", socket.display());
                    let mut connection = MySqlConnection::connect(&url).await?;
                    run(&mut connection, statements).await?;
                }
            }
            Ok(())
        })
    }
}

async fn run<C>(connection: &mut C, statements: &[String]) -> Result<(), sqlx::Error>
where
    for<'c> &'c mut C: Executor<'c>,
{
    for statement in statements {
        (&mut *connection).execute(sqlx::AssertSqlSafe(statement.as_str())).await?;
    }
    Ok(())
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::MariaDb { child, .. } = self {
            // Ended already is fine too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn mariadb(folder: &Path) -> Result<Database, Box<dyn Error>> {
    let (data, socket) = (folder.join("mariadb"), folder.join("mariadb.sock"));
    let installed = Command::new("mariadb-install-db")
        .args([
            "--no-defaults",
            "--user=root",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ])
        .arg(format!("--datadir={}", data.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !installed.success() {
        return Err("mariadb-install-db failed".into());
    }
    let child = Command::new("mariadbd")
        .args([
            "--no-defaults",
            "--user=root",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=0",
        ])
        .args(["--innodb-buffer-pool-size=256M", "--max-connections=100"])
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}", socket.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    for _ in 0..500 {
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            return Ok(Database::MariaDb { child, socket });
        }
        sleep(Duration::from_millis(20));
    }
    Err("mariadbd did not start".into())
}

fn statements(users: usize) -> Result<Vec<String>, std::fmt::Error> {
    let mut all: Vec<String> = TABLES.iter().map(|table| (*table).to_owned()).collect();
    let mut rows = InsertRows::default();
    let mut mount = 0_i64;
    let root = |storage: i64, rows: &mut InsertRows| {
        rows.add("oc_filecache", &format!("({storage}, {storage}, '')"));
    };
    root(SHARED, &mut rows);
    BUSY.for_each(|storage| root(storage, &mut rows));
    for number in 0..users.max(1) {
        let (name, home) = (user(number), HOMES + i64::try_from(number).unwrap_or(0));
        rows.add("oc_users", &format!("('{name}', '3|x', '{name}')"));
        let token = token(number);
        rows.add(
            "oc_authtoken",
            &format!("({number}, '{name}', '{name}', NULL, '{token}', 1, 0, NULL, 2, 0)"),
        );
        root(home, &mut rows);
        let mut storages = vec![home];
        storages.extend((number < SHARERS).then_some(SHARED));
        storages.extend(BUSY.filter(|_| number < BUSY_MOUNTS));
        for storage in storages {
            mount += 1;
            rows.add(
                "oc_mounts",
                &format!("({mount}, {storage}, {storage}, '{name}', '/{name}/{mount}/', NULL)"),
            );
        }
    }
    all.extend(rows.statements());
    Ok(all)
}

/// Inserts of many rows each.
#[derive(Default)]
struct InsertRows(Vec<(&'static str, Vec<String>)>);

impl InsertRows {
    fn add(&mut self, table: &'static str, row: &str) {
        match self.0.iter_mut().find(|(known, _)| *known == table) {
            Some((_, rows)) => rows.push(row.to_owned()),
            None => self.0.push((table, vec![row.to_owned()])),
        }
    }

    fn statements(&self) -> Vec<String> {
        let chunks = self
            .0
            .iter()
            .flat_map(|(table, rows)| rows.chunks(1000).map(move |rows| (table, rows)));
        let inserts =
            chunks.map(|(table, rows)| format!("INSERT INTO {table} VALUES {}", rows.join(",")));
        let begin = std::iter::once("BEGIN".to_owned());
        begin.chain(inserts).chain(std::iter::once("COMMIT".to_owned())).collect()
    }
}

/// As Nextcloud stores it: `specs/nextcloud.md` section 7.
fn token(number: usize) -> String {
    let digest = Sha512::digest(format!("{}{SECRET}", app_password(number)));
    digest.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

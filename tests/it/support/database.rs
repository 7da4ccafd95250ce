//! One database of a test's own, whatever the engine.

use sqlx::{
    AssertSqlSafe, ConnectOptions, mysql::MySqlConnectOptions, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};
use std::path::PathBuf;
use url::Url;

/// The user that every server fixture has, with a password that breaks careless URLs and quoting.
pub(crate) const USER: &str = "nextcloud";
/// See [`USER`].
pub(crate) const PASSWORD: &str = "p@ss/w?rd#1:%20&";

/// A database, with Nextcloud's tables when it was asked for so.
#[derive(Clone)]
pub(crate) enum Database {
    /// In a MariaDB server.
    MySql(MySqlConnectOptions),
    /// In a PostgreSQL server.
    Postgres(PgConnectOptions),
    /// A file.
    Sqlite(PathBuf),
}

impl Database {
    /// As `DATABASE_URL` takes it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::MySql(options) => plain(options.to_url_lossy()),
            Self::Postgres(options) => plain(options.to_url_lossy()),
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
        }
    }

    /// Runs statements, as a user who may do everything in this database.
    pub(crate) async fn execute(&self, sql: &str) {
        let outcome = match self {
            Self::MySql(options) => {
                let mut connection = options.connect().await.expect("a connection to MariaDB");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map(drop)
            }
            Self::Postgres(options) => {
                let mut connection = options.connect().await.expect("a connection to PostgreSQL");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map(drop)
            }
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
                let mut connection = options.connect().await.expect("a SQLite file");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map(drop)
            }
        };
        outcome.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
}

/// Without the settings that sqlx adds and nobody writes.
fn plain(mut url: Url) -> String {
    url.set_query(None);
    url.into()
}

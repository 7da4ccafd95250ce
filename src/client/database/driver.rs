//! What the three engines' connections must be able to do, and how their queries are bounded.

use super::{
    row::RowCells,
    sql::{SqlValue, with_literals},
};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, ready},
    stream,
    stream::BoxStream,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection, Error, MySqlConnection, PgConnection,
    SqliteConnection, query::Query,
};
use std::{sync::Arc, time::Duration};

/// Time limit for a query with all its rows. The server gets the same limit, so that an abandoned query
/// doesn't keep it busy. With [`super::ACQUIRE`] it leaves time to ask Nextcloud about a login instead.
pub const STATEMENT: Duration = Duration::from_secs(5);

const MYSQL_READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";

/// MariaDB and MySQL spell the same limit differently and reject each other's.
fn mysql_limit() -> String {
    let (seconds, millis) = (STATEMENT.as_secs(), STATEMENT.as_millis());
    format!(
        "SET @limited = 1 /*M!100102 , SESSION max_statement_time = {seconds} */ \
        /*!50708 , SESSION max_execution_time = {millis} */"
    )
}

/// One message of several statements is one transaction for the server, without `BEGIN`. So the limits
/// end with the query, and connection poolers pass it on in every mode: they keep a server connection
/// only for as long as a message or a transaction lasts, and never reset one in between.
fn postgres_message(query: &str) -> String {
    let millis = STATEMENT.as_millis();
    format!("SET LOCAL transaction_read_only = on; SET LOCAL statement_timeout = {millis}; {query}")
}

/// The rows of a query as they stream in.
pub(super) type RowStream<'c> = BoxStream<'c, Result<Box<dyn RowCells + Send>, Error>>;

/// A connection of one of the three engines.
pub(super) trait DatabaseDriver: Connection + Sized + 'static {
    /// Opens one connection.
    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>>;

    /// Whether the server refuses the login because the connection is encrypted.
    fn is_refused_with_tls(_: &Error) -> bool {
        false
    }

    /// Runs a query; `?` in it stands for a value.
    fn rows<'c>(&'c mut self, sql: &Arc<str>, values: &[SqlValue<'_>]) -> RowStream<'c>;

    /// Checks that the server answers.
    fn alive(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.ping())
    }
}

macro_rules! prepared_rows {
    () => {
        fn rows<'c>(&'c mut self, sql: &Arc<str>, values: &[SqlValue<'_>]) -> RowStream<'c> {
            let mut query: Query<'c, Self::Database, _> =
                sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            for value in values {
                query = match *value {
                    SqlValue::Int(number) => query.bind(number),
                    SqlValue::Text(text) => query.bind(text),
                };
            }
            query
                .fetch(self)
                .map(|row| row.map(|row| Box::new(row) as Box<dyn RowCells + Send>))
                .boxed()
        }
    };
}

impl DatabaseDriver for MySqlConnection {
    prepared_rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            for sql in [MYSQL_READ_ONLY.to_owned(), mysql_limit()] {
                let set = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
                tolerate_refusal(set.map(drop))?;
            }
            Ok(connection)
        })
    }
}

impl DatabaseDriver for PgConnection {
    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(options.connect())
    }

    /// No line of `pg_hba.conf` fits; libpq connects without TLS then, if its mode is `prefer`.
    fn is_refused_with_tls(error: &Error) -> bool {
        let reported = error.as_database_error();
        reported.and_then(|error| error.code()).as_deref() == Some("28000")
    }

    /// Uses the simple query protocol: a pooler in transaction or statement mode gives the two messages
    /// of a prepared statement to different servers.
    fn rows<'c>(&'c mut self, sql: &Arc<str>, values: &[SqlValue<'_>]) -> RowStream<'c> {
        match with_literals(sql, values) {
            Ok(query) => sqlx::raw_sql(AssertSqlSafe(postgres_message(&query)))
                .fetch(self)
                .map_ok(|row| Box::new(row) as Box<dyn RowCells + Send>)
                .boxed(),
            Err(error) => stream::once(ready(Err(Error::Encode(Box::new(error))))).boxed(),
        }
    }
}

impl DatabaseDriver for SqliteConnection {
    prepared_rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(options.connect())
    }
}

/// Proxies and old servers may refuse these settings. The daemon sends nothing but SELECT, so it goes on
/// without them.
fn tolerate_refusal(set: Result<(), Error>) -> Result<(), Error> {
    match set {
        Err(Error::Database(error)) => {
            tracing::debug!("the database refuses a session setting: {error}");
            Ok(())
        }
        other => other,
    }
}

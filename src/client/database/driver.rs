//! What the three engines' connections must be able to do, and the session each is given.

use super::{row::RowCells, sql::SqlValue};
use futures_util::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection, Error, MySqlConnection, PgConnection,
    SqliteConnection, query::Query,
};
use std::{sync::Arc, time::Duration};

/// How long a query may take, all its rows included. The servers are told to give up then, too, so
/// that what nobody waits for doesn't keep them busy. With [`super::ACQUIRE`] it leaves a client that
/// logs in time to be asked about elsewhere.
pub const STATEMENT: Duration = Duration::from_secs(5);

const MYSQL_READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";

/// MariaDB and MySQL spell the same limit differently and choke on each other's.
fn mysql_limit() -> String {
    let (seconds, millis) = (STATEMENT.as_secs(), STATEMENT.as_millis());
    format!(
        "SET @limited = 1 /*M!100102 , SESSION max_statement_time = {seconds} */ \
        /*!50708 , SESSION max_execution_time = {millis} */"
    )
}

fn postgres_session() -> String {
    let millis = STATEMENT.as_millis();
    format!("SET default_transaction_read_only = on; SET statement_timeout = {millis}")
}

/// A connection of one of the three engines.
pub(super) trait DatabaseDriver: Connection + Sized + 'static {
    /// Connects and makes the session read-only and bounded.
    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>>;

    /// Runs a prepared query.
    fn rows<'c>(
        &'c mut self,
        sql: &Arc<str>,
        values: &[SqlValue<'_>],
    ) -> BoxStream<'c, Result<Box<dyn RowCells + Send>, Error>>;

    /// Whether the server is still there.
    fn alive(&mut self) -> BoxFuture<'_, Result<(), Error>>;
}

macro_rules! rows {
    () => {
        fn rows<'c>(
            &'c mut self,
            sql: &Arc<str>,
            values: &[SqlValue<'_>],
        ) -> BoxStream<'c, Result<Box<dyn RowCells + Send>, Error>> {
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

        fn alive(&mut self) -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(self.ping())
        }
    };
}

impl DatabaseDriver for MySqlConnection {
    rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            for sql in [MYSQL_READ_ONLY.to_owned(), mysql_limit()] {
                let set = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
                refused(set.map(drop))?;
            }
            Ok(connection)
        })
    }
}

impl DatabaseDriver for PgConnection {
    rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            let set = sqlx::raw_sql(AssertSqlSafe(postgres_session()));
            let set = set.execute(&mut connection).await;
            refused(set.map(drop))?;
            Ok(connection)
        })
    }
}

impl DatabaseDriver for SqliteConnection {
    rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(options.connect())
    }
}

/// Proxies and old servers may refuse these settings; we only ever send SELECT, so we go on without.
fn refused(set: Result<(), Error>) -> Result<(), Error> {
    match set {
        Err(Error::Database(error)) => {
            tracing::debug!("the database refuses a session setting: {error}");
            Ok(())
        }
        other => other,
    }
}

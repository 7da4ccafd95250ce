//! What the three engines' connections must be able to do, and the session each is given.

use super::{row::Cells, sql::Value};
use futures_util::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection, Error, MySqlConnection, PgConnection,
    SqliteConnection, query::Query,
};
use std::{sync::Arc, time::Duration};

/// How long a query may take, all its rows included. The servers are told to give up then, too, so
/// that what nobody waits for doesn't keep them busy.
pub const STATEMENT: Duration = Duration::from_secs(8);

/// MariaDB and MySQL spell the same limit differently and choke on each other's.
const MYSQL_SESSION: &str = "SET SESSION TRANSACTION READ ONLY";
const MYSQL_LIMIT: &str = "SET @limited = 1 \
    /*M!100102 , SESSION max_statement_time = 8 */ /*!50708 , SESSION max_execution_time = 8000 */";
const POSTGRES_SESSION: &str =
    "SET default_transaction_read_only = on; SET statement_timeout = 8000";

/// A connection of one of the three engines.
pub(super) trait Driver: Connection + Sized + 'static {
    /// Connects and makes the session read-only and bounded.
    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>>;

    /// Runs a prepared query.
    fn rows<'c>(
        &'c mut self,
        sql: &Arc<str>,
        values: &[Value<'_>],
    ) -> BoxStream<'c, Result<Box<dyn Cells + Send>, Error>>;

    /// Whether the server is still there.
    fn alive(&mut self) -> BoxFuture<'_, Result<(), Error>>;
}

macro_rules! rows {
    () => {
        fn rows<'c>(
            &'c mut self,
            sql: &Arc<str>,
            values: &[Value<'_>],
        ) -> BoxStream<'c, Result<Box<dyn Cells + Send>, Error>> {
            let mut query: Query<'c, Self::Database, _> =
                sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            for value in values {
                query = match *value {
                    Value::Int(number) => query.bind(number),
                    Value::Text(text) => query.bind(text),
                };
            }
            query
                .fetch(self)
                .map(|row| row.map(|row| Box::new(row) as Box<dyn Cells + Send>))
                .boxed()
        }

        fn alive(&mut self) -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(self.ping())
        }
    };
}

impl Driver for MySqlConnection {
    rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            for sql in [MYSQL_SESSION, MYSQL_LIMIT] {
                let set = sqlx::raw_sql(sql).execute(&mut connection).await;
                refused(set.map(drop))?;
            }
            Ok(connection)
        })
    }
}

impl Driver for PgConnection {
    rows!();

    fn open(options: &Self::Options) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            let set = sqlx::raw_sql(POSTGRES_SESSION).execute(&mut connection).await;
            refused(set.map(drop))?;
            Ok(connection)
        })
    }
}

impl Driver for SqliteConnection {
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

//! Through PgBouncer in each of its modes queries work, and other clients of the pool find their settings unchanged.

use crate::support::{
    database::Database, pgbouncer::PgBouncer, postgres::Postgres, settings::store,
};
use futures_util::future::join_all;
use notify_push::client::database::{
    Database as Store, DatabaseClientError, STATEMENT, SqlRow, SqlValue,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

/// A user name with everything that a careless literal breaks on.
const NAME: &str = "o'Neil \\ $1 ? {list} \u{e9}\u{4e16}";

async fn matches(store: &Store, sql: &str, values: &[&str]) -> Result<usize, DatabaseClientError> {
    let values: Vec<_> = values.iter().map(|value| SqlValue::Text(value)).collect();
    let (statement, mut count) = (store.statement(sql), 0);
    let mut each = |row: &SqlRow<'_>| {
        assert!(row.text(0)?.is_some());
        count += 1;
        Ok(())
    };
    store.query_list(&statement, &values, &mut each).await.map(|()| count)
}

async fn number(store: &Store, sql: &str) -> Result<Option<i64>, DatabaseClientError> {
    let mut number = None;
    let mut each = |row: &SqlRow<'_>| {
        number = row.int(0)?;
        Ok(())
    };
    store.query(&store.statement(sql), &[], &mut each).await.map(|()| number)
}

/// What another client of the same pool finds.
async fn other_client(pooler: &PgBouncer, database: &Database) -> Vec<String> {
    let mut connection = pooler.other_client(database).connect().await.unwrap();
    let mut found = Vec::new();
    for sql in ["SHOW default_transaction_read_only", "SHOW statement_timeout"] {
        let row = sqlx::raw_sql(sql).fetch_one(&mut connection).await.unwrap();
        found.push(row.get::<String, _>(0));
    }
    let insert = "INSERT INTO public.oc_users (uid) VALUES ('x') ON CONFLICT DO NOTHING";
    let inserted = sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut connection).await;
    found.push(inserted.map_or_else(|error| error.to_string(), |_| "inserted".to_owned()));
    found
}

async fn queries_work_and_leave_no_trace(mode: &str) {
    let postgres = Postgres::shared().await;
    let database = postgres.nextcloud().await;
    let name = NAME.replace('\'', "''");
    database.execute(&format!("INSERT INTO oc_users (uid) VALUES ('{name}'), ('al-ice')")).await;
    let pooler = PgBouncer::start(postgres, mode).await;
    let store = store(&pooler.settings(&database));

    let sql = "SELECT uid FROM {p}users WHERE uid IN ({list})";
    assert_eq!(matches(&store, sql, &[NAME, "al-ice", "x' OR 'a' = 'a", "nul\0"]).await, Ok(2));
    let many = join_all((0..40).map(|_| matches(&store, sql, &[NAME]))).await;
    assert!(many.iter().all(|count| *count == Ok(1)), "{mode}: {many:?}");
    assert_eq!(number(&store, "SELECT true").await, Ok(Some(1)));
    assert_eq!(number(&store, "SELECT NULL::boolean").await, Ok(None));
    let limit = "SELECT setting::bigint / 1000 FROM pg_settings WHERE name = 'statement_timeout'";
    assert_eq!(number(&store, limit).await, Ok(i64::try_from(STATEMENT.as_secs()).ok()));
    let write = "INSERT INTO {p}users (uid) VALUES ('mallory') RETURNING 1";
    let refused = number(&store, write).await;
    assert!(matches!(refused, Err(DatabaseClientError::Misconfigured(_))), "{refused:?}");
    assert_eq!(matches(&store, sql, &[NAME]).await, Ok(1), "{mode}: after a failure");

    for _ in 0..4 {
        let found = other_client(&pooler, &database).await;
        assert_eq!(found, ["off", "0", "inserted"], "{mode}");
    }
    drop(store);
    for _ in 0..4 {
        let found = other_client(&pooler, &database).await;
        assert_eq!(found, ["off", "0", "inserted"], "{mode}: afterwards");
    }
}

#[tokio::test]
async fn session_mode_works_and_is_left_clean() {
    queries_work_and_leave_no_trace("session").await;
}

#[tokio::test]
async fn transaction_mode_works_and_is_left_clean() {
    queries_work_and_leave_no_trace("transaction").await;
}

#[tokio::test]
async fn statement_mode_works_and_is_left_clean() {
    queries_work_and_leave_no_trace("statement").await;
}

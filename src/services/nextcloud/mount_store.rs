//! Who sees which part of a storage: `mounts` joined with `filecache` (`specs/nextcloud.md` section 7).

use crate::{
    client::database::{
        Database, DatabaseClientError, MAX_LIST, RowCallback, SqlRow, SqlStatement, SqlValue,
    },
    push::recipient::Recipient,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// One user's one mount of a storage, lent while the rows stream in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StorageMount<'a> {
    /// The storage.
    pub storage: i64,
    /// The part of it that the user sees: a path without a leading slash, `""` for all of it.
    pub root: &'a str,
    /// The user id, canonical.
    pub user: &'a str,
}

/// Takes mounts one by one, each once for one query.
pub type MountVisitor<'f> = &'f mut (dyn FnMut(StorageMount<'_>) + Send);

/// Reads mounts from Nextcloud's database.
pub struct MountStore {
    database: Arc<Database>,
    /// Told of each query for the mounts of a storage (the original's `mapping_query_count`): whether
    /// it was answered, and how long it took.
    on_query: Box<dyn Fn(bool, Duration) + Send + Sync>,
    by_storage: SqlStatement,
    by_users: SqlStatement,
    count: SqlStatement,
}

// Some mounts are listed several times (one storage, several mount points); the inner SELECT sorts
// that out on two short columns, which the engines do faster than on the path.
const ON_STORAGE: &str = "SELECT m.storage_id, f.path, m.user_id FROM \
    (SELECT DISTINCT storage_id, root_id, user_id FROM {p}mounts WHERE storage_id = ?) m \
    INNER JOIN {p}filecache f ON f.fileid = m.root_id";
const OF_USERS: &str = "SELECT m.storage_id, f.path, m.user_id FROM \
    (SELECT DISTINCT storage_id, root_id, user_id FROM {p}mounts WHERE user_id IN ({list})) m \
    INNER JOIN {p}filecache f ON f.fileid = m.root_id";
const COUNT: &str = "SELECT COUNT(*) FROM {p}mounts m INNER JOIN {p}filecache f \
    ON f.fileid = m.root_id WHERE m.storage_id = ?";

impl MountStore {
    /// `on_query` is told of each query for the mounts of a storage: whether it was answered, and how
    /// long it took, waiting for a connection included.
    pub fn new(
        database: Arc<Database>,
        on_query: impl Fn(bool, Duration) + Send + Sync + 'static,
    ) -> Self {
        Self {
            on_query: Box::new(on_query),
            by_storage: database.statement(ON_STORAGE),
            by_users: database.statement(OF_USERS),
            count: database.statement(COUNT),
            database,
        }
    }

    /// Everybody who sees a part of this storage.
    ///
    /// # Errors
    /// [`DatabaseClientError`]; some mounts may have been handed on by then.
    pub async fn mounts_of_storage(
        &self,
        storage: i64,
        each: MountVisitor<'_>,
    ) -> Result<(), DatabaseClientError> {
        self.ask(&self.by_storage, storage, &mut |row| visit_row(row, each)).await
    }

    /// Everything that one user sees.
    ///
    /// # Errors
    /// [`DatabaseClientError`]; some mounts may have been handed on by then.
    pub async fn mounts_of(
        &self,
        user: &str,
        each: MountVisitor<'_>,
    ) -> Result<(), DatabaseClientError> {
        self.by_users(&[SqlValue::Text(user)], each).await
    }

    /// Everything that these users see, in any order, in as few queries as possible.
    ///
    /// # Errors
    /// [`DatabaseClientError`]; some mounts may have been handed on by then.
    pub async fn mounts_of_users(
        &self,
        users: &[Recipient],
        each: MountVisitor<'_>,
    ) -> Result<(), DatabaseClientError> {
        let distinct: HashSet<&str> = users.iter().map(Recipient::as_str).collect();
        let values: Vec<_> = distinct.into_iter().map(SqlValue::Text).collect();
        self.by_users(&values, each).await
    }

    /// How many mount rows there are on this storage: what `/test/mapping` answers.
    ///
    /// # Errors
    /// [`DatabaseClientError`].
    pub async fn count_on(&self, storage: i64) -> Result<i64, DatabaseClientError> {
        let mut count = 0;
        let mut each = |row: &SqlRow<'_>| {
            count = row.int(0)?.unwrap_or_default();
            Ok(())
        };
        self.ask(&self.count, storage, &mut each).await?;
        Ok(count)
    }

    /// A question about one storage, and the report of how it went.
    async fn ask(
        &self,
        statement: &SqlStatement,
        storage: i64,
        each: RowCallback<'_>,
    ) -> Result<(), DatabaseClientError> {
        let started = Instant::now();
        let answered = self.database.query(statement, &[SqlValue::Int(storage)], each).await;
        (self.on_query)(answered.is_ok(), started.elapsed());
        answered
    }

    async fn by_users(
        &self,
        users: &[SqlValue<'_>],
        each: MountVisitor<'_>,
    ) -> Result<(), DatabaseClientError> {
        for chunk in users.chunks(MAX_LIST) {
            self.database
                .query_list(&self.by_users, chunk, &mut |row| visit_row(row, each))
                .await?;
        }
        Ok(())
    }
}

/// A root whose path can't be read covers nothing: better silent for one mount than telling
/// somebody of files that aren't theirs, or telling nobody of the whole storage.
fn visit_row(row: &SqlRow<'_>, each: MountVisitor<'_>) -> Result<(), sqlx::Error> {
    let Some(storage) = row.int(0)? else { return Ok(()) };
    match (row.text(1), row.text(2)) {
        (Ok(Some(root)), Ok(Some(user))) => each(StorageMount { storage, root, user }),
        (Ok(_), Ok(_)) => {}
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(storage, "a mount can't be read and is left out: {error}");
        }
    }
    Ok(())
}

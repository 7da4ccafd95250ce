//! Who sees which part of a storage: `mounts` joined with `filecache` (`specs/nextcloud.md` section 7).

use crate::{
    client::database::{Database, Each, MAX_LIST, Row, Statement, StoreError, Value},
    push::recipient::Recipient,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// One user's one mount of a storage, lent while the rows stream in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mount<'a> {
    /// The storage.
    pub storage: i64,
    /// The part of it that the user sees: a path without a leading slash, `""` for all of it.
    pub root: &'a str,
    /// The user id, canonical.
    pub user: &'a str,
}

/// Takes mounts one by one, each once for one query.
pub type EachMount<'f> = &'f mut (dyn FnMut(Mount<'_>) + Send);

/// Reads mounts from Nextcloud's database.
pub struct Directory {
    database: Arc<Database>,
    /// Told of each query for the mounts of a storage (the original's `mapping_query_count`): whether
    /// it was answered, and how long it took.
    asked: Box<dyn Fn(bool, Duration) + Send + Sync>,
    on_storage: Statement,
    of_users: Statement,
    count: Statement,
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

impl Directory {
    /// `asked` is told of each query for the mounts of a storage: whether it was answered, and how
    /// long it took, waiting for a connection included.
    pub fn new(
        database: Arc<Database>,
        asked: impl Fn(bool, Duration) + Send + Sync + 'static,
    ) -> Self {
        Self {
            asked: Box::new(asked),
            on_storage: database.statement(ON_STORAGE),
            of_users: database.statement(OF_USERS),
            count: database.statement(COUNT),
            database,
        }
    }

    /// Everybody who sees a part of this storage.
    ///
    /// # Errors
    /// [`StoreError`]; some mounts may have been handed on by then.
    pub async fn mounts_on(&self, storage: i64, each: EachMount<'_>) -> Result<(), StoreError> {
        self.ask(&self.on_storage, storage, &mut |row| hand_on(row, each)).await
    }

    /// Everything that one user sees.
    ///
    /// # Errors
    /// [`StoreError`]; some mounts may have been handed on by then.
    pub async fn mounts_of(&self, user: &str, each: EachMount<'_>) -> Result<(), StoreError> {
        self.of_users(&[Value::Text(user)], each).await
    }

    /// Everything that these users see, in any order, in as few queries as possible.
    ///
    /// # Errors
    /// [`StoreError`]; some mounts may have been handed on by then.
    pub async fn mounts_of_many(
        &self,
        users: &[Recipient],
        each: EachMount<'_>,
    ) -> Result<(), StoreError> {
        let distinct: HashSet<&str> = users.iter().map(Recipient::as_str).collect();
        let values: Vec<_> = distinct.into_iter().map(Value::Text).collect();
        self.of_users(&values, each).await
    }

    /// How many mount rows there are on this storage: what `/test/mapping` answers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_on(&self, storage: i64) -> Result<i64, StoreError> {
        let mut count = 0;
        let mut each = |row: &Row<'_>| {
            count = row.int(0)?.unwrap_or_default();
            Ok(())
        };
        self.ask(&self.count, storage, &mut each).await?;
        Ok(count)
    }

    /// A question about one storage, and the report of how it went.
    async fn ask(
        &self,
        statement: &Statement,
        storage: i64,
        each: Each<'_>,
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        let answered = self.database.query(statement, &[Value::Int(storage)], each).await;
        (self.asked)(answered.is_ok(), begun.elapsed());
        answered
    }

    async fn of_users(&self, users: &[Value<'_>], each: EachMount<'_>) -> Result<(), StoreError> {
        for chunk in users.chunks(MAX_LIST) {
            self.database.query_list(&self.of_users, chunk, &mut |row| hand_on(row, each)).await?;
        }
        Ok(())
    }
}

/// A root whose path can't be read covers nothing: better silent for one mount than telling
/// somebody of files that aren't theirs, or telling nobody of the whole storage.
fn hand_on(row: &Row<'_>, each: EachMount<'_>) -> Result<(), sqlx::Error> {
    let Some(storage) = row.int(0)? else { return Ok(()) };
    match (row.text(1), row.text(2)) {
        (Ok(Some(root)), Ok(Some(user))) => each(Mount { storage, root, user }),
        (Ok(_), Ok(_)) => {}
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(storage, "a mount can't be read and is left out: {error}");
        }
    }
    Ok(())
}

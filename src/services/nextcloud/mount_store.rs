//! Reads mounts and shares from Nextcloud's database (`specs/nextcloud.md` sections 7 and 11).

use super::audience::{
    DirectoryUnavailable, MountDirectory, MountRow, RootDigest, RootPlace, ShareRow,
};
use crate::{
    client::database::{
        Database, DatabaseClientError, RowCallback, SqlRow, SqlStatement, SqlValue,
    },
    push::recipient::Recipient,
};
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The class of mounts that come from a share on this Nextcloud.
const SHARE_MOUNTS: &str = "OCA\\Files_Sharing\\MountProvider";
/// If `oc_share` can't be read, it is tried again after this: the right may have been granted.
const SHARES_RETRY: Duration = Duration::from_secs(600);

/// Reads Nextcloud's mounts.
pub struct MountStore {
    database: Arc<Database>,
    /// Notified of each listing of storages (the original's `mapping_query_count`): whether it was
    /// answered, and how long it took.
    on_query: Box<dyn Fn(bool, Duration) + Send + Sync>,
    statements: MountStatements,
    /// When `oc_share` is read again after it could not be.
    shares_after: Mutex<Option<Instant>>,
}

struct MountStatements {
    listing: SqlStatement,
    after: SqlStatement,
    newest: SqlStatement,
    digests: SqlStatement,
    shares: SqlStatement,
    whole: SqlStatement,
}

const LISTING: &str = "SELECT m.id, m.storage_id, m.root_id, m.user_id, m.mount_provider_class, \
    f.storage, f.path FROM {p}mounts m INNER JOIN {p}filecache f ON f.fileid = m.root_id \
    WHERE m.storage_id IN ({list})";
const AFTER: &str = "SELECT m.id, m.storage_id, m.root_id, m.user_id, m.mount_provider_class, \
    f.storage, f.path FROM {p}mounts m INNER JOIN {p}filecache f ON f.fileid = m.root_id \
    WHERE m.id > ? ORDER BY m.id LIMIT ?";
const NEWEST: &str = "SELECT MAX(id) FROM {p}mounts";
// The inner SELECT groups by short columns of the mounts alone, which is faster than by the path.
const DIGESTS: &str = "SELECT m.storage_id, m.root_id, m.amount, m.newest, f.storage, f.path FROM \
    (SELECT storage_id, root_id, COUNT(*) AS amount, MAX(id) AS newest FROM {p}mounts \
    WHERE storage_id IN ({list}) GROUP BY storage_id, root_id) m \
    INNER JOIN {p}filecache f ON f.fileid = m.root_id";
const SHARES: &str = "SELECT s.id, s.file_source, s.share_type, s.share_with FROM {p}share s \
    WHERE s.file_source IN (SELECT root_id FROM {p}mounts WHERE storage_id IN ({list}))";
// What the app's self-test counts: mounts whose root is the root of the storage.
const WHOLE: &str = "SELECT COUNT(*) FROM {p}mounts m INNER JOIN {p}filecache f \
    ON f.fileid = m.root_id WHERE m.storage_id = ? AND f.path = ''";

impl MountStore {
    /// `on_query` is notified of each listing of storages: whether it was answered, and how long it
    /// took, with the wait for a connection.
    pub fn new(
        database: Arc<Database>,
        on_query: impl Fn(bool, Duration) + Send + Sync + 'static,
    ) -> Self {
        let statements = MountStatements {
            listing: database.statement(LISTING),
            after: database.statement(AFTER),
            newest: database.statement(NEWEST),
            digests: database.statement(DIGESTS),
            shares: database.statement(SHARES),
            whole: database.statement(WHOLE),
        };
        let (on_query, shares_after) = (Box::new(on_query), Mutex::new(None));
        Self { database, on_query, statements, shares_after }
    }

    /// Lists the mounts of at most [`crate::client::database::MAX_LIST`] storages.
    ///
    /// # Errors
    /// [`DatabaseClientError`].
    pub async fn mounts_of_storages(
        &self,
        storages: &[i64],
    ) -> Result<Vec<MountRow>, DatabaseClientError> {
        let (started, mut mounts) = (Instant::now(), Vec::new());
        let mut each = |row: &SqlRow<'_>| {
            mounts.extend(mount_row(row)?);
            Ok(())
        };
        let answered = self.by_storages(&self.statements.listing, storages, &mut each).await;
        (self.on_query)(answered.is_ok(), started.elapsed());
        answered.map(|()| mounts)
    }

    /// How many mounts of this storage show all of it: what `/test/mapping` answers.
    ///
    /// # Errors
    /// [`DatabaseClientError`].
    pub async fn count_whole(&self, storage: i64) -> Result<i64, DatabaseClientError> {
        self.number(&self.statements.whole, &[SqlValue::Int(storage)]).await
    }

    async fn number(
        &self,
        statement: &SqlStatement,
        values: &[SqlValue<'_>],
    ) -> Result<i64, DatabaseClientError> {
        let mut number = 0;
        let mut each = |row: &SqlRow<'_>| {
            number = row.int(0)?.unwrap_or_default();
            Ok(())
        };
        self.database.query(statement, values, &mut each).await?;
        Ok(number)
    }

    async fn by_storages(
        &self,
        statement: &SqlStatement,
        storages: &[i64],
        each: RowCallback<'_>,
    ) -> Result<(), DatabaseClientError> {
        let values: Vec<_> = storages.iter().copied().map(SqlValue::Int).collect();
        self.database.query_list(statement, &values, each).await
    }

    async fn read_shares(
        &self,
        storages: &[i64],
    ) -> Result<Option<Vec<ShareRow>>, DirectoryUnavailable> {
        if self.shares_after.lock().is_some_and(|at| Instant::now() < at) {
            return Ok(None);
        }
        let mut shares = Vec::new();
        let mut each = |row: &SqlRow<'_>| {
            shares.extend(share_row(row)?);
            Ok(())
        };
        match self.by_storages(&self.statements.shares, storages, &mut each).await {
            Ok(()) => Ok(Some(shares)),
            Err(DatabaseClientError::Misconfigured(why)) => {
                tracing::debug!("shares can't be read: {why}");
                *self.shares_after.lock() = Some(Instant::now() + SHARES_RETRY);
                Ok(None)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

impl MountDirectory for MountStore {
    fn newest_mount(&self) -> BoxFuture<'_, Result<i64, DirectoryUnavailable>> {
        let newest = self.number(&self.statements.newest, &[]);
        async { newest.await.map_err(|error| unavailable(&error)) }.boxed()
    }

    fn mounts_after(
        &self,
        id: i64,
        limit: i64,
    ) -> BoxFuture<'_, Result<Vec<MountRow>, DirectoryUnavailable>> {
        async move {
            let mut mounts = Vec::new();
            let mut each = |row: &SqlRow<'_>| {
                mounts.extend(mount_row(row)?);
                Ok(())
            };
            let values = [SqlValue::Int(id), SqlValue::Int(limit)];
            let read = self.database.query(&self.statements.after, &values, &mut each).await;
            read.map(|()| mounts).map_err(|error| unavailable(&error))
        }
        .boxed()
    }

    fn mounts_of<'a>(
        &'a self,
        storages: &'a [i64],
    ) -> BoxFuture<'a, Result<Vec<MountRow>, DirectoryUnavailable>> {
        async { self.mounts_of_storages(storages).await.map_err(|error| unavailable(&error)) }
            .boxed()
    }

    fn digests_of<'a>(
        &'a self,
        storages: &'a [i64],
    ) -> BoxFuture<'a, Result<Vec<RootDigest>, DirectoryUnavailable>> {
        async move {
            let mut digests = Vec::new();
            let mut each = |row: &SqlRow<'_>| {
                digests.extend(digest_row(row)?);
                Ok(())
            };
            let read = self.by_storages(&self.statements.digests, storages, &mut each).await;
            read.map(|()| digests).map_err(|error| unavailable(&error))
        }
        .boxed()
    }

    fn shares_of<'a>(
        &'a self,
        storages: &'a [i64],
    ) -> BoxFuture<'a, Result<Option<Vec<ShareRow>>, DirectoryUnavailable>> {
        self.read_shares(storages).boxed()
    }
}

/// A root whose path can't be read covers nothing: one user misses changes below it, and no user is
/// sent ids of another one's files.
fn mount_row(row: &SqlRow<'_>) -> Result<Option<MountRow>, sqlx::Error> {
    let (Some(id), Some(listed_in), Some(root)) = (row.int(0)?, row.int(1)?, row.int(2)?) else {
        return Ok(None);
    };
    let Some(place) = root_place(row, root, 5)? else { return Ok(None) };
    match row.text(3) {
        Ok(Some(user)) => {
            let by_share = row.text(4)? == Some(SHARE_MOUNTS);
            let user = Recipient::from(user);
            Ok(Some(MountRow { id, listed_in, root, place, user, by_share }))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            tracing::warn!(root, "ignored a mount that can't be read: {error}");
            Ok(None)
        }
    }
}

fn digest_row(row: &SqlRow<'_>) -> Result<Option<RootDigest>, sqlx::Error> {
    let (Some(listed_in), Some(root), Some(rows), Some(newest)) =
        (row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?)
    else {
        return Ok(None);
    };
    let place = root_place(row, root, 4)?;
    Ok(place.map(|place| RootDigest { listed_in, root, place, rows, newest }))
}

/// Storage and path of a root, in two columns from `first` on.
fn root_place(row: &SqlRow<'_>, root: i64, first: usize) -> Result<Option<RootPlace>, sqlx::Error> {
    let Some(storage) = row.int(first)? else { return Ok(None) };
    match row.text(first + 1) {
        Ok(path) => Ok(path.map(|path| RootPlace { storage, path: path.trim_matches('/').into() })),
        Err(error) => {
            tracing::warn!(root, "ignored a mount whose path can't be read: {error}");
            Ok(None)
        }
    }
}

fn share_row(row: &SqlRow<'_>) -> Result<Option<ShareRow>, sqlx::Error> {
    let (Some(id), Some(root), Some(kind)) = (row.int(0)?, row.int(1)?, row.int(2)?) else {
        return Ok(None);
    };
    let with = row.text(3)?.unwrap_or_default().into();
    Ok(Some(ShareRow { id, root, kind, with }))
}

/// The database client logs the cause; here it only matters that there is no answer.
fn unavailable(error: &DatabaseClientError) -> DirectoryUnavailable {
    tracing::debug!("mounts not read: {error}");
    DirectoryUnavailable
}

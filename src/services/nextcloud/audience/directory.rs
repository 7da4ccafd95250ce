//! What the audience lookup reads from Nextcloud's database.

use crate::push::recipient::Recipient;
use futures_util::future::BoxFuture;

/// The database can't answer right now; it is asked again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database does not answer right now")]
pub struct DirectoryUnavailable;

/// A row of `oc_mounts` with the present place of its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRow {
    /// The row's id; it grows with each new row.
    pub id: i64,
    /// The storage that the row names.
    pub listed_in: i64,
    /// The file id of the mount's root.
    pub root: i64,
    /// The storage and path where the root is now.
    pub place: RootPlace,
    /// The user who sees everything below the root.
    pub user: Recipient,
    /// Whether the mount comes from a share on this Nextcloud (a row of `oc_share`).
    pub by_share: bool,
}

/// Where the root of a mount is: `oc_filecache` follows renames and moves at once, `oc_mounts` only
/// with the user's next visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootPlace {
    /// The storage that holds the root.
    pub storage: i64,
    /// The path of the root there; `""` is the whole storage.
    pub path: Box<str>,
}

/// A short summary of the mounts of one root: if it is the same as before, so are they.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDigest {
    /// The storage that the rows name.
    pub listed_in: i64,
    /// The file id of the root.
    pub root: i64,
    /// The storage and path where the root is now.
    pub place: RootPlace,
    /// How many rows there are.
    pub rows: i64,
    /// The largest id of a row.
    pub newest: i64,
}

/// A row of `oc_share`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRow {
    /// The row's id.
    pub id: i64,
    /// The file id of the shared item: the root of its mounts.
    pub root: i64,
    /// Nextcloud's number for the kind of share.
    pub kind: i64,
    /// The user, group or team that it is shared with.
    pub with: Box<str>,
}

/// Reads mounts and shares. Each call is one query and must be bounded in time.
pub trait MountDirectory: Send + Sync + 'static {
    /// The largest id of all mounts; 0 if there is none.
    fn newest_mount(&self) -> BoxFuture<'_, Result<i64, DirectoryUnavailable>>;

    /// The mounts with a larger id than this, smallest id first, at most `limit`.
    fn mounts_after(
        &self,
        id: i64,
        limit: i64,
    ) -> BoxFuture<'_, Result<Vec<MountRow>, DirectoryUnavailable>>;

    /// All mounts that name one of these storages, in any order.
    fn mounts_of<'a>(
        &'a self,
        storages: &'a [i64],
    ) -> BoxFuture<'a, Result<Vec<MountRow>, DirectoryUnavailable>>;

    /// The digests of all roots whose mounts name one of these storages.
    fn digests_of<'a>(
        &'a self,
        storages: &'a [i64],
    ) -> BoxFuture<'a, Result<Vec<RootDigest>, DirectoryUnavailable>>;

    /// The shares of all roots whose mounts name one of these storages; `None` if `oc_share` can't be
    /// read.
    fn shares_of<'a>(
        &'a self,
        storages: &'a [i64],
    ) -> BoxFuture<'a, Result<Option<Vec<ShareRow>>, DirectoryUnavailable>>;
}

/// Paths are compared without slashes at their ends.
pub(super) fn trimmed(path: &str) -> &str {
    path.trim_matches('/')
}

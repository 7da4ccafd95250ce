//! What the look-up asks of the host's database.

use crate::push::recipient::Recipient;
use futures_util::future::BoxFuture;
use std::collections::HashMap;

/// The database can't say right now; it will be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database can't be asked right now")]
pub struct DirectoryUnavailable;

/// Who sees what, as the host's database has it.
pub trait MountDirectory: Send + Sync + 'static {
    /// Everyone who sees some part of a storage. Must be bounded in time.
    fn list_storage(
        &self,
        storage: i64,
    ) -> BoxFuture<'_, Result<StorageListing, DirectoryUnavailable>>;

    /// What each of these recipients sees. Must be bounded in time.
    fn visible_mounts(
        &self,
        recipients: Vec<Recipient>,
    ) -> BoxFuture<'_, Result<Vec<VisibleMount>, DirectoryUnavailable>>;
}

/// One recipient sees one part of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleMount {
    /// Who.
    pub recipient: Recipient,
    /// On which storage.
    pub storage: i64,
    /// The path below which everything is seen; `""` is the whole storage.
    pub root: Box<str>,
}

/// The mounts of one storage as they come out of the database, root paths kept once.
#[derive(Debug, Default)]
pub struct StorageListing {
    pub(super) roots: Vec<Box<str>>,
    pub(super) rows: Vec<(u32, Box<str>)>,
    by_path: HashMap<Box<str>, u32>,
}

impl StorageListing {
    /// Adds a row: this recipient sees what is below this path.
    pub fn add(&mut self, root: &str, recipient: &str) {
        let root = trimmed(root);
        let index = self.by_path.get(root).copied().unwrap_or_else(|| {
            let index = u32::try_from(self.roots.len()).unwrap_or(u32::MAX);
            self.roots.push(root.into());
            self.by_path.insert(root.into(), index);
            index
        });
        self.rows.push((index, recipient.into()));
    }
}

/// Paths are compared without slashes at their ends.
pub(super) fn trimmed(path: &str) -> &str {
    path.trim_matches('/')
}

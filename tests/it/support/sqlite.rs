//! One SQLite file with Nextcloud's tables.

use super::{Folder, database::Database, folder};

const SCHEMA: &str = include_str!("../../data/nextcloud-32/schema/sqlite.sql");

/// A SQLite file, removed when dropped.
pub(crate) struct Sqlite {
    folder: Folder,
}

impl Sqlite {
    /// A file with Nextcloud's tables in it.
    pub(crate) async fn create() -> Self {
        let sqlite = Self { folder: folder("sqlite") };
        sqlite.database().execute(SCHEMA).await;
        sqlite
    }

    /// The database in it.
    pub(crate) fn database(&self) -> Database {
        Database::Sqlite(self.folder.path().join("owncloud.db"))
    }
}

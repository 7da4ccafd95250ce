//! Checks whether the daemon may read the tables it needs, before the first login.

use crate::client::database::{Database, DatabaseClientError};

/// Everything that is ever read, tables without prefix and their columns: `specs/nextcloud.md`
/// section 7.
pub const REQUIRED_TABLES: [(&str, &str); 7] = [
    ("mounts", "id, storage_id, root_id, user_id, mount_provider_class"),
    ("filecache", "fileid, storage, path"),
    ("users", "uid, uid_lower, password"),
    (
        "authtoken",
        "id, uid, login_name, password, token, type, last_check, expires, version, password_invalid",
    ),
    ("preferences", "userid, appid, configkey, configvalue"),
    ("twofactor_providers", "provider_id, uid, enabled"),
    // Without it everything works, but a user whose share has ended receives changes until their next visit.
    ("share", "id, file_source, share_type, share_with"),
];

/// The problems that prevent reading Nextcloud's tables, one with its remedy for each table; empty
/// when there are none.
///
/// # Errors
/// [`DatabaseClientError::Unavailable`] while the database is unreachable.
pub async fn unreadable_tables(
    database: &Database,
) -> Result<Vec<DatabaseClientError>, DatabaseClientError> {
    let mut problems = Vec::new();
    for (table, columns) in REQUIRED_TABLES {
        let probe = format!("SELECT {columns} FROM {{p}}{table} WHERE 1 = 0");
        match database.query(&database.statement(&probe), &[], &mut |_| Ok(())).await {
            Ok(()) => {}
            Err(DatabaseClientError::Unavailable(why)) => {
                return Err(DatabaseClientError::Unavailable(why));
            }
            Err(problem) => problems.push(problem),
        }
    }
    Ok(problems)
}

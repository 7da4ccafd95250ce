//! Whether the daemon may read what it needs, found out at once rather than with the first log-in.

use crate::client::database::{Database, DatabaseClientError};

/// Everything that is ever read, tables without prefix and their columns: `specs/nextcloud.md`
/// section 7.
pub const REQUIRED_TABLES: [(&str, &str); 6] = [
    ("mounts", "storage_id, root_id, user_id"),
    ("filecache", "fileid, path"),
    ("users", "uid, uid_lower, password"),
    (
        "authtoken",
        "id, uid, login_name, password, token, type, last_check, expires, version, password_invalid",
    ),
    ("preferences", "userid, appid, configkey, configvalue"),
    ("twofactor_providers", "provider_id, uid, enabled"),
];

/// What stands in the way of reading Nextcloud's tables, one problem with its remedy for each
/// table; empty when all is well. For the operator.
///
/// # Errors
/// [`DatabaseClientError::Unavailable`]: nothing can be said while the database is away.
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

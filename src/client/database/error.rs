//! Why a query gave no result: the database is unreachable or misconfigured. Texts name the remedy.

use super::{pool::PoolError, settings::DatabaseEngine};
use sqlx::{Error, error::DatabaseError, mysql::MySqlDatabaseError, sqlite::SqliteError};
use std::{fmt, io::ErrorKind, sync::Arc};

/// Why a query gave no result. The texts are for the operator: they name cause and remedy and no
/// secret, but may name database users, hosts and tables. Clients never see them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseClientError {
    /// It can't be reached, refuses the login, or doesn't answer in time: later it may.
    #[error("the database is not available: {0}")]
    Unavailable(Arc<str>),
    /// It answers, but a table, a column or a right is missing: the same query will fail again.
    #[error("the database can't be used: {0}")]
    Misconfigured(DatabaseProblem),
    /// The settings can't be right.
    #[error(
        "table prefix {0:?}: only letters, digits and _ are possible (dbtableprefix, DATABASE_PREFIX)"
    )]
    Prefix(String),
}

/// What is wrong with a database that answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseProblem {
    /// What the server said, where, and a hint.
    pub cause: Arc<str>,
    /// The SQL statement with which an administrator fixes it, where one does.
    pub remedy: Option<Arc<str>>,
}

impl fmt::Display for DatabaseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, " (remedy: {remedy})"))
    }
}

impl DatabaseClientError {
    /// The cause, and the SQL statement with which an administrator fixes it, where one does.
    pub fn with_remedy(&self) -> (String, Option<String>) {
        match self {
            Self::Misconfigured(DatabaseProblem { cause, remedy: Some(remedy) }) => {
                (format!("the database can't be used: {cause}"), Some(remedy.to_string()))
            }
            other => (other.to_string(), None),
        }
    }
}

/// How a query that was sent failed.
#[derive(Debug)]
pub(super) enum QueryFailure {
    /// The connection is dead.
    Lost(Arc<str>),
    /// The server gave up on this query; others may work.
    Slow(Arc<str>),
    /// The same query will fail again.
    Permanent(DatabaseProblem),
}

/// Which database, as which user: what messages name.
#[derive(Debug, Clone)]
pub(super) struct DatabaseTarget {
    engine: &'static str,
    place: String,
    user: String,
}

impl DatabaseTarget {
    pub(super) fn of(engine: &DatabaseEngine) -> Self {
        let (name, place, user) = match engine {
            DatabaseEngine::MySql(server) => ("MySQL", server.place(), server.user.clone()),
            DatabaseEngine::Postgres(server) => ("PostgreSQL", server.place(), server.user.clone()),
            DatabaseEngine::Sqlite(file) => ("SQLite", file.display().to_string(), None),
        };
        Self { engine: name, place, user: user.unwrap_or_default() }
    }

    /// Why there is no connection, and what to check.
    pub(super) fn pool_error(&self, error: &PoolError) -> Arc<str> {
        let Self { engine, place, .. } = self;
        let text = match error {
            PoolError::Busy => format!("all connections to {engine} at {place} are in use"),
            PoolError::Timeout => format!("{engine} at {place} does not answer in time"),
            PoolError::Failed(error) => {
                format!("{engine} at {place}: {}{}", plain(error), connection_hint(error))
            }
        };
        text.into()
    }

    pub(super) fn too_slow(&self) -> Arc<str> {
        format!("{} at {} did not answer a query in time", self.engine, self.place).into()
    }

    /// What an error during a query means.
    pub(super) fn query_failure(&self, error: &Error) -> QueryFailure {
        let place = format!("{} at {}: ", self.engine, self.place);
        let Error::Database(reported) = error else { return driver_failure(&place, error) };
        let text = format!("{place}{}{}", plain(error), query_hint(&**reported));
        match ErrorClass::of(&**reported) {
            ErrorClass::Lost => QueryFailure::Lost(text.into()),
            ErrorClass::Slow => QueryFailure::Slow(text.into()),
            ErrorClass::Permanent => {
                let remedy = self.grant(&**reported).map(Arc::from);
                QueryFailure::Permanent(DatabaseProblem { cause: text.into(), remedy })
            }
        }
    }

    /// The statement that grants the missing right.
    fn grant(&self, error: &dyn DatabaseError) -> Option<String> {
        let table = is_denied(error).then(|| denied_table(error.message())).flatten()?;
        Some(format!("GRANT SELECT ON {table} TO {};", self.grantee(error.message())))
    }

    /// The account: MySQL names it with the host that it knows it under.
    fn grantee(&self, message: &str) -> String {
        if let Some(account) = named_account(message) {
            return account.to_owned();
        }
        let user = if self.user.is_empty() { "<user>" } else { &self.user };
        if self.engine == "MySQL" { format!("'{user}'@'<host>'") } else { format!("\"{user}\"") }
    }
}

fn driver_failure(place: &str, error: &Error) -> QueryFailure {
    let text: Arc<str> = format!("{place}{}", plain(error)).into();
    match error {
        Error::ColumnDecode { .. }
        | Error::ColumnIndexOutOfBounds { .. }
        | Error::ColumnNotFound(_)
        | Error::Decode(_)
        | Error::Encode(_)
        | Error::TypeNotFound { .. } => {
            QueryFailure::Permanent(DatabaseProblem { cause: text, remedy: None })
        }
        _ => QueryFailure::Lost(text),
    }
}

/// The text without sqlx's category in front of it.
fn plain(error: &Error) -> String {
    match error {
        Error::Database(error) => error.message().to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Tls(error) => format!("TLS: {error}"),
        other => other.to_string(),
    }
}

/// What to check when no connection could be opened.
fn connection_hint(error: &Error) -> &'static str {
    match error {
        // sqlx wraps rustls' errors of a handshake so.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            " (TLS: check the CA file and the server's certificate)"
        }
        Error::Io(_) => " (is it running there, and may this host reach it? dbhost, DATABASE_URL)",
        Error::Tls(_) => " (check the CA file and the server's certificate)",
        Error::Database(error) => match error.code().as_deref() {
            Some("28000" | "28P01") => " (check dbuser and dbpassword, or DATABASE_URL)",
            Some("42000" | "3D000") => " (check dbname, and that dbuser may use it)",
            _ => sqlite_hint(&**error),
        },
        _ => "",
    }
}

/// SQLite's extended result codes: <https://www.sqlite.org/rescode.html>.
fn sqlite_hint(error: &dyn DatabaseError) -> &'static str {
    if !error.as_error().is::<SqliteError>() {
        return "";
    }
    match error.code().as_deref() {
        Some("14" | "526" | "270") => {
            " (does the file exist, may this user read it and its folder, and in WAL mode write to \
             the folder?)"
        }
        // Reading a file in WAL mode needs the files -wal and -shm, which SQLite makes beside it.
        Some("8" | "264" | "520" | "1288" | "1544") => {
            " (the file is in WAL mode, in which reading needs write access to its folder: give it \
             to the daemon's user, with ReadWritePaths= in the unit, or set 'sqlite.journal_mode' \
             => 'DELETE' in Nextcloud's config.php)"
        }
        _ => "",
    }
}

/// What to check when a query was refused.
fn query_hint(error: &dyn DatabaseError) -> &'static str {
    if is_missing_table(error) {
        " (check dbname and dbtableprefix, or DATABASE_URL and DATABASE_PREFIX)"
    } else if is_denied(error) && denied_table(error.message()).is_none() {
        " (grant SELECT on this table)"
    } else {
        sqlite_hint(error)
    }
}

enum ErrorClass {
    Lost,
    Slow,
    Permanent,
}

impl ErrorClass {
    fn of(error: &dyn DatabaseError) -> Self {
        if let Some(error) = error.as_error().downcast_ref::<MySqlDatabaseError>() {
            return Self::of_mysql(error.number());
        }
        match error.code().as_deref() {
            // PostgreSQL: cancelled by a limit; SQLite: busy, locked, interrupted.
            Some("57014" | "5" | "6" | "9" | "261" | "517" | "262") => Self::Slow,
            // PostgreSQL: a table was altered under a prepared statement, or a pooler lost it.
            Some("0A000" | "26000") => Self::Lost,
            Some(code) if code.len() == 5 && is_lost_state(code) => Self::Lost,
            _ => Self::Permanent,
        }
    }

    /// Numbers from the error lists of MySQL and MariaDB.
    fn of_mysql(number: u16) -> Self {
        match number {
            // Interrupted, statement time exceeded (MariaDB, MySQL), lock wait.
            1317 | 1969 | 3024 | 1205 => Self::Slow,
            // Shutdown, killed, too many connections, idle time-out, dropped by an administrator.
            // And prepared statements that the server, or a proxy in between, no longer knows.
            1243 | 1615 | 1053 | 1077 | 1079 | 1040 | 1927 | 2006 | 2013 | 3169 | 4031 => {
                Self::Lost
            }
            _ => Self::Permanent,
        }
    }
}

/// PostgreSQL's SQLSTATE classes: connection, resources, operator intervention.
fn is_lost_state(code: &str) -> bool {
    ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
}

fn is_denied(error: &dyn DatabaseError) -> bool {
    match error.as_error().downcast_ref::<MySqlDatabaseError>() {
        Some(error) => matches!(error.number(), 1142 | 1143),
        None => error.code().as_deref() == Some("42501"),
    }
}

fn is_missing_table(error: &dyn DatabaseError) -> bool {
    let number = error.as_error().downcast_ref().map(MySqlDatabaseError::number);
    number == Some(1146)
        || error.code().as_deref() == Some("42P01")
        || error.message().starts_with("no such table")
}

/// The table in "… for table `db`.`t`" (MySQL) or "… for table t" (PostgreSQL).
fn denied_table(message: &str) -> Option<&str> {
    let (_, table) = message.rsplit_once(" for table ")?;
    Some(table.trim_matches('\''))
}

/// The account in "… denied to user 'u'@'h' for …".
fn named_account(message: &str) -> Option<&str> {
    let (account, _) = message.split_once(" denied to user ")?.1.split_once(" for ")?;
    Some(account).filter(|account| account.starts_with('\'') && account.contains("'@'"))
}

#[cfg(test)]
mod tests {
    use super::{DatabaseClientError, DatabaseProblem, denied_table, named_account};

    #[test]
    fn the_account_is_the_one_that_the_server_named() {
        let mysql = "SELECT command denied to user 'p'@'localhost' for table 'oc_users'";
        assert_eq!(named_account(mysql), Some("'p'@'localhost'"));
        assert_eq!(named_account("permission denied for table oc_users"), None);
    }

    #[test]
    fn the_table_is_found_in_each_engines_message() {
        let mariadb = "SELECT command denied to user 'p'@'localhost' for table `nc`.`oc_users`";
        assert_eq!(denied_table(mariadb), Some("`nc`.`oc_users`"));
        let mysql = "SELECT command denied to user 'p'@'localhost' for table 'oc_users'";
        assert_eq!(denied_table(mysql), Some("oc_users"));
        assert_eq!(denied_table("permission denied for table oc_users"), Some("oc_users"));
        assert_eq!(denied_table("permission denied"), None);
    }

    #[test]
    fn a_remedy_is_apart_from_its_cause() {
        let grant = "GRANT SELECT ON t TO \"u\";";
        let problem = DatabaseProblem { cause: "denied".into(), remedy: Some(grant.into()) };
        let error = DatabaseClientError::Misconfigured(problem);
        let cause = "the database can't be used: denied".to_owned();
        assert_eq!(error.with_remedy(), (cause, Some(grant.to_owned())));
        assert!(error.to_string().ends_with("denied (remedy: GRANT SELECT ON t TO \"u\";)"));
        let problem = DatabaseProblem { cause: "no such table".into(), remedy: None };
        assert_eq!(DatabaseClientError::Misconfigured(problem).with_remedy().1, None);
    }

    #[test]
    fn a_bad_prefix_is_named_with_the_setting() {
        let text = DatabaseClientError::Prefix("oc_;".to_owned()).to_string();
        assert!(text.contains("\"oc_;\"") && text.contains("dbtableprefix"), "{text}");
    }
}

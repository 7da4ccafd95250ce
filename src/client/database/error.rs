//! Why the database gave no answer: it is away, or it is not what we need; told with a remedy.

use super::{pool::PoolError, settings::DatabaseEngine};
use sqlx::{Error, error::DatabaseError, mysql::MySqlDatabaseError};
use std::{io::ErrorKind, sync::Arc};

/// Why a query gave no answer. The texts are for the operator: they name cause and remedy and no
/// secret, but may name database users, hosts and tables. Peers never see them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseClientError {
    /// It can't be reached, doesn't let us in, or doesn't answer in time: later it may.
    #[error("the database is not available: {0}")]
    Unavailable(Arc<str>),
    /// It answers, but a table, a column or a right is missing: somebody must change something.
    #[error("the database can't be used: {0}")]
    Broken(Arc<str>),
    /// The settings can't be right.
    #[error(
        "table prefix {0:?}: only letters, digits and _ are possible (dbtableprefix, DATABASE_PREFIX)"
    )]
    Prefix(String),
}

impl DatabaseClientError {
    /// What was seen, and the statement that an administrator may run to mend it where there is one.
    pub fn with_remedy(&self) -> (String, Option<String>) {
        let text = self.to_string();
        match text.split_once(REMEDY) {
            Some((cause, remedy)) if remedy.starts_with("GRANT") => {
                (cause.to_owned(), Some(remedy.trim_end_matches(')').to_owned()))
            }
            _ => (text, None),
        }
    }
}

/// What stands before a remedy in a message.
const REMEDY: &str = " (remedy: ";

/// How a query that was sent went wrong.
#[derive(Debug)]
pub(super) enum QueryFailure {
    /// The connection is dead.
    Lost(Arc<str>),
    /// The server gave up on this query; others may do.
    Slow(Arc<str>),
    /// The same query will fail again.
    Broken(Arc<str>),
}

/// Whom to address in a message: which database, as whom.
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

    /// Why there is no connection, and what to look at.
    pub(super) fn pool_error(&self, error: &PoolError) -> Arc<str> {
        let Self { engine, place, .. } = self;
        let text = match error {
            PoolError::Busy => format!("all connections to {engine} at {place} are in use"),
            PoolError::Silent => format!("{engine} at {place} does not answer in time"),
            PoolError::Failed(error) => {
                format!("{engine} at {place}: {}{}", plain(error), remedy(error))
            }
        };
        text.into()
    }

    pub(super) fn too_slow(&self) -> Arc<str> {
        format!("{} at {} did not answer a query in time", self.engine, self.place).into()
    }

    /// What an error in the midst of a query means.
    pub(super) fn fault(&self, error: &Error) -> QueryFailure {
        let place = format!("{} at {}: ", self.engine, self.place);
        let Error::Database(reported) = error else {
            return self.driver_fault(&place, error);
        };
        let text: Arc<str> = format!("{place}{}{}", plain(error), self.grant(&**reported)).into();
        match ErrorClass::of(&**reported) {
            ErrorClass::Lost => QueryFailure::Lost(text),
            ErrorClass::Slow => QueryFailure::Slow(text),
            ErrorClass::Broken => QueryFailure::Broken(text),
        }
    }

    fn driver_fault(&self, place: &str, error: &Error) -> QueryFailure {
        let text = format!("{place}{}", plain(error)).into();
        match error {
            Error::ColumnDecode { .. }
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::ColumnNotFound(_)
            | Error::Decode(_)
            | Error::Encode(_)
            | Error::TypeNotFound { .. } => QueryFailure::Broken(text),
            _ => QueryFailure::Lost(text),
        }
    }

    /// The line that gives us the right we lack.
    fn grant(&self, error: &dyn DatabaseError) -> String {
        if !denied(error) {
            return missing(error).unwrap_or_default().to_owned();
        }
        match table(error.message()) {
            Some(table) => format!("{REMEDY}GRANT SELECT ON {table} TO {};)", self.grantee()),
            None => format!("{REMEDY}grant SELECT on this table)"),
        }
    }

    fn grantee(&self) -> String {
        let user = if self.user.is_empty() { "<user>" } else { &self.user };
        if self.engine == "MySQL" { format!("'{user}'@'<host>'") } else { format!("\"{user}\"") }
    }
}

/// sqlx's texts start with a category that says nothing to an operator.
fn plain(error: &Error) -> String {
    match error {
        Error::Database(error) => error.message().to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Tls(error) => format!("TLS: {error}"),
        other => other.to_string(),
    }
}

fn remedy(error: &Error) -> &'static str {
    match error {
        // How the driver wraps what rustls says of a handshake.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            " (TLS: check the CA file and the server's certificate)"
        }
        Error::Io(_) => " (is it running there, and may this host reach it? dbhost, DATABASE_URL)",
        Error::Tls(_) => " (check the CA file and the server's certificate)",
        Error::Database(error) => match error.code().as_deref() {
            Some("28000" | "28P01") => " (check dbuser and dbpassword, or DATABASE_URL)",
            Some("42000" | "3D000") => " (check dbname, and that dbuser may use it)",
            Some("14" | "526" | "270") => {
                " (does the file exist, and may this user read it and its folder?)"
            }
            _ => "",
        },
        _ => "",
    }
}

enum ErrorClass {
    Lost,
    Slow,
    Broken,
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
            Some(code) if code.len() == 5 && lost_state(code) => Self::Lost,
            _ => Self::Broken,
        }
    }

    /// Numbers of MySQL's and MariaDB's error lists.
    fn of_mysql(number: u16) -> Self {
        match number {
            // Interrupted, statement time exceeded (MariaDB, MySQL), lock wait.
            1317 | 1969 | 3024 | 1205 => Self::Slow,
            // Shutdown, killed, too many connections, idle time-out, dropped by an administrator.
            // And prepared statements that the server, or a proxy in between, no longer knows.
            1243 | 1615 | 1053 | 1077 | 1079 | 1040 | 1927 | 2006 | 2013 | 3169 | 4031 => {
                Self::Lost
            }
            _ => Self::Broken,
        }
    }
}

/// PostgreSQL's SQLSTATE classes: connection, resources, operator intervention.
fn lost_state(code: &str) -> bool {
    ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
}

fn denied(error: &dyn DatabaseError) -> bool {
    match error.as_error().downcast_ref::<MySqlDatabaseError>() {
        Some(error) => matches!(error.number(), 1142 | 1143),
        None => error.code().as_deref() == Some("42501"),
    }
}

fn missing(error: &dyn DatabaseError) -> Option<&'static str> {
    let number = error.as_error().downcast_ref().map(MySqlDatabaseError::number);
    let table = number == Some(1146)
        || error.code().as_deref() == Some("42P01")
        || error.message().starts_with("no such table");
    table.then_some(" (check dbname and dbtableprefix, or DATABASE_URL and DATABASE_PREFIX)")
}

/// The table named in "… for table `db`.`t`" (MySQL) or "… for table t" (PostgreSQL).
fn table(message: &str) -> Option<&str> {
    let (_, table) = message.rsplit_once(" for table ")?;
    Some(table.trim_matches('\''))
}

#[cfg(test)]
mod tests {
    use super::{DatabaseClientError, table};

    #[test]
    fn the_table_is_found_in_each_engines_words() {
        let mariadb = "SELECT command denied to user 'p'@'localhost' for table `nc`.`oc_users`";
        assert_eq!(table(mariadb), Some("`nc`.`oc_users`"));
        let mysql = "SELECT command denied to user 'p'@'localhost' for table 'oc_users'";
        assert_eq!(table(mysql), Some("oc_users"));
        assert_eq!(table("permission denied for table oc_users"), Some("oc_users"));
        assert_eq!(table("permission denied"), None);
    }

    #[test]
    fn a_remedy_is_a_statement_of_its_own() {
        let error =
            DatabaseClientError::Broken("denied (remedy: GRANT SELECT ON t TO \"u\";)".into());
        let (cause, remedy) = error.with_remedy();
        assert_eq!(cause, "the database can't be used: denied");
        assert_eq!(remedy.as_deref(), Some("GRANT SELECT ON t TO \"u\";"));
        assert_eq!(DatabaseClientError::Broken("no such table".into()).with_remedy().1, None);
    }

    #[test]
    fn a_bad_prefix_is_named_with_the_setting() {
        let text = DatabaseClientError::Prefix("oc_;".to_owned()).to_string();
        assert!(text.contains("\"oc_;\"") && text.contains("dbtableprefix"), "{text}");
    }
}

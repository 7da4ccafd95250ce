//! Which database, where, as whom.

use crate::config::secret::Secret;
use std::path::PathBuf;

/// A database and the prefix of the host's tables in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// What kind of database and where.
    pub engine: DatabaseEngine,
    /// Table name prefix, usually `oc_`; may be empty. Letters, digits and `_` only.
    pub prefix: String,
}

/// The three kinds of database a Nextcloud runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseEngine {
    /// MySQL or MariaDB.
    MySql(DatabaseServer),
    /// PostgreSQL.
    Postgres(DatabaseServer),
    /// A SQLite file, opened read-only.
    Sqlite(PathBuf),
}

/// A database server and what to present there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseServer {
    /// Where it listens.
    pub address: DatabaseAddress,
    /// User name; `None` lets the driver choose (the operating system user for PostgreSQL).
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Database name.
    pub database: String,
    /// TLS.
    pub tls: DatabaseTls,
}

impl DatabaseSettings {
    /// Whether the prefix can stand in SQL as it is: only letters, digits and `_`.
    pub(super) fn prefix_is_plain(&self) -> bool {
        self.prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    }
}

impl DatabaseServer {
    /// Where it is, for messages.
    pub(super) fn place(&self) -> String {
        match &self.address {
            DatabaseAddress::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            DatabaseAddress::Tcp(host, port) => format!("{host}:{port}"),
            DatabaseAddress::Unix(path, _) => path.display().to_string(),
        }
    }
}

/// Where a database server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAddress {
    /// Host (no brackets around IPv6) and port.
    Tcp(String, u16),
    /// MySQL: the socket file. PostgreSQL: the folder that holds `.s.PGSQL.<port>`, and that port.
    Unix(PathBuf, u16),
}

/// TLS towards a database server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseTls {
    /// How much of it.
    pub mode: DatabaseTlsMode,
    /// CA file (PEM); alone it is enough.
    pub ca: Option<PathBuf>,
    /// Client certificate (PEM).
    pub cert: Option<PathBuf>,
    /// Client key (PEM).
    pub key: Option<PathBuf>,
}

/// How much TLS is wanted; the names are PostgreSQL's `sslmode` with MySQL's alongside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DatabaseTlsMode {
    /// Never.
    Disable,
    /// If the server offers it, unverified (both drivers' default).
    #[default]
    Prefer,
    /// Always, unverified.
    Require,
    /// Always, chain verified against the CA.
    VerifyCa,
    /// Always, chain and name verified.
    VerifyFull,
}

//! Settings of a database connection: engine, address, login, TLS.

use crate::config::secret::Secret;
use std::path::PathBuf;

/// A database and the prefix of its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The engine and its address.
    pub engine: DatabaseEngine,
    /// Table name prefix, usually `oc_`; may be empty. Letters, digits and `_` only.
    pub prefix: String,
}

/// The engines that a Nextcloud runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseEngine {
    /// MySQL or MariaDB.
    MySql(DatabaseServer),
    /// A PostgreSQL server.
    Postgres(DatabaseServer),
    /// A SQLite file, opened read-only.
    Sqlite(PathBuf),
}

/// A database server and the login for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseServer {
    /// The server's address.
    pub address: DatabaseAddress,
    /// User name; `None`: PostgreSQL uses the user of the process, MySQL none.
    pub user: Option<String>,
    /// Password of that user.
    pub password: Option<Secret>,
    /// Name of the database.
    pub database: String,
    /// The server's TLS settings.
    pub tls: DatabaseTls,
    /// Options of the connection that go beyond the login.
    pub options: ConnectionOptions,
}

/// Options of a connection that a URL may set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionOptions {
    /// PostgreSQL's run-time parameters at the start of a session, such as `search_path`.
    pub session: Vec<(String, String)>,
    /// The name under which the server lists the connection; `None`: `notify_push`.
    pub application_name: Option<String>,
    /// Most prepared statements per connection; 0: none are kept. PostgreSQL never has any.
    pub statement_cache: Option<usize>,
    /// Most connections, if fewer than [`super::MAX_CONNECTIONS`].
    pub max_connections: Option<usize>,
}

impl DatabaseSettings {
    /// Whether the prefix can stand in SQL as it is: only letters, digits and `_`.
    pub(super) fn prefix_is_plain(&self) -> bool {
        self.prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    }
}

impl DatabaseServer {
    /// Its address, for messages.
    pub(super) fn place(&self) -> String {
        match &self.address {
            DatabaseAddress::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            DatabaseAddress::Tcp(host, port) => format!("{host}:{port}"),
            DatabaseAddress::Unix(path, _) => path.display().to_string(),
        }
    }
}

/// The address of a database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAddress {
    /// Host (no brackets around IPv6) and port.
    Tcp(String, u16),
    /// MySQL: the socket file. PostgreSQL: the folder that holds `.s.PGSQL.<port>`, and that port.
    Unix(PathBuf, u16),
}

impl DatabaseAddress {
    /// A unix socket. PostgreSQL's own file, `.s.PGSQL.<port>`, may be given instead of its folder.
    pub(crate) fn unix(path: PathBuf, port: u16) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let own = name.strip_prefix(".s.PGSQL.").and_then(|number| number.parse().ok());
        match (own, path.parent()) {
            (Some(own), Some(folder)) => Self::Unix(folder.to_owned(), own),
            _ => Self::Unix(path, port),
        }
    }
}

/// TLS settings for a database server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseTls {
    /// What is required and verified.
    pub mode: DatabaseTlsMode,
    /// CA file (PEM); alone it is enough.
    pub ca: Option<PathBuf>,
    /// Client certificate (PEM).
    pub cert: Option<PathBuf>,
    /// Client key (PEM).
    pub key: Option<PathBuf>,
}

/// What TLS is required and verified; the names are PostgreSQL's `sslmode`. In ascending
/// order of what they require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum DatabaseTlsMode {
    /// Never use TLS.
    Disable,
    /// Use TLS if the server offers it, unverified; else none (both drivers' default).
    #[default]
    Prefer,
    /// Always use TLS, unverified.
    Require,
    /// Always use TLS; verify the chain.
    VerifyCa,
    /// Always use TLS; verify chain and name.
    VerifyFull,
}

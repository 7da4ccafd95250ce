//! Translates our settings into the options of the three drivers.

use super::settings::{DatabaseAddress, DatabaseServer, DatabaseTls, DatabaseTlsMode};
use crate::config::secret::Secret;
use sqlx::{
    ConnectOptions as _,
    mysql::{MySqlConnectOptions, MySqlSslMode},
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};
use std::{path::Path, time::Duration};

/// Prepared statements kept per connection, more than the daemon has.
const STATEMENTS: usize = 64;

/// Cache of a SQLite connection, enough for the first pages of each look-up. The kernel caches the
/// others, and six connections with the default of 2 MiB would need more memory than all clients.
const SQLITE_CACHE_KIB: u32 = 256;

/// How long SQLite waits while another process writes.
const BUSY: Duration = Duration::from_secs(3);

/// In all three the statement log is off, since statements contain user names.
pub(super) fn mysql(server: &DatabaseServer) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new().database(&server.database);
    options = match &server.address {
        DatabaseAddress::Tcp(host, port) => options.host(host).port(*port),
        DatabaseAddress::Unix(socket, _) => options.socket(socket),
    };
    if let Some(user) = &server.user {
        options = options.username(user);
    }
    if let Some(password) = &server.password {
        options = options.password(Secret::expose(password));
    }
    let DatabaseTls { ca, cert, key, .. } = &server.tls;
    options = options.ssl_mode(match mode(server) {
        DatabaseTlsMode::Disable => MySqlSslMode::Disabled,
        DatabaseTlsMode::Prefer => MySqlSslMode::Preferred,
        DatabaseTlsMode::Require => MySqlSslMode::Required,
        DatabaseTlsMode::VerifyCa => MySqlSslMode::VerifyCa,
        DatabaseTlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    });
    if let Some(ca) = ca {
        options = options.ssl_ca(ca);
    }
    if let (Some(cert), Some(key)) = (cert, key) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    // SELECT needs neither SQL mode nor time zone, and some proxies refuse to change them.
    options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
    let statements = server.options.statement_cache.unwrap_or(STATEMENTS);
    options.statement_cache_capacity(statements).disable_statement_logging()
}

pub(super) fn postgres(server: &DatabaseServer) -> PgConnectOptions {
    // Connection poolers refuse startup parameters such as extra_float_digits.
    let mut options = PgConnectOptions::new_without_pgpass().extra_float_digits(None);
    let name = server.options.application_name.as_deref().unwrap_or("notify_push");
    options = options.database(&server.database).application_name(name);
    // PgBouncer refuses the startup parameter, even if it is empty.
    if !server.options.session.is_empty() {
        let session = server.options.session.iter();
        options = options.options(session.map(|(name, value)| (name, value)));
    }
    options = match &server.address {
        DatabaseAddress::Tcp(host, port) => options.host(host).port(*port),
        DatabaseAddress::Unix(folder, port) => options.socket(folder).port(*port),
    };
    if let Some(user) = &server.user {
        options = options.username(user);
    }
    if let Some(password) = &server.password {
        options = options.password(Secret::expose(password));
    }
    let DatabaseTls { ca, cert, key, .. } = &server.tls;
    options = options.ssl_mode(match mode(server) {
        DatabaseTlsMode::Disable => PgSslMode::Disable,
        DatabaseTlsMode::Prefer => PgSslMode::Prefer,
        DatabaseTlsMode::Require => PgSslMode::Require,
        DatabaseTlsMode::VerifyCa => PgSslMode::VerifyCa,
        DatabaseTlsMode::VerifyFull => PgSslMode::VerifyFull,
    });
    if let Some(ca) = ca {
        options = options.ssl_root_cert(ca);
    }
    if let (Some(cert), Some(key)) = (cert, key) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    options.disable_statement_logging()
}

pub(super) fn sqlite(file: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let options = options.create_if_missing(false).busy_timeout(BUSY);
    let options = options.pragma("cache_size", format!("-{SQLITE_CACHE_KIB}"));
    options.statement_cache_capacity(STATEMENTS).disable_statement_logging()
}

/// A unix socket has no name to verify and nobody in between; MySQL 8 may still want TLS on it for a
/// password it has not seen before.
fn mode(server: &DatabaseServer) -> DatabaseTlsMode {
    match (&server.address, server.tls.mode) {
        (DatabaseAddress::Tcp(..), mode) => mode,
        (DatabaseAddress::Unix(..), DatabaseTlsMode::Disable) => DatabaseTlsMode::Disable,
        (DatabaseAddress::Unix(..), _) => DatabaseTlsMode::Prefer,
    }
}

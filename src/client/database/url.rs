//! `DATABASE_URL`: MySQL, MariaDB, PostgreSQL, SQLite.

use super::tls_mode::tls_mode;
use crate::{
    client::database::{
        DatabaseAddress, DatabaseEngine, DatabaseServer, DatabaseTls, DatabaseTlsMode,
    },
    config::{
        secret::Secret,
        url::{UrlParts, authority, login},
    },
};
use std::path::PathBuf;

const SCHEMES: &str = "expected a URL that begins with mysql://, mariadb://, postgres://, \
                       postgresql:// or sqlite://";

/// Parameters that drivers know and that change nothing here.
const IGNORED: &[&str] = &[
    "charset",
    "collation",
    "timezone",
    "application_name",
    "connect_timeout",
    "statement-cache-capacity",
    "options",
];

/// Reads a database's URL; fails with what was expected.
pub fn database_url(text: &str) -> Result<DatabaseEngine, String> {
    if text.trim().to_ascii_lowercase().starts_with("sqlite:") {
        return sqlite(text.trim());
    }
    let parts = UrlParts::parse(text).map_err(|error| format!("{SCHEMES}; {error}"))?;
    match parts.scheme.as_str() {
        "mysql" | "mariadb" => server(parts, 3306).map(DatabaseEngine::MySql),
        "postgres" | "postgresql" => server(parts, 5432).map(DatabaseEngine::Postgres),
        _ => Err(SCHEMES.into()),
    }
}

/// `sqlite:///absolute`, `sqlite://relative`, `sqlite:either`; how it is opened is not for the URL
/// to say.
fn sqlite(text: &str) -> Result<DatabaseEngine, String> {
    let path = text.split_once(':').map(|(_, path)| path).unwrap_or_default();
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = crate::config::url::decode(path.split_once('?').map_or(path, |(path, _)| path))?;
    if path.is_empty() || path == ":memory:" {
        return Err(
            "expected the path of a database file, such as sqlite:///srv/data/owncloud.db".into()
        );
    }
    Ok(DatabaseEngine::Sqlite(PathBuf::from(path)))
}

fn server(mut parts: UrlParts, default_port: u16) -> Result<DatabaseServer, String> {
    let (mut host, mut port) = parts.only_host("localhost")?;
    let mut database = parts.name()?;
    let mut socket = None;
    let mut tls = DatabaseTls::default();
    for (name, value) in std::mem::take(&mut parts.query) {
        match name.as_str() {
            "socket" => socket = Some(value),
            "host" | "hostaddr" => host = value,
            "port" => port = Some(value.parse().map_err(|_| "expected port to be a port number")?),
            "user" => parts.user = Some(value),
            "password" => parts.password = Some(value),
            "dbname" => database = value,
            "ssl-mode" | "sslmode" | "ssl_mode" => tls.mode = tls_mode(&value)?,
            "ssl-ca" | "sslca" | "ssl_ca" | "sslrootcert" | "ssl-root-cert" => {
                tls.ca = Some(value.into());
            }
            "ssl-cert" | "sslcert" | "ssl_cert" => tls.cert = Some(value.into()),
            "ssl-key" | "sslkey" | "ssl_key" => tls.key = Some(value.into()),
            name if IGNORED.contains(&name) => {}
            _ => return Err(UNKNOWN.into()),
        }
    }
    if database.is_empty() {
        return Err("expected the database's name behind the host, such as /nextcloud".into());
    }
    if tls.cert.is_some() != tls.key.is_some() {
        return Err("expected ssl-cert and ssl-key together".into());
    }
    let port = port.unwrap_or(default_port);
    let address = match socket.or_else(|| host.starts_with('/').then(|| host.clone())) {
        Some(path) => DatabaseAddress::Unix(path.into(), port),
        None => DatabaseAddress::Tcp(host, port),
    };
    let password = parts.password.map(Secret::from);
    Ok(DatabaseServer { address, user: parts.user, password, database, tls })
}

const UNKNOWN: &str = "the URL holds a parameter that is not known; known are socket, host, port, \
                       user, password, dbname, ssl-mode, ssl-ca, ssl-cert, ssl-key (or sslmode, \
                       sslrootcert, sslcert, sslkey)";

/// `mysql://user:***@host:port/name?…`
pub fn show_engine(engine: &DatabaseEngine) -> String {
    match engine {
        DatabaseEngine::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseEngine::MySql(server) => show_server("mysql", server),
        DatabaseEngine::Postgres(server) => show_server("postgres", server),
    }
}

fn show_server(scheme: &str, server: &DatabaseServer) -> String {
    let (host, first) = match &server.address {
        DatabaseAddress::Tcp(host, port) => (authority(host, *port), String::new()),
        DatabaseAddress::Unix(path, _) if scheme == "mysql" => {
            ("localhost".into(), format!("socket={}&", path.display()))
        }
        DatabaseAddress::Unix(path, port) => {
            (String::new(), format!("host={}&port={port}&", path.display()))
        }
    };
    let login = login(server.user.as_deref(), server.password.as_ref());
    let tls = show_tls(&server.tls);
    format!("{scheme}://{login}{host}/{}?{first}{tls}", server.database)
}

fn show_tls(tls: &DatabaseTls) -> String {
    let mode = match tls.mode {
        DatabaseTlsMode::Disable => "disable",
        DatabaseTlsMode::Prefer => "prefer",
        DatabaseTlsMode::Require => "require",
        DatabaseTlsMode::VerifyCa => "verify-ca",
        DatabaseTlsMode::VerifyFull => "verify-full",
    };
    let mut text = format!("ssl-mode={mode}");
    for (name, path) in [("ssl-ca", &tls.ca), ("ssl-cert", &tls.cert), ("ssl-key", &tls.key)] {
        if let Some(path) = path {
            text.push_str(&format!("&{name}={}", path.display()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::database::show_engine;

    #[test]
    fn urls_become_engines() {
        for (url, shown) in [
            ("mysql://nc:p%40@db/nc", "mysql://nc:***@db:3306/nc?ssl-mode=prefer"),
            ("mariadb://db:3307/nc", "mysql://db:3307/nc?ssl-mode=prefer"),
            (
                "mysql://nc@localhost/nc?socket=/run/mysqld/mysqld.sock",
                "mysql://nc@localhost/nc?socket=/run/mysqld/mysqld.sock&ssl-mode=prefer",
            ),
            (
                "mysql://db/nc?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem",
                "mysql://db:3306/nc?ssl-mode=verify-ca&ssl-ca=/ca.pem",
            ),
            (
                "postgresql://nc:x@[::1]/nc?sslmode=verify-full&sslrootcert=/r&sslcert=/c&sslkey=/k",
                "postgres://nc:***@[::1]:5432/nc?ssl-mode=verify-full&ssl-ca=/r&ssl-cert=/c&ssl-key=/k",
            ),
            (
                "postgres:///nc?host=/run/postgresql&port=5433",
                "postgres:///nc?host=/run/postgresql&port=5433&ssl-mode=prefer",
            ),
            (
                "postgres://nc@%2Frun%2Fpostgresql/nc?sslmode=disable",
                "postgres://nc@/nc?host=/run/postgresql&port=5432&ssl-mode=disable",
            ),
            ("sqlite:///srv/a%20b.db?mode=ro", "sqlite:///srv/a b.db"),
            ("sqlite://rel.db", "sqlite://rel.db"),
        ] {
            assert_eq!(database_url(url).map(|engine| show_engine(&engine)), Ok(shown.into()));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, says) in [
            ("oracle://u:hunter2@h/db", "postgresql://"),
            ("hunter2", "mysql://"),
            ("mysql://u:hunter2@h", "/nextcloud"),
            ("mysql://u:hunter2@h:99999/db", "port"),
            ("mysql://u:hunter2@h/db?passwd=hunter2", "password"),
            ("mysql://u:hunter2@h/db?ssl-mode=hunter2", "verify-full"),
            ("mysql://u:hunter2@h/db?ssl-cert=/c", "ssl-key"),
            ("mysql://u:hunter2@a,b/db", "one host"),
            ("sqlite::memory:", "file"),
        ] {
            let error = database_url(url).unwrap_err();
            assert!(error.contains(says) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}

//! `DATABASE_URL`: MySQL, MariaDB, PostgreSQL, SQLite.

use super::{
    settings::{
        ConnectionOptions, DatabaseAddress, DatabaseEngine, DatabaseServer, DatabaseTls,
        DatabaseTlsMode,
    },
    url_parameters::UrlParameters,
};
use crate::config::{
    secret::Secret,
    url::{ParsedUrl, UrlParts, authority, login, normalize_parameter},
};
use std::path::PathBuf;

const SCHEMES: &str = "expected a URL that begins with mysql://, mariadb://, postgres://, \
                       postgresql:// or sqlite://";

/// Parses the URL of a database; the error is what was expected.
///
/// # Errors
/// The URL can't be used.
pub fn database_url(text: &str) -> Result<ParsedUrl<DatabaseEngine>, String> {
    if ["sqlite:", "sqlite3:"].iter().any(|scheme| {
        text.trim().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    }) {
        return sqlite(text.trim());
    }
    let parts = UrlParts::parse(text).map_err(|error| format!("{SCHEMES}; {error}"))?;
    // SQLAlchemy writes the driver behind a plus: postgresql+asyncpg.
    match parts.scheme.split('+').next().unwrap_or_default() {
        "mysql" | "mariadb" | "mysql2" => mysql(parts),
        "postgres" | "postgresql" | "pgsql" => {
            Ok(server(parts, 5432)?.map(DatabaseEngine::Postgres))
        }
        _ => Err(SCHEMES.into()),
    }
}

/// `sqlite:///absolute`, `sqlite://relative`, `sqlite:either`. The file is always opened read-only.
fn sqlite(text: &str) -> Result<ParsedUrl<DatabaseEngine>, String> {
    let path = text.split_once(':').map(|(_, path)| path).unwrap_or_default();
    let path = path.strip_prefix("//").unwrap_or(path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = crate::config::url::decode(path)?;
    if path.is_empty() || path == ":memory:" {
        return Err(
            "expected the path of a database file, such as sqlite:///srv/data/owncloud.db".into()
        );
    }
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let ignored = names.filter(|name| !["", "mode", "cache"].contains(name));
    let ignored = ignored.map(str::to_owned).collect();
    Ok(ParsedUrl { value: DatabaseEngine::Sqlite(PathBuf::from(path)), ignored })
}

impl DatabaseServer {
    /// Applies further connection parameters, such as those in `dbhost`. Returns the names of those
    /// without an effect.
    ///
    /// # Errors
    /// A known parameter has a value that can't be used.
    pub fn apply_parameters(
        &mut self,
        parameters: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<String>, String> {
        let tls = std::mem::take(&mut self.tls);
        let mut given = UrlParameters { tls, ..UrlParameters::default() };
        for (name, value) in parameters {
            given.take(&name, &value)?;
        }
        self.tls = given.tls;
        self.options = given.options;
        self.user = given.user.or_else(|| self.user.take());
        self.password = given.password.map(Secret::from).or_else(|| self.password.take());
        if let Some(database) = given.database {
            self.database = database;
        }
        let (DatabaseAddress::Tcp(_, port) | DatabaseAddress::Unix(_, port)) = &mut self.address;
        *port = given.port.unwrap_or(*port);
        let port = *port;
        let host = given.host.map(|host| match host.starts_with('/') {
            true => DatabaseAddress::unix(host.into(), port),
            false => DatabaseAddress::Tcp(host, port),
        });
        let socket = given.socket.map(|path| DatabaseAddress::Unix(path.into(), port));
        if let Some(address) = socket.or(host) {
            self.address = address;
        }
        Ok(given.ignored)
    }
}

fn mysql(parts: UrlParts) -> Result<ParsedUrl<DatabaseEngine>, String> {
    // Go's driver sets system variables by any name, so only PostgreSQL's are known here.
    let mut parsed = server(parts, 3306)?;
    let session = std::mem::take(&mut parsed.value.options.session);
    parsed.ignored.extend(session.into_iter().map(|(name, _)| name));
    Ok(parsed.map(DatabaseEngine::MySql))
}

fn server(mut parts: UrlParts, default_port: u16) -> Result<ParsedUrl<DatabaseServer>, String> {
    let (host, port) = parts.only_host("localhost")?;
    let mut given = UrlParameters::default();
    let query = std::mem::take(&mut parts.query);
    // The host before its address: libpq connects to the address and verifies the name.
    let (hosts, others): (Vec<_>, Vec<_>) =
        query.into_iter().partition(|(name, _)| normalize_parameter(name) == "host");
    for (name, value) in hosts.into_iter().chain(others) {
        given.take(&name, &value)?;
    }
    let database = given.database.map_or_else(|| parts.name(), Ok)?;
    if database.is_empty() {
        return Err("expected the database's name behind the host, such as /nextcloud".into());
    }
    if given.tls.cert.is_some() != given.tls.key.is_some() {
        return Err("expected ssl-cert and ssl-key together".into());
    }
    let host = given.host.unwrap_or(host);
    let port = given.port.or(port).unwrap_or(default_port);
    let address = match given.socket.or_else(|| host.starts_with('/').then(|| host.clone())) {
        Some(path) => DatabaseAddress::unix(path.into(), port),
        None => DatabaseAddress::Tcp(host, port),
    };
    let value = DatabaseServer {
        address,
        user: given.user.or(parts.user),
        password: given.password.or(parts.password).map(Secret::from),
        database,
        tls: given.tls,
        options: given.options,
    };
    Ok(ParsedUrl { value, ignored: given.ignored })
}

/// Shows a database without secrets: `mysql://user:***@host:port/name?…`
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
    let (tls, options) = (show_tls(&server.tls), show_options(&server.options));
    format!("{scheme}://{login}{host}/{}?{first}{tls}{options}", server.database)
}

fn show_options(options: &ConnectionOptions) -> String {
    let mut text = String::new();
    let session = options.session.iter().map(|(name, value)| format!("-c {name}={value}"));
    let session = session.collect::<Vec<_>>().join(" ");
    let number = |number: Option<usize>| number.map(|number| number.to_string());
    for (name, value) in [
        ("options", Some(session).filter(|session| !session.is_empty())),
        ("application_name", options.application_name.clone()),
        ("statement-cache-capacity", number(options.statement_cache)),
        ("connection_limit", number(options.max_connections)),
    ] {
        text.extend(value.map(|value| format!("&{name}={value}")));
    }
    text
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
            (
                "postgresql+asyncpg://u@db/nc?options=-c%20search_path%3Da,b&application_name=x",
                "postgres://u@db:5432/nc?ssl-mode=prefer&options=-c search_path=a,b&application_name=x",
            ),
            (
                "postgres:///nc?host=/run/pg/.s.PGSQL.5433",
                "postgres:///nc?host=/run/pg&port=5433&ssl-mode=prefer",
            ),
            (
                "mysql://db/nc?useSSL=true&connection_limit=2&statement-cache-capacity=0",
                "mysql://db:3306/nc?ssl-mode=require&statement-cache-capacity=0&connection_limit=2",
            ),
            ("postgres://h/nc?hostaddr=10.0.0.1&host=db", "postgres://db:5432/nc?ssl-mode=prefer"),
            ("sqlite:///srv/a%20b.db?mode=ro", "sqlite:///srv/a b.db"),
            ("sqlite://rel.db", "sqlite://rel.db"),
        ] {
            assert_eq!(database_url(url).map(|url| show_engine(&url.value)), Ok(shown.into()));
        }
    }

    #[test]
    fn parameters_without_an_effect_are_named() {
        for (url, ignored) in [
            ("mysql://h/db?passwd=x&parseTime=true", &["passwd", "parseTime"][..]),
            ("mysql://h/db?schema=nc", &["search_path"]),
            ("postgres://h/db?sslmode=require&channel_binding=require", &["channel_binding"]),
            ("postgres://h/db?pgbouncer=true&connection_limit=1", &[]),
            ("sqlite:///f?mode=ro&x=1", &["x"]),
        ] {
            assert_eq!(database_url(url).unwrap().ignored, ignored, "{url}");
        }
    }

    #[test]
    fn errors_do_not_contain_the_password() {
        for (url, says) in [
            ("oracle://u:hunter2@h/db", "postgresql://"),
            ("hunter2", "mysql://"),
            ("mysql://u:hunter2@h", "/nextcloud"),
            ("mysql://u:hunter2@h:99999/db", "port"),
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

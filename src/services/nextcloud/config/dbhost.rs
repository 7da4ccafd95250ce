//! `dbhost` and `dbport`: host, port, socket, connection parameters, and PHP's meaning of `localhost`.

use crate::client::database::DatabaseAddress;
use std::{
    net::Ipv6Addr,
    path::{Path, PathBuf},
};

/// The usual paths of MySQL's socket.
const MYSQL_SOCKETS: &[&str] = &[
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/run/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// The usual folders of PostgreSQL's sockets.
const POSTGRES_FOLDERS: &[&str] = &["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// The engine of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatabaseServerKind {
    MySql,
    Postgres,
}

impl DatabaseServerKind {
    fn port(self) -> u16 {
        match self {
            Self::MySql => 3306,
            Self::Postgres => 5432,
        }
    }
}

/// The host, and the parameters behind semicolons. Nextcloud puts `dbhost` into PDO's data source name
/// as it is, so `127.0.0.1;sslmode=disable` sets libpq's sslmode.
pub(super) fn split_parameters(
    dbhost: &str,
) -> (&str, impl Iterator<Item = (String, String)> + use<'_>) {
    let mut parts = dbhost.split(';');
    let host = parts.next().unwrap_or_default();
    let pairs = parts.filter(|part| !part.trim().is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    });
    (host, pairs)
}

/// The address of the server. `host` is `dbhost`; `port` is `dbport`, which counts if `host` has none.
/// `exists` says whether a path exists. None: the port isn't a number.
pub(super) fn address(
    kind: DatabaseServerKind,
    host: &str,
    port: Option<u16>,
    exists: &dyn Fn(&Path) -> bool,
) -> Option<DatabaseAddress> {
    let (name, own) = split(host.trim());
    let port = port.filter(|port| *port != 0);
    if let Some(socket) = own.filter(|own| own.starts_with('/')) {
        return Some(socket_address(kind, socket, port.unwrap_or(kind.port())));
    }
    let port = match own.filter(|own| !own.is_empty()) {
        Some(own) => Some(own.parse().ok()?),
        None => port,
    };
    let number = port.unwrap_or(kind.port());
    let tcp = |name: &str| Some(DatabaseAddress::Tcp(name.to_owned(), number));
    match (kind, name) {
        (_, name) if name.starts_with('/') => Some(socket_address(kind, name, number)),
        // mysqlnd takes the name `localhost` for the default socket, libpq does not.
        (DatabaseServerKind::MySql, "" | "localhost") if port.is_none() => {
            match mysql_socket(exists) {
                Some(socket) => Some(DatabaseAddress::Unix(socket, number)),
                None => tcp("localhost"),
            }
        }
        (DatabaseServerKind::Postgres, "") => match postgres_folder(number, exists) {
            Some(folder) => Some(DatabaseAddress::Unix(folder, number)),
            None => tcp("localhost"),
        },
        (_, "") => tcp("localhost"),
        (_, name) => tcp(name),
    }
}

fn socket_address(kind: DatabaseServerKind, path: &str, port: u16) -> DatabaseAddress {
    match kind {
        DatabaseServerKind::MySql => DatabaseAddress::Unix(path.into(), port),
        DatabaseServerKind::Postgres => DatabaseAddress::unix(path.into(), port),
    }
}

/// The host and the text behind its last colon, as Nextcloud splits them; an IPv6 address needs no
/// brackets. A path has a colon only before a port.
fn split(host: &str) -> (&str, Option<&str>) {
    if host.parse::<Ipv6Addr>().is_ok() {
        return (host, None);
    }
    if host.starts_with('/') {
        let port = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        return port.map_or((host, None), |(path, port)| (path, Some(port)));
    }
    let (name, own) = match host.rsplit_once(':') {
        Some((name, own)) if !own.contains(']') => (name, Some(own)),
        _ => (host, None),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    (bare.unwrap_or(name), own)
}

/// The first socket that exists; else the first whose folder exists, since the server may start later.
fn mysql_socket(exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let sockets = || MYSQL_SOCKETS.iter().map(Path::new);
    let there = sockets().find(|socket| exists(socket));
    let own_folder = |socket: &&Path| {
        socket.parent().is_some_and(|folder| folder != Path::new("/tmp") && exists(folder))
    };
    there.or_else(|| sockets().find(own_folder)).map(Path::to_path_buf)
}

fn postgres_folder(port: u16, exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let folders = || POSTGRES_FOLDERS.iter().map(Path::new);
    let socket = format!(".s.PGSQL.{port}");
    let there = folders().find(|folder| exists(&folder.join(&socket)));
    let own = |folder: &&Path| *folder != Path::new("/tmp") && exists(folder);
    there.or_else(|| folders().find(own)).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Option<DatabaseAddress> {
        Some(DatabaseAddress::Tcp(host.into(), port))
    }

    fn unix(path: &str, port: u16) -> Option<DatabaseAddress> {
        Some(DatabaseAddress::Unix(path.into(), port))
    }

    #[test]
    fn mysql_hosts() {
        let nothing = |_: &Path| false;
        for (host, port, expected) in [
            ("db", None, tcp("db", 3306)),
            ("db", Some(3307), tcp("db", 3307)),
            ("db:3308", Some(3307), tcp("db", 3308)),
            ("db:", None, tcp("db", 3306)),
            ("[::1]:3307", None, tcp("::1", 3307)),
            ("[::1]", None, tcp("::1", 3306)),
            ("fd00::1:2", None, tcp("fd00::1:2", 3306)),
            ("localhost:/run/my.sock", None, unix("/run/my.sock", 3306)),
            (":/run/my.sock", None, unix("/run/my.sock", 3306)),
            ("/run/my.sock", None, unix("/run/my.sock", 3306)),
            ("localhost:3306", None, tcp("localhost", 3306)),
            ("localhost", Some(3307), tcp("localhost", 3307)),
            ("localhost", Some(0), tcp("localhost", 3306)),
            ("db:port", None, None),
        ] {
            assert_eq!(
                address(DatabaseServerKind::MySql, host, port, &nothing),
                expected,
                "{host}"
            );
        }
    }

    #[test]
    fn localhost_is_the_first_mysql_socket_that_is_there_or_may_come() {
        let at = |path: &'static str| move |asked: &Path| asked == Path::new(path);
        for (there, expected) in [
            ("/var/lib/mysql/mysql.sock", unix("/var/lib/mysql/mysql.sock", 3306)),
            ("/run/mysqld", unix("/run/mysqld/mysqld.sock", 3306)),
            ("/tmp", tcp("localhost", 3306)),
        ] {
            for host in ["localhost", ""] {
                assert_eq!(
                    address(DatabaseServerKind::MySql, host, None, &at(there)),
                    expected,
                    "{there}"
                );
            }
        }
    }

    #[test]
    fn parameters_follow_semicolons() {
        let split = |text: &'static str| {
            let (host, pairs) = split_parameters(text);
            (host, pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
        };
        let parameters = ["port=5433", "sslmode=verify-ca", "x="].map(str::to_owned).to_vec();
        assert_eq!(split("db;port=5433; sslmode=verify-ca;x;"), ("db", parameters));
        assert_eq!(split("db:5432"), ("db:5432", vec![]));
    }

    #[test]
    fn postgres_hosts() {
        let all = |_: &Path| true;
        for (host, port, expected) in [
            ("localhost", None, tcp("localhost", 5432)),
            ("", None, unix("/var/run/postgresql", 5432)),
            ("/run/pg", Some(5433), unix("/run/pg", 5433)),
            ("localhost:/run/pg", None, unix("/run/pg", 5432)),
            ("/run/pg:5433", None, unix("/run/pg", 5433)),
            ("/run/pg:x", None, unix("/run/pg:x", 5432)),
            ("localhost:/run/pg/.s.PGSQL.5433", None, unix("/run/pg", 5433)),
            ("/run/pg/.s.PGSQL.5434", Some(5433), unix("/run/pg", 5434)),
            ("pg:5433", None, tcp("pg", 5433)),
        ] {
            assert_eq!(address(DatabaseServerKind::Postgres, host, port, &all), expected, "{host}");
        }
    }
}

//! `dbtype`, `dbhost`, `dbname` and their kin: the database.

use super::{
    dbhost,
    dbhost::DatabaseServerKind,
    keys::{ConfigEntry, ConfigKeys},
};
use crate::{
    client::database::{
        ConnectionOptions, DatabaseEngine, DatabaseServer, DatabaseTls, DatabaseTlsMode, tls_mode,
    },
    config::{ConfigError, ConfigFileValue, SettingSource, SourcedValue, secret::Secret},
};
use std::path::{Path, PathBuf};

/// What Nextcloud calls its database where nobody gave it a name.
const DEFAULT_NAME: &str = "owncloud";

/// PDO's attributes for MySQL, as PHP with mysqlnd numbers them.
mod attribute {
    pub(super) const SSL_KEY: &str = "1007";
    pub(super) const SSL_CERT: &str = "1008";
    pub(super) const SSL_CA: &str = "1009";
    pub(super) const SSL_VERIFY_SERVER_CERT: &str = "1014";
}

/// The database, where the file names its type.
pub(super) fn engine(
    keys: &ConfigKeys,
    exists: &dyn Fn(&Path) -> bool,
    warnings: &mut Vec<String>,
) -> ConfigFileValue<DatabaseEngine> {
    let Some(kind) = keys.get("dbtype")? else { return Ok(None) };
    let value = match kind.text()?.as_str() {
        "sqlite" | "sqlite3" => DatabaseEngine::Sqlite(sqlite(keys, &kind)?),
        "mysql" | "mariadb" => {
            DatabaseEngine::MySql(server(keys, DatabaseServerKind::MySql, exists, warnings)?)
        }
        "pgsql" => {
            DatabaseEngine::Postgres(server(keys, DatabaseServerKind::Postgres, exists, warnings)?)
        }
        _ => return Err(kind.invalid("expected mysql, pgsql or sqlite3; no other database works")),
    };
    let main = if matches!(value, DatabaseEngine::Sqlite(_)) { "datadirectory" } else { "dbhost" };
    let source = keys.get(main)?.map_or(kind.source, |entry| entry.source);
    Ok(Some(SourcedValue { value, source }))
}

/// `dbtableprefix`.
pub(super) fn prefix(keys: &ConfigKeys) -> ConfigFileValue<String> {
    let Some(entry) = keys.get("dbtableprefix")? else { return Ok(None) };
    let value = entry.text()?;
    if !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(entry.invalid("expected letters, digits and _ only, such as oc_"));
    }
    Ok(Some(SourcedValue { value, source: entry.source }))
}

fn sqlite(keys: &ConfigKeys, kind: &ConfigEntry<'_>) -> Result<PathBuf, ConfigError> {
    let folder = keys.text("datadirectory")?.ok_or_else(|| {
        kind.invalid("an SQLite database needs datadirectory too. Set it, or DATABASE_URL")
    })?;
    let name = keys.text("dbname")?.unwrap_or_else(|| DEFAULT_NAME.into());
    Ok(Path::new(&folder).join(format!("{name}.db")))
}

fn server(
    keys: &ConfigKeys,
    kind: DatabaseServerKind,
    exists: &dyn Fn(&Path) -> bool,
    warnings: &mut Vec<String>,
) -> Result<DatabaseServer, ConfigError> {
    let host = keys.get("dbhost")?;
    let text = host.as_ref().map(ConfigEntry::text).transpose()?.unwrap_or_default();
    let port = keys.get("dbport")?.map(|entry| entry.port()).transpose()?.flatten();
    let source = host.map_or(SettingSource::Default, |host| host.source);
    let (name, parameters) = dbhost::split_parameters(&text);
    let address = dbhost::address(kind, name, port, exists).ok_or_else(|| {
        let problem = "expected a port number or the path of a socket behind the colon, such as \
                       127.0.0.1:3306";
        ConfigError::invalid(source.clone(), problem)
    })?;
    let mut server = DatabaseServer {
        address,
        user: keys.text("dbuser")?,
        password: keys.text("dbpassword")?.map(Secret::from),
        database: keys.text("dbname")?.unwrap_or_else(|| DEFAULT_NAME.into()),
        tls: match kind {
            DatabaseServerKind::MySql => mysql_tls(keys)?,
            DatabaseServerKind::Postgres => postgres_tls(keys)?,
        },
        options: ConnectionOptions::default(),
    };
    let ignored = server
        .apply_parameters(parameters)
        .map_err(|problem| ConfigError::invalid(source.clone(), problem))?;
    let warning = |name| format!("{source}: the parameter {name} has no effect here");
    warnings.extend(ignored.into_iter().map(warning));
    Ok(server)
}

/// The TLS attributes in `dbdriveroptions`. As in PHP any file among them asks for TLS; a CA is
/// there to verify against unless verification is switched off.
fn mysql_tls(keys: &ConfigKeys) -> Result<DatabaseTls, ConfigError> {
    let Some(options) = keys.get("dbdriveroptions")? else { return Ok(DatabaseTls::default()) };
    if !options.value.as_bool() {
        return Ok(DatabaseTls::default());
    }
    let path = |name: &str| Ok::<_, ConfigError>(options.get_text(name)?.map(PathBuf::from));
    let ca = path(attribute::SSL_CA)?;
    let (cert, key) = (path(attribute::SSL_CERT)?, path(attribute::SSL_KEY)?);
    let verify = options.get(attribute::SSL_VERIFY_SERVER_CERT)?;
    let mode = match verify.map(|entry| entry.value.as_bool()) {
        Some(true) => DatabaseTlsMode::VerifyFull,
        None if ca.is_some() => DatabaseTlsMode::VerifyCa,
        _ if ca.is_some() || cert.is_some() || key.is_some() => DatabaseTlsMode::Require,
        _ => DatabaseTlsMode::Prefer,
    };
    pair(&options, mode, ca, cert, key)
}

fn postgres_tls(keys: &ConfigKeys) -> Result<DatabaseTls, ConfigError> {
    let Some(ssl) = keys.get("pgsql_ssl")?.filter(|entry| entry.value.as_array().is_some()) else {
        return Ok(DatabaseTls::default());
    };
    let mode = match ssl.get("mode")? {
        Some(entry) => tls_mode(&entry.text()?).map_err(|problem| entry.invalid(problem))?,
        None => DatabaseTlsMode::default(),
    };
    let path = |name: &str| Ok::<_, ConfigError>(ssl.get_text(name)?.map(PathBuf::from));
    let (ca, cert, key) = (path("rootcert")?, path("cert")?, path("key")?);
    pair(&ssl, mode, ca, cert, key)
}

fn pair(
    entry: &ConfigEntry<'_>,
    mode: DatabaseTlsMode,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<DatabaseTls, ConfigError> {
    if cert.is_some() != key.is_some() {
        return Err(
            entry.invalid("a client certificate needs its key, and the key its certificate")
        );
    }
    Ok(DatabaseTls { mode, ca, cert, key })
}

//! Checks that the database answers and accepts the login.

use super::clock::{ClockReading, since_1970};
use crate::{
    client::database::{
        Database, DatabaseAddress, DatabaseClientError, DatabaseEngine, DatabaseServer,
        DatabaseSettings, SqlRow,
    },
    config::SettingSource,
    doctor::{CheckFinding, CheckId, CheckOutcome},
    services::nextcloud::{
        doctor::target::{NextcloudCheckContext, NextcloudTarget},
        settings::table::DATABASE_URL,
    },
};
use std::{sync::Arc, time::Duration};

const WHY: &str =
    "the daemon looks up there which users a change concerns, and decides most logins";

/// PostgreSQL's words for a database that the account may not connect to.
const NO_CONNECT: &str = "permission denied for database";
/// The hint of the database client about a refused login.
const WRONG_LOGIN: &str = "check dbuser and dbpassword";

/// The database connection for later checks.
pub(in crate::services::nextcloud::doctor) struct ReachedDatabase {
    pub(in crate::services::nextcloud::doctor) database: Arc<Database>,
    /// Its clock compared with this host's.
    pub(in crate::services::nextcloud::doctor) clock: Option<ClockReading>,
}

/// Connects and reads the server's version and clock.
pub(in crate::services::nextcloud::doctor) async fn check(
    settings: &DatabaseSettings,
    target: &NextcloudTarget,
    context: &mut NextcloudCheckContext,
) -> CheckOutcome<ReachedDatabase> {
    let database = match Database::new(settings, context.rng.fork()) {
        Ok(database) => Arc::new(database),
        Err(error) => {
            return CheckOutcome::bad(CheckFinding::wrong(CheckId::Database, error.to_string()));
        }
    };
    let version = match text(&database, version_of(&settings.engine)).await {
        Ok(version) => version.unwrap_or_default(),
        Err(error) => return CheckOutcome::bad(refused(settings, target, &error)),
    };
    let clock = clock(&database, &settings.engine, context).await;
    let observed = format!("{} accepts the login", name(&settings.engine, &version));
    CheckOutcome::good(
        CheckFinding::fine(CheckId::Database, observed),
        ReachedDatabase { database, clock },
    )
}

/// The text in the first column of the first row.
pub(in crate::services::nextcloud::doctor) async fn text(
    database: &Database,
    sql: &str,
) -> Result<Option<String>, DatabaseClientError> {
    let mut found = None;
    let mut each = |row: &SqlRow<'_>| {
        let text = row.text(0)?;
        found = found.take().or_else(|| text.map(str::to_owned));
        Ok(())
    };
    database.query(&database.statement(sql), &[], &mut each).await?;
    Ok(found)
}

/// The number in the first column of the first row.
pub(in crate::services::nextcloud::doctor) async fn number(
    database: &Database,
    sql: &str,
) -> Result<Option<i64>, DatabaseClientError> {
    let mut found = None;
    let mut each = |row: &SqlRow<'_>| {
        found = found.or(row.int(0)?);
        Ok(())
    };
    database.query(&database.statement(sql), &[], &mut each).await?;
    Ok(found)
}

fn version_of(engine: &DatabaseEngine) -> &'static str {
    match engine {
        DatabaseEngine::MySql(_) | DatabaseEngine::Postgres(_) => "SELECT version()",
        DatabaseEngine::Sqlite(_) => "SELECT sqlite_version()",
    }
}

/// A name such as "MariaDB 10.11.4 at 127.0.0.1:3306".
fn name(engine: &DatabaseEngine, version: &str) -> String {
    let number =
        version.split([' ', '-']).find(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let number = number.unwrap_or_default();
    match engine {
        DatabaseEngine::MySql(server) if version.contains("MariaDB") => {
            format!("MariaDB {number} at {}", place(server))
        }
        DatabaseEngine::MySql(server) => format!("MySQL {number} at {}", place(server)),
        DatabaseEngine::Postgres(server) => format!("PostgreSQL {number} at {}", place(server)),
        DatabaseEngine::Sqlite(file) => format!("SQLite {number} with {}", file.display()),
    }
}

fn place(server: &DatabaseServer) -> String {
    match &server.address {
        DatabaseAddress::Tcp(host, port) => format!("{host}:{port}"),
        DatabaseAddress::Unix(path, _) => path.display().to_string(),
    }
}

/// The statement that lets the daemon's account connect to the database.
fn grant_connect(server: &DatabaseServer) -> String {
    let user = server.user.as_deref().unwrap_or("notify_push");
    format!("GRANT CONNECT ON DATABASE {} TO {};", identifier(&server.database), identifier(user))
}

/// A name in PostgreSQL: quoted, so that it may have capitals and dashes.
pub(in crate::services::nextcloud::doctor) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn clock(
    database: &Database,
    engine: &DatabaseEngine,
    context: &NextcloudCheckContext,
) -> Option<ClockReading> {
    let sql = match engine {
        DatabaseEngine::MySql(_) => "SELECT UNIX_TIMESTAMP()",
        DatabaseEngine::Postgres(_) => "SELECT CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)",
        DatabaseEngine::Sqlite(_) => return None,
    };
    let theirs = u64::try_from(number(database, sql).await.ok()??).ok()?;
    Some(ClockReading::coarse("the database", Duration::from_secs(theirs), since_1970(context)))
}

fn refused(
    settings: &DatabaseSettings,
    target: &NextcloudTarget,
    error: &DatabaseClientError,
) -> CheckFinding {
    let finding = CheckFinding::wrong(CheckId::Database, error.to_string()).why(WHY);
    let occ = &target.occ;
    match &settings.engine {
        DatabaseEngine::Sqlite(file) => finding
            .advise("The daemon's user must be able to read the file:")
            .run(format!("ls -l {}", super::super::target::quoted(&file.display().to_string()))),
        DatabaseEngine::MySql(server) | DatabaseEngine::Postgres(server)
            if finding.observed.contains(NO_CONNECT) =>
        {
            finding
                .advise(
                    "Nextcloud's installer revokes CONNECT from all other accounts. As an \
                     administrator of the database:",
                )
                .sql(grant_connect(server))
        }
        DatabaseEngine::MySql(_) | DatabaseEngine::Postgres(_)
            if finding.observed.contains(WRONG_LOGIN) =>
        {
            match target.source(DATABASE_URL.name) {
                Some(source) if !matches!(source, SettingSource::File { .. }) => finding
                    .advise(format!("Correct user and password where they are set: {source}")),
                _ => finding
                    .advise("Correct dbuser and dbpassword in config.php. Nextcloud's own are:")
                    .run(format!(
                        "{occ} config:system:get dbuser; {occ} config:system:get dbpassword"
                    )),
            }
        }
        DatabaseEngine::MySql(_) | DatabaseEngine::Postgres(_) => finding
            .advise("Compare with Nextcloud's own settings, and check that the server runs:")
            .run(format!("{occ} config:system:get dbhost; {occ} status")),
    }
}

//! The database answers and lets us in.

use super::clock::{Reading, since_1970};
use crate::{
    client::database::{
        Database, DatabaseSettings, Engine, Row, Server, ServerAddress, StoreError,
    },
    services::nextcloud::doctor::{
        outcome::{Check, Finding, Outcome},
        patient::{Patient, Tools},
    },
};
use std::{sync::Arc, time::Duration};

const WHY: &str = "whom a change concerns is looked up there, and most log-ins are decided from it";

/// What later checks build on.
pub(in crate::services::nextcloud::doctor) struct Reached {
    pub(in crate::services::nextcloud::doctor) database: Arc<Database>,
    /// How its clock compares with ours.
    pub(in crate::services::nextcloud::doctor) clock: Option<Reading>,
}

/// Connects and asks.
pub(in crate::services::nextcloud::doctor) async fn check(
    settings: &DatabaseSettings,
    patient: &Patient,
    tools: &mut Tools,
) -> Outcome<Reached> {
    let database = match Database::new(settings, tools.rng.fork()) {
        Ok(database) => Arc::new(database),
        Err(error) => return Outcome::bad(Finding::wrong(Check::Database, error.to_string())),
    };
    let version = match text(&database, version_of(&settings.engine)).await {
        Ok(version) => version.unwrap_or_default(),
        Err(error) => return Outcome::bad(refused(settings, patient, &error)),
    };
    let clock = clock(&database, &settings.engine, tools).await;
    let seen = format!("{} lets us in", name(&settings.engine, &version));
    Outcome::good(Finding::fine(Check::Database, seen), Reached { database, clock })
}

/// The first column of the first row.
pub(in crate::services::nextcloud::doctor) async fn text(
    database: &Database,
    sql: &str,
) -> Result<Option<String>, StoreError> {
    let mut found = None;
    let mut each = |row: &Row<'_>| {
        let text = row.text(0)?;
        found = found.take().or_else(|| text.map(str::to_owned));
        Ok(())
    };
    database.query(&database.statement(sql), &[], &mut each).await?;
    Ok(found)
}

/// The same for a number.
pub(in crate::services::nextcloud::doctor) async fn number(
    database: &Database,
    sql: &str,
) -> Result<Option<i64>, StoreError> {
    let mut found = None;
    let mut each = |row: &Row<'_>| {
        found = found.or(row.int(0)?);
        Ok(())
    };
    database.query(&database.statement(sql), &[], &mut each).await?;
    Ok(found)
}

fn version_of(engine: &Engine) -> &'static str {
    match engine {
        Engine::MySql(_) | Engine::Postgres(_) => "SELECT version()",
        Engine::Sqlite(_) => "SELECT sqlite_version()",
    }
}

/// "MariaDB 10.11.4 at 127.0.0.1:3306".
fn name(engine: &Engine, version: &str) -> String {
    let number =
        version.split([' ', '-']).find(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let number = number.unwrap_or_default();
    match engine {
        Engine::MySql(server) if version.contains("MariaDB") => {
            format!("MariaDB {number} at {}", place(server))
        }
        Engine::MySql(server) => format!("MySQL {number} at {}", place(server)),
        Engine::Postgres(server) => format!("PostgreSQL {number} at {}", place(server)),
        Engine::Sqlite(file) => format!("SQLite {number} with {}", file.display()),
    }
}

fn place(server: &Server) -> String {
    match &server.address {
        ServerAddress::Tcp(host, port) => format!("{host}:{port}"),
        ServerAddress::Unix(path, _) => path.display().to_string(),
    }
}

async fn clock(database: &Database, engine: &Engine, tools: &Tools) -> Option<Reading> {
    let sql = match engine {
        Engine::MySql(_) => "SELECT UNIX_TIMESTAMP()",
        Engine::Postgres(_) => "SELECT CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)",
        Engine::Sqlite(_) => return None,
    };
    let theirs = u64::try_from(number(database, sql).await.ok()??).ok()?;
    Some(Reading::coarse("the database", Duration::from_secs(theirs), since_1970(tools)))
}

fn refused(settings: &DatabaseSettings, patient: &Patient, error: &StoreError) -> Finding {
    let finding = Finding::wrong(Check::Database, error.to_string()).why(WHY);
    let occ = &patient.occ;
    match &settings.engine {
        Engine::Sqlite(file) => finding
            .advise("The daemon must be able to read the file, as the user it runs as:")
            .run(format!("ls -l {}", super::super::patient::quoted(&file.display().to_string()))),
        Engine::MySql(_) | Engine::Postgres(_) => finding
            .advise("Compare with what Nextcloud itself uses, and see that the server runs:")
            .run(format!("{occ} config:system:get dbhost; {occ} status")),
    }
}

//! The database section.

use super::super::address::{database_url, show_engine};
use super::super::{AuthSettings, AuthStep, ConfigError, Sourced, parse, setting};
use super::{Found, Layers, Report, over};
use crate::store::{DatabaseSettings, Engine};

const DEFAULT_PREFIX: &str = "oc_";

pub(super) fn engine(layers: &Layers<'_>, file: Found<Engine>) -> Found<Engine> {
    over(layers.get(setting::DATABASE_URL, database_url)?, file)
}

pub(super) fn prefix(
    layers: &Layers<'_>,
    file: Found<String>,
) -> Result<Sourced<String>, ConfigError> {
    let given = over(layers.get(setting::DATABASE_PREFIX, parse::table_prefix)?, file)?;
    Ok(given.unwrap_or(Sourced::default(DEFAULT_PREFIX.into())))
}

/// There must be a database, unless the log-ins were expressly given to Nextcloud alone.
pub(super) fn database(
    engine: Option<Sourced<Engine>>,
    prefix: Sourced<String>,
    auth: &AuthSettings,
    report: &mut Report,
) -> Result<Option<DatabaseSettings>, ConfigError> {
    if engine.is_none() {
        if auth.steps.contains(&AuthStep::Database) {
            return Err(ConfigError::Missing {
                what: "no database is known",
                remedy: "Give the path of Nextcloud's config.php as argument (with --glob-config \
                         if the database stands in a *.config.php beside it), or --database-url \
                         or DATABASE_URL",
            });
        }
        report.warn("without a database nobody can be told of changed files");
    }
    let name = setting::DATABASE_URL.name;
    let engine = report.keep_some(name, engine, "none", show_engine);
    let prefix = report.keep(setting::DATABASE_PREFIX.name, prefix, |text| format!("{text:?}"));
    Ok(engine.map(|engine| DatabaseSettings { engine, prefix }))
}

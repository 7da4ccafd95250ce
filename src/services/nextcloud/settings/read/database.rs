//! Reads the settings of the database.

use super::super::{AuthSettings, AuthStep, table};
use crate::{
    client::database::{DatabaseEngine, DatabaseSettings, database_url, show_engine},
    config::{
        ConfigError, ConfigFileValue, SettingLayers, SettingsReport, parse,
        read::{or_default, over},
    },
};

/// The database, if any layer names one.
pub(super) fn database(
    layers: &SettingLayers<'_>,
    engine: ConfigFileValue<DatabaseEngine>,
    prefix: ConfigFileValue<String>,
    report: &mut SettingsReport,
) -> Result<Option<DatabaseSettings>, ConfigError> {
    let url = layers.get(table::DATABASE_URL, database_url)?;
    if let Some(url) = &url {
        url.value.warnings(&url.source).into_iter().for_each(|warning| report.warn(warning));
    }
    let engine = over(url.map(|url| url.map(|url| url.value)), engine)?;
    let engine = report.keep_some(table::DATABASE_URL.name, engine, "none", show_engine);
    let prefix = over(layers.get(table::DATABASE_PREFIX, parse::table_prefix)?, prefix)?;
    let prefix = or_default(prefix, table::DATABASE_PREFIX, parse::table_prefix)?;
    let prefix = report.keep(table::DATABASE_PREFIX.name, prefix, |text| format!("{text:?}"));
    Ok(engine.map(|engine| DatabaseSettings { engine, prefix }))
}

/// A database is optional only if Nextcloud alone decides logins.
pub(super) fn not_needed(
    auth: &AuthSettings,
    report: &mut SettingsReport,
) -> Result<(), ConfigError> {
    if auth.steps.contains(&AuthStep::Database) {
        return Err(ConfigError::Missing {
            what: "no database is known",
            remedy: "Give the path of Nextcloud's config.php as argument (with --glob-config if \
                     the database stands in a *.config.php beside it), or --database-url or \
                     DATABASE_URL",
        });
    }
    report.warn("without a database no client can be notified of changed files");
    Ok(())
}

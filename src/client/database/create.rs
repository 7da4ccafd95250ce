//! A SQLite file made from a script: a database where none is installed.

use super::DatabaseClientError;
use sqlx::{ConnectOptions as _, Connection as _, Error, sqlite::SqliteConnectOptions};
use std::path::Path;

/// Makes the file and runs the script in it; nothing keeps it open afterwards.
///
/// # Errors
/// [`DatabaseClientError::Broken`] when the file can't be written or the script can't be run.
pub async fn create(file: &Path, script: &'static str) -> Result<(), DatabaseClientError> {
    let run = async {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = options.disable_statement_logging().connect().await?;
        sqlx::raw_sql(script).execute(&mut connection).await?;
        connection.close().await
    };
    run.await.map_err(|cause: Error| {
        DatabaseClientError::Broken(format!("{} can't be made: {cause}", file.display()).into())
    })
}

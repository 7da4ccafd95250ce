//! Creates a SQLite file from a script, for the demo.

use super::{DatabaseClientError, DatabaseProblem};
use sqlx::{ConnectOptions as _, Connection as _, Error, sqlite::SqliteConnectOptions};
use std::path::Path;

/// Creates the file, runs the script in it and closes it.
///
/// # Errors
/// [`DatabaseClientError::Misconfigured`] when the file can't be written or the script fails.
pub async fn create(file: &Path, script: &'static str) -> Result<(), DatabaseClientError> {
    let run = async {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = options.disable_statement_logging().connect().await?;
        sqlx::raw_sql(script).execute(&mut connection).await?;
        connection.close().await
    };
    run.await.map_err(|cause: Error| {
        let cause = format!("{} can't be created: {cause}", file.display()).into();
        DatabaseClientError::Misconfigured(DatabaseProblem { cause, remedy: None })
    })
}

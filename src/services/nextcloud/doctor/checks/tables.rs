//! The database holds Nextcloud's tables, and they may be read.

use crate::{
    client::database::{Database, DatabaseClientError},
    services::nextcloud::{
        doctor::outcome::{CheckFinding, CheckId, CheckOutcome},
        table_access::{REQUIRED_TABLES, unreadable_tables},
    },
};

const WHY: &str = "without them nobody can be told of changes, or log-ins can't be decided here";

/// Reads nothing of each.
pub(in crate::services::nextcloud::doctor) async fn check(database: &Database) -> CheckOutcome<()> {
    match unreadable_tables(database).await {
        Ok(problems) if problems.is_empty() => {
            let names = REQUIRED_TABLES.map(|(table, _)| table).join(", ");
            CheckOutcome::good(CheckFinding::fine(CheckId::Tables, format!("may read {names}")), ())
        }
        Ok(problems) => {
            let findings = problems.iter().map(table_finding).collect();
            CheckOutcome { findings, value: None }
        }
        Err(error) => {
            CheckOutcome::bad(CheckFinding::wrong(CheckId::Tables, error.to_string()).why(WHY))
        }
    }
}

fn table_finding(error: &DatabaseClientError) -> CheckFinding {
    let (seen, grant) = error.with_remedy();
    let finding = CheckFinding::wrong(CheckId::Tables, seen).why(WHY);
    match grant {
        Some(grant) => finding.advise("As an administrator of the database:").sql(grant),
        None => finding.advise(
            "Name the database and the prefix that Nextcloud uses (dbname and dbtableprefix in its \
             config.php); a column that is missing comes with an update of Nextcloud.",
        ),
    }
}

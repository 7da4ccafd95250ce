//! Checks that the database has Nextcloud's tables and that they are readable.

use crate::{
    client::database::{Database, DatabaseClientError},
    doctor::{CheckFinding, CheckId, CheckOutcome},
    services::nextcloud::table_access::{REQUIRED_TABLES, unreadable_tables},
};

const WHY: &str =
    "without them no client can be notified of changes, or logins can't be decided here";

/// Tries to read each table, without rows.
pub(in crate::services::nextcloud::doctor) async fn check(database: &Database) -> CheckOutcome<()> {
    match unreadable_tables(database).await {
        Ok(problems) if problems.is_empty() => {
            let names = REQUIRED_TABLES.map(|(table, _)| table).join(", ");
            CheckOutcome::good(CheckFinding::fine(CheckId::Tables, format!("can read {names}")), ())
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
            "Set the database and the prefix that Nextcloud uses (dbname and dbtableprefix in its \
             config.php); a missing column comes with an update of Nextcloud.",
        ),
    }
}

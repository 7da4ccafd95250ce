//! The database holds Nextcloud's tables, and they may be read.

use crate::{
    client::database::{Database, StoreError},
    services::nextcloud::{
        doctor::outcome::{Check, Finding, Outcome},
        readable::{NEEDED, unreadable},
    },
};

const WHY: &str = "without them nobody can be told of changes, or log-ins can't be decided here";

/// Reads nothing of each.
pub(in crate::services::nextcloud::doctor) async fn check(database: &Database) -> Outcome<()> {
    match unreadable(database).await {
        Ok(complaints) if complaints.is_empty() => {
            let names = NEEDED.map(|(table, _)| table).join(", ");
            Outcome::good(Finding::fine(Check::Tables, format!("may read {names}")), ())
        }
        Ok(complaints) => {
            let findings = complaints.iter().map(complain).collect();
            Outcome { findings, value: None }
        }
        Err(error) => Outcome::bad(Finding::wrong(Check::Tables, error.to_string()).why(WHY)),
    }
}

fn complain(error: &StoreError) -> Finding {
    let (seen, grant) = error.with_remedy();
    let finding = Finding::wrong(Check::Tables, seen).why(WHY);
    match grant {
        Some(grant) => finding.advise("As an administrator of the database:").sql(grant),
        None => finding.advise(
            "Name the database and the prefix that Nextcloud uses (dbname and dbtableprefix in its \
             config.php); a column that is missing comes with an update of Nextcloud.",
        ),
    }
}

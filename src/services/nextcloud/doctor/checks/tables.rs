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
        Ok(problems) => CheckOutcome { findings: findings(&problems), value: None },
        Err(error) => {
            CheckOutcome::bad(CheckFinding::wrong(CheckId::Tables, error.to_string()).why(WHY))
        }
    }
}

/// One finding about all tables that need a grant, and one about all others: their remedies are the same.
fn findings(problems: &[DatabaseClientError]) -> Vec<CheckFinding> {
    let problems = problems.iter().map(DatabaseClientError::with_remedy);
    let (denied, others): (Vec<_>, Vec<_>) = problems.partition(|(_, grant)| grant.is_some());
    let denied = summary(&denied).map(|finding| {
        let grants: Vec<&str> = denied.iter().filter_map(|(_, grant)| grant.as_deref()).collect();
        finding.advise("As an administrator of the database:").sql(grants.join("\n"))
    });
    let others = summary(&others).map(|finding| {
        finding.advise(
            "Set the database and the prefix that Nextcloud uses (dbname and dbtableprefix in its \
             config.php); a missing column comes with an update of Nextcloud.",
        )
    });
    denied.into_iter().chain(others).collect()
}

/// The first problem in the heading, the others as details.
fn summary(problems: &[(String, Option<String>)]) -> Option<CheckFinding> {
    let ((first, _), rest) = problems.split_first()?;
    let finding = CheckFinding::wrong(CheckId::Tables, first.clone()).why(WHY);
    Some(rest.iter().fold(finding, |finding, (text, _)| finding.detail(text.clone())))
}

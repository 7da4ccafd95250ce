//! Checks that the database account can do nothing but read; more rights are a hint.

use super::database::{identifier, number, text};
use crate::{
    client::database::{
        Database, DatabaseClientError, DatabaseEngine, DatabaseServer, DatabaseSettings, SqlRow,
    },
    doctor::{CheckFinding, CheckId},
    services::nextcloud::table_access::REQUIRED_TABLES,
};

/// Rights that allow no change.
const READ_ONLY_RIGHTS: [&str; 5] =
    ["USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "REFERENCES"];

/// Reads the rights of the account.
pub(in crate::services::nextcloud::doctor) async fn check(
    database: &Database,
    settings: &DatabaseSettings,
) -> CheckFinding {
    let asked = match &settings.engine {
        DatabaseEngine::Sqlite(_) => {
            let seen = "SQLite has no accounts; the file is opened for reading only";
            return CheckFinding::fine(CheckId::Rights, seen);
        }
        DatabaseEngine::MySql(server) => mysql(database, server, &settings.prefix).await,
        DatabaseEngine::Postgres(server) => postgres(database, server, &settings.prefix).await,
    };
    asked.unwrap_or_else(|error| {
        CheckFinding::hint(CheckId::Rights, format!("the rights can't be read: {error}"))
    })
}

async fn mysql(
    database: &Database,
    server: &DatabaseServer,
    prefix: &str,
) -> Result<CheckFinding, DatabaseClientError> {
    let mut grants = Vec::new();
    let mut each = |row: &SqlRow<'_>| {
        grants.extend(row.text(0)?.map(str::to_owned));
        Ok(())
    };
    database.query(&database.statement("SHOW GRANTS"), &[], &mut each).await?;
    if grants.iter().all(|grant| is_read_only(grant)) {
        return Ok(only_reads());
    }
    let account = text(database, "SELECT CURRENT_USER()").await?.unwrap_or_default();
    let host = account.rsplit_once('@').map_or("%", |(_, host)| host);
    let account = format!("'notify_push'@'{host}'");
    let name = server.database.replace('`', "``");
    let grants = REQUIRED_TABLES
        .map(|(table, _)| format!("GRANT SELECT ON `{name}`.`{prefix}{table}` TO {account};"))
        .join("\n");
    let create = format!("CREATE USER {account} IDENTIFIED BY '<password>';\n{grants}");
    Ok(too_much(server, create, "mysql"))
}

async fn postgres(
    database: &Database,
    server: &DatabaseServer,
    prefix: &str,
) -> Result<CheckFinding, DatabaseClientError> {
    let may = |(table, _): (&str, &str)| {
        format!("has_table_privilege('{{p}}{table}', 'INSERT, UPDATE, DELETE, TRUNCATE')")
    };
    let sql =
        format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", REQUIRED_TABLES.map(may).join(" OR "));
    if number(database, &sql).await? == Some(0) {
        return Ok(only_reads());
    }
    let tables = REQUIRED_TABLES.map(|(table, _)| format!("{prefix}{table}")).join(", ");
    let create = format!(
        "CREATE ROLE notify_push LOGIN PASSWORD '<password>';\n\
         GRANT CONNECT ON DATABASE {} TO notify_push;\n\
         GRANT SELECT ON {tables} TO notify_push;",
        identifier(&server.database)
    );
    Ok(too_much(server, create, "postgresql"))
}

/// Whether a line such as `GRANT SELECT, SHOW VIEW ON …` only allows reading.
fn is_read_only(grant: &str) -> bool {
    let Some(rights) = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")) else {
        return false;
    };
    // MariaDB and MySQL are installed with a database of this name, in which all accounts may do anything.
    if ["`test`.*", r"`test\_%`.*"].iter().any(|stock| rights.1.starts_with(stock)) {
        return true;
    }
    rights.0.split(", ").all(|right| READ_ONLY_RIGHTS.contains(&right))
        && !grant.contains("GRANT OPTION")
}

fn only_reads() -> CheckFinding {
    CheckFinding::fine(CheckId::Rights, "this account can read and change nothing")
}

fn too_much(server: &DatabaseServer, create: String, scheme: &str) -> CheckFinding {
    let user = server.user.as_deref().unwrap_or("the account");
    let place = match &server.address {
        crate::client::database::DatabaseAddress::Tcp(host, port) => format!("{host}:{port}"),
        crate::client::database::DatabaseAddress::Unix(..) => "localhost".to_owned(),
    };
    let name = &server.database;
    CheckFinding::hint(CheckId::Rights, format!("{user} may do more than read Nextcloud's tables"))
        .why(
            "the daemon only reads these tables; with its own read-only account, a bug in it or its \
             stolen password can change nothing",
        )
        .advise("As an administrator of the database:")
        .sql(create)
        .advise(
            "Then set it in the daemon's environment or in the file of a *_FILE variable:",
        )
        .paste(format!("DATABASE_URL={scheme}://notify_push:<password>@{place}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::is_read_only;

    #[test]
    fn only_reading_rights_are_read_only() {
        for (grant, harmless) in [
            ("GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*AB'", true),
            ("GRANT SELECT ON `nc`.`oc_mounts` TO `u`@`%`", true),
            ("GRANT SELECT, SHOW VIEW ON `nc`.* TO `u`@`%`", true),
            ("GRANT ALL PRIVILEGES ON `nc`.* TO `u`@`%`", false),
            ("GRANT SELECT, INSERT ON `nc`.* TO `u`@`%`", false),
            ("GRANT SELECT ON `nc`.* TO `u`@`%` WITH GRANT OPTION", false),
            ("GRANT `admin` TO `u`@`%`", false),
            ("GRANT SELECT, INSERT, DROP ON `test`.* TO PUBLIC", true),
            (r"GRANT SELECT, INSERT, DROP ON `test\_%`.* TO PUBLIC", true),
            ("GRANT INSERT ON `testing`.* TO PUBLIC", false),
        ] {
            assert_eq!(is_read_only(grant), harmless, "{grant}");
        }
    }
}

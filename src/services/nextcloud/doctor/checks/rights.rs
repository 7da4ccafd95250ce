//! The tables may be read and nothing else: a hint, for what isn't needed can't be misused.

use super::database::{number, text};
use crate::{
    client::database::{Database, DatabaseSettings, Engine, Row, Server, StoreError},
    services::nextcloud::{
        doctor::outcome::{Check, Finding},
        readable::NEEDED,
    },
};

/// Rights that let nobody change anything.
const HARMLESS: [&str; 5] = ["USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "REFERENCES"];

/// Asks what the account may do.
pub(in crate::services::nextcloud::doctor) async fn check(
    database: &Database,
    settings: &DatabaseSettings,
) -> Finding {
    let asked = match &settings.engine {
        Engine::Sqlite(_) => {
            let seen = "SQLite has no accounts; the file is opened for reading only";
            return Finding::fine(Check::Rights, seen);
        }
        Engine::MySql(server) => mysql(database, server, &settings.prefix).await,
        Engine::Postgres(server) => postgres(database, server, &settings.prefix).await,
    };
    asked.unwrap_or_else(|error| Finding::hint(Check::Rights, format!("rights not seen: {error}")))
}

async fn mysql(database: &Database, server: &Server, prefix: &str) -> Result<Finding, StoreError> {
    let mut grants = Vec::new();
    let mut each = |row: &Row<'_>| {
        grants.extend(row.text(0)?.map(str::to_owned));
        Ok(())
    };
    database.query(&database.statement("SHOW GRANTS"), &[], &mut each).await?;
    if grants.iter().all(|grant| is_harmless(grant)) {
        return Ok(only_reads());
    }
    let account = text(database, "SELECT CURRENT_USER()").await?.unwrap_or_default();
    let host = account.rsplit_once('@').map_or("%", |(_, host)| host);
    let account = format!("'notify_push'@'{host}'");
    let name = server.database.replace('`', "``");
    let grants = NEEDED
        .map(|(table, _)| format!("GRANT SELECT ON `{name}`.`{prefix}{table}` TO {account};"))
        .join("\n");
    let create = format!("CREATE USER {account} IDENTIFIED BY '<password>';\n{grants}");
    Ok(too_much(server, create, "mysql"))
}

async fn postgres(
    database: &Database,
    server: &Server,
    prefix: &str,
) -> Result<Finding, StoreError> {
    let may = |(table, _): (&str, &str)| {
        format!("has_table_privilege('{{p}}{table}', 'INSERT, UPDATE, DELETE, TRUNCATE')")
    };
    let sql = format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", NEEDED.map(may).join(" OR "));
    if number(database, &sql).await? == Some(0) {
        return Ok(only_reads());
    }
    let tables = NEEDED.map(|(table, _)| format!("{prefix}{table}")).join(", ");
    let create = format!(
        "CREATE ROLE notify_push LOGIN PASSWORD '<password>';\n\
         GRANT SELECT ON {tables} TO notify_push;"
    );
    Ok(too_much(server, create, "postgresql"))
}

/// `GRANT SELECT, SHOW VIEW ON …`; a role or a right for columns has a word of its own.
fn is_harmless(grant: &str) -> bool {
    let Some(rights) = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")) else {
        return false;
    };
    rights.0.split(", ").all(|right| HARMLESS.contains(&right)) && !grant.contains("GRANT OPTION")
}

fn only_reads() -> Finding {
    Finding::fine(Check::Rights, "this account may read, and change nothing")
}

fn too_much(server: &Server, create: String, scheme: &str) -> Finding {
    let user = server.user.as_deref().unwrap_or("the account");
    let place = match &server.address {
        crate::client::database::ServerAddress::Tcp(host, port) => format!("{host}:{port}"),
        crate::client::database::ServerAddress::Unix(..) => "localhost".to_owned(),
    };
    let name = &server.database;
    Finding::hint(Check::Rights, format!("{user} may do more than read Nextcloud's tables"))
        .why(
            "the daemon only ever reads these tables; with an account of its own a mistake in it, \
             or its stolen password, can change nothing",
        )
        .advise("As an administrator of the database:")
        .sql(create)
        .advise(
            "Then give it to the daemon, in its environment or in the file of a *_FILE variable:",
        )
        .paste(format!("DATABASE_URL={scheme}://notify_push:<password>@{place}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn only_reading_is_harmless() {
        for (grant, harmless) in [
            ("GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*AB'", true),
            ("GRANT SELECT ON `nc`.`oc_mounts` TO `u`@`%`", true),
            ("GRANT SELECT, SHOW VIEW ON `nc`.* TO `u`@`%`", true),
            ("GRANT ALL PRIVILEGES ON `nc`.* TO `u`@`%`", false),
            ("GRANT SELECT, INSERT ON `nc`.* TO `u`@`%`", false),
            ("GRANT SELECT ON `nc`.* TO `u`@`%` WITH GRANT OPTION", false),
            ("GRANT `admin` TO `u`@`%`", false),
        ] {
            assert_eq!(is_harmless(grant), harmless, "{grant}");
        }
    }
}

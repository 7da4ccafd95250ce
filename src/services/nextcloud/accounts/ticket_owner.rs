//! Finds the user of a ticket when it is redeemed.

use super::PasswordFingerprinter;
use crate::{
    client::database::{Database, DatabaseClientError, SqlRow, SqlStatement, SqlValue},
    push::{TicketOwner, recipient::Recipient},
    services::nextcloud::login::ticket::TicketOwnerDirectory,
};
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const USER: &str = "SELECT password FROM {p}users WHERE uid = ?";

/// Every user that has ever logged in has this row, whatever the back end.
const LAST_LOGIN: &str = "SELECT configkey FROM {p}preferences \
    WHERE userid = ? AND appid = 'login' AND configkey = 'lastLogin'";

/// A slow database delays a login with a ticket by at most this time.
const MAX_LOOKUP: Duration = Duration::from_millis(500);

/// Looks users up in `users` and `preferences`.
pub struct TicketOwnerLookup {
    database: Arc<Database>,
    fingerprint: PasswordFingerprinter,
    user: SqlStatement,
    last_login: SqlStatement,
}

impl TicketOwnerLookup {
    /// `fingerprint` must be a clone of the one that [`super::RevocationChecker`] has.
    pub fn new(database: Arc<Database>, fingerprint: PasswordFingerprinter) -> Self {
        let [user, last_login] = [USER, LAST_LOGIN].map(|sql| database.statement(sql));
        Self { database, fingerprint, user, last_login }
    }

    async fn find(&self, user: &str) -> Result<TicketOwner, DatabaseClientError> {
        let value = [SqlValue::Text(user)];
        let mut owner = TicketOwner::Unknown;
        let mut each = |row: &SqlRow<'_>| {
            owner = TicketOwner::Account(self.fingerprint.of(row.text(0)?.unwrap_or_default()));
            Ok(())
        };
        self.database.query(&self.user, &value, &mut each).await?;
        if owner == TicketOwner::Unknown {
            let mut each = |_: &SqlRow<'_>| {
                owner = TicketOwner::OtherBackEnd;
                Ok(())
            };
            self.database.query(&self.last_login, &value, &mut each).await?;
        }
        Ok(owner)
    }
}

impl TicketOwnerDirectory for TicketOwnerLookup {
    fn owner<'a>(&'a self, user: &'a Recipient) -> BoxFuture<'a, TicketOwner> {
        Box::pin(async move {
            // The daemon's own probe is no user.
            if user.as_str().starts_with(char::is_control) {
                return TicketOwner::Unknown;
            }
            match timeout(MAX_LOOKUP, self.find(user.as_str())).await {
                Ok(Ok(owner)) => owner,
                // The database client has logged its error.
                Ok(Err(_)) | Err(_) => TicketOwner::Unknown,
            }
        })
    }
}

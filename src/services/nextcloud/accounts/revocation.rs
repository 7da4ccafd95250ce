//! Whether sessions may stay: their app passwords, account passwords and users looked at again.

use super::{DISABLED, PasswordFingerprinter, WallClock, app_password, seconds};
use crate::{
    client::database::{Database, DatabaseClientError, SqlRow, SqlStatement, SqlValue},
    push::{AuthMethod, recipient::Recipient},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

const TOKENS: &str = "SELECT id, type, expires, password_invalid FROM {p}authtoken \
    WHERE version = 2 AND id IN ({list})";
const USERS: &str = "SELECT uid, password FROM {p}users WHERE uid IN ({list})";
const DISABLED_USERS: &str = "SELECT userid, configvalue FROM {p}preferences \
    WHERE appid = 'core' AND configkey = 'enabled' AND userid IN ({list})";

/// What a session's stay rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationBasis {
    /// This `authtoken` row, and a user in `users`.
    Token(i64),
    /// A user in `users` whose stored password still has this fingerprint.
    Account(u64),
    /// A user who may be kept elsewhere (LDAP): only being disabled ends it.
    User,
    /// Nothing.
    Nothing,
}

impl From<&AuthMethod> for RevocationBasis {
    fn from(auth_method: &AuthMethod) -> Self {
        match auth_method {
            AuthMethod::AppPassword(id) => Self::Token(*id),
            AuthMethod::AccountPassword(fingerprint) => Self::Account(*fingerprint),
            AuthMethod::Ticket | AuthMethod::Service(_) => Self::User,
            AuthMethod::Open => Self::Nothing,
        }
    }
}

/// A session to look at again.
#[derive(Debug, Clone)]
pub struct SessionCheck<K> {
    /// What the asker calls the session.
    pub session: K,
    /// Who it is.
    pub recipient: Recipient,
    /// What it rests on.
    pub claim: RevocationBasis,
}

/// Looks at sessions again, many with a few queries.
pub struct RevocationChecker {
    database: Arc<Database>,
    fingerprint: PasswordFingerprinter,
    clock: WallClock,
    tokens: SqlStatement,
    users: SqlStatement,
    disabled: SqlStatement,
}

impl RevocationChecker {
    /// `fingerprint` must be the one that [`super::DatabaseAuthenticator`] has.
    pub fn new(
        database: Arc<Database>,
        fingerprint: PasswordFingerprinter,
        clock: WallClock,
    ) -> Self {
        let [tokens, users, disabled] =
            [TOKENS, USERS, DISABLED_USERS].map(|sql| database.statement(sql));
        Self { database, fingerprint, clock, tokens, users, disabled }
    }

    /// The sessions that may not stay: app password gone, expired, wiped or invalid; account password
    /// changed; user disabled, or deleted if it was in the database. Three queries for each
    /// [`crate::client::database::MAX_LIST`] of a kind; hand in a few hundred at a time.
    ///
    /// # Errors
    /// [`DatabaseClientError`]: nothing is known, nobody may be sent away.
    pub async fn revoked<K: Copy>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<Vec<K>, DatabaseClientError> {
        let tokens = self.usable_tokens(session_checks).await?;
        let users = self.users(session_checks).await?;
        let disabled = self.disabled(session_checks).await?;
        let is_entitled = |session_check: &&SessionCheck<K>| {
            let user = users.get(session_check.recipient.as_str());
            let claim = match session_check.claim {
                RevocationBasis::Token(id) => tokens.contains(&id) && user.is_some(),
                RevocationBasis::Account(fingerprint) => user == Some(&fingerprint),
                RevocationBasis::User => true,
                RevocationBasis::Nothing => return true,
            };
            claim && !disabled.contains(session_check.recipient.as_str())
        };
        Ok(session_checks
            .iter()
            .filter(|session_check| !is_entitled(session_check))
            .map(|session_check| session_check.session)
            .collect())
    }

    async fn usable_tokens<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<HashSet<i64>, DatabaseClientError> {
        let now = seconds((self.clock)());
        let asked: HashSet<i64> = session_checks.iter().filter_map(SessionCheck::token).collect();
        let values: Vec<_> = asked.into_iter().map(SqlValue::Int).collect();
        let mut good = HashSet::new();
        let mut each = |row: &SqlRow<'_>| {
            let number = |column| row.int(column).map(Option::unwrap_or_default);
            if app_password::is_usable(number(1)?, number(2)?, number(3)? != 0, now) {
                good.insert(number(0)?);
            }
            Ok(())
        };
        self.database.query_list(&self.tokens, &values, &mut each).await?;
        Ok(good)
    }

    /// Those who are in `users`, with the fingerprint of their stored password.
    async fn users<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<HashMap<String, u64>, DatabaseClientError> {
        let values =
            names(session_checks.iter().filter(|session_check| session_check.is_in_users()));
        let mut users = HashMap::new();
        let mut each = |row: &SqlRow<'_>| {
            if let Some(uid) = row.text(0)? {
                let stored = self.fingerprint.of(row.text(1)?.unwrap_or_default());
                users.insert(uid.to_owned(), stored);
            }
            Ok(())
        };
        self.database.query_list(&self.users, &values, &mut each).await?;
        Ok(users)
    }

    async fn disabled<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<HashSet<String>, DatabaseClientError> {
        let values = names(
            session_checks
                .iter()
                .filter(|session_check| session_check.claim != RevocationBasis::Nothing),
        );
        let mut disabled = HashSet::new();
        let mut each = |row: &SqlRow<'_>| {
            if row.text(1)? == Some(DISABLED) {
                disabled.extend(row.text(0)?.map(str::to_owned));
            }
            Ok(())
        };
        self.database.query_list(&self.disabled, &values, &mut each).await?;
        Ok(disabled)
    }
}

impl<K> SessionCheck<K> {
    fn token(&self) -> Option<i64> {
        match self.claim {
            RevocationBasis::Token(id) => Some(id),
            _ => None,
        }
    }

    fn is_in_users(&self) -> bool {
        matches!(self.claim, RevocationBasis::Token(_) | RevocationBasis::Account(_))
    }
}

/// Each name once.
fn names<'a, K: 'a>(
    session_checks: impl Iterator<Item = &'a SessionCheck<K>>,
) -> Vec<SqlValue<'a>> {
    let distinct: HashSet<&str> =
        session_checks.map(|session_check| session_check.recipient.as_str()).collect();
    distinct.into_iter().map(SqlValue::Text).collect()
}

//! Whether sessions may stay: their app passwords, account passwords and users looked at again.

use super::{Clock, DISABLED, Fingerprint, app_password, seconds};
use crate::{
    client::database::{Database, Row, Statement, StoreError, Value},
    push::recipient::Recipient,
    services::nextcloud::login::Grounds,
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
pub enum Claim {
    /// This `authtoken` row, and a user in `users`.
    Token(i64),
    /// A user in `users` whose stored password still has this fingerprint.
    Account(u64),
    /// A user who may be kept elsewhere (LDAP): only being disabled ends it.
    User,
    /// Nothing.
    Nothing,
}

impl From<&Grounds> for Claim {
    fn from(grounds: &Grounds) -> Self {
        match grounds {
            Grounds::AppPassword(id) => Self::Token(*id),
            Grounds::AccountPassword(fingerprint) => Self::Account(*fingerprint),
            Grounds::Ticket | Grounds::Host(_) => Self::User,
            Grounds::Open => Self::Nothing,
        }
    }
}

/// A session to look at again.
#[derive(Debug, Clone)]
pub struct Tenure<K> {
    /// What the asker calls the session.
    pub session: K,
    /// Who it is.
    pub recipient: Recipient,
    /// What it rests on.
    pub claim: Claim,
}

/// Looks at sessions again, many with a few queries.
pub struct Revocation {
    database: Arc<Database>,
    fingerprint: Fingerprint,
    clock: Clock,
    tokens: Statement,
    users: Statement,
    disabled: Statement,
}

impl Revocation {
    /// `fingerprint` must be the one that [`super::Accounts`] has.
    pub fn new(database: Arc<Database>, fingerprint: Fingerprint, clock: Clock) -> Self {
        let [tokens, users, disabled] =
            [TOKENS, USERS, DISABLED_USERS].map(|sql| database.statement(sql));
        Self { database, fingerprint, clock, tokens, users, disabled }
    }

    /// The sessions that may not stay: app password gone, expired, wiped or invalid; account password
    /// changed; user disabled, or deleted if it was in the database. Three queries for each
    /// [`crate::client::database::MAX_LIST`] of a kind; hand in a few hundred at a time.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is known, nobody may be sent away.
    pub async fn revoked<K: Copy>(&self, tenures: &[Tenure<K>]) -> Result<Vec<K>, StoreError> {
        let tokens = self.good_tokens(tenures).await?;
        let users = self.users(tenures).await?;
        let disabled = self.disabled(tenures).await?;
        let stays = |tenure: &&Tenure<K>| {
            let user = users.get(tenure.recipient.as_str());
            let claim = match tenure.claim {
                Claim::Token(id) => tokens.contains(&id) && user.is_some(),
                Claim::Account(fingerprint) => user == Some(&fingerprint),
                Claim::User => true,
                Claim::Nothing => return true,
            };
            claim && !disabled.contains(tenure.recipient.as_str())
        };
        Ok(tenures.iter().filter(|tenure| !stays(tenure)).map(|tenure| tenure.session).collect())
    }

    async fn good_tokens<K>(&self, tenures: &[Tenure<K>]) -> Result<HashSet<i64>, StoreError> {
        let now = seconds((self.clock)());
        let asked: HashSet<i64> = tenures.iter().filter_map(Tenure::token).collect();
        let values: Vec<_> = asked.into_iter().map(Value::Int).collect();
        let mut good = HashSet::new();
        let mut each = |row: &Row<'_>| {
            let number = |column| row.int(column).map(Option::unwrap_or_default);
            if app_password::still_good(number(1)?, number(2)?, number(3)? != 0, now) {
                good.insert(number(0)?);
            }
            Ok(())
        };
        self.database.query_list(&self.tokens, &values, &mut each).await?;
        Ok(good)
    }

    /// Those who are in `users`, with the fingerprint of their stored password.
    async fn users<K>(&self, tenures: &[Tenure<K>]) -> Result<HashMap<String, u64>, StoreError> {
        let values = names(tenures.iter().filter(|tenure| tenure.is_in_users()));
        let mut users = HashMap::new();
        let mut each = |row: &Row<'_>| {
            if let Some(uid) = row.text(0)? {
                let stored = self.fingerprint.of(row.text(1)?.unwrap_or_default());
                users.insert(uid.to_owned(), stored);
            }
            Ok(())
        };
        self.database.query_list(&self.users, &values, &mut each).await?;
        Ok(users)
    }

    async fn disabled<K>(&self, tenures: &[Tenure<K>]) -> Result<HashSet<String>, StoreError> {
        let values = names(tenures.iter().filter(|tenure| tenure.claim != Claim::Nothing));
        let mut disabled = HashSet::new();
        let mut each = |row: &Row<'_>| {
            if row.text(1)? == Some(DISABLED) {
                disabled.extend(row.text(0)?.map(str::to_owned));
            }
            Ok(())
        };
        self.database.query_list(&self.disabled, &values, &mut each).await?;
        Ok(disabled)
    }
}

impl<K> Tenure<K> {
    fn token(&self) -> Option<i64> {
        match self.claim {
            Claim::Token(id) => Some(id),
            _ => None,
        }
    }

    fn is_in_users(&self) -> bool {
        matches!(self.claim, Claim::Token(_) | Claim::Account(_))
    }
}

/// Each name once.
fn names<'a, K: 'a>(tenures: impl Iterator<Item = &'a Tenure<K>>) -> Vec<Value<'a>> {
    let distinct: HashSet<&str> = tenures.map(|tenure| tenure.recipient.as_str()).collect();
    distinct.into_iter().map(Value::Text).collect()
}

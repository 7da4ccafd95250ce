//! Checks sessions again: their app passwords, account passwords, second factors and users.

use super::{DISABLED, PasswordFingerprinter, WallClock, app_password, seconds};
use crate::{
    client::database::{Database, DatabaseClientError, SqlRow, SqlStatement, SqlValue},
    push::{AppPasswordLogin, AuthMethod, TicketOwner, recipient::Recipient},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

const TOKENS: &str = "SELECT id, type, expires, password_invalid, last_check, \
    CASE WHEN password IS NULL THEN 0 ELSE 1 END FROM {p}authtoken \
    WHERE version = 2 AND id IN ({list})";
const STORED_PASSWORDS: &str =
    "SELECT id, password FROM {p}authtoken WHERE version = 2 AND id IN ({list})";
const USERS: &str = "SELECT uid, password FROM {p}users WHERE uid IN ({list})";
const PREFERENCES: &str = "SELECT userid, configkey, configvalue FROM {p}preferences \
    WHERE ((appid = 'core' AND configkey = 'enabled') \
    OR (appid = 'login' AND configkey = 'lastLogin')) AND userid IN ({list})";
const SECOND_FACTORS: &str = "SELECT uid FROM {p}twofactor_providers \
    WHERE enabled <> 0 AND provider_id <> 'backup_codes' AND uid IN ({list})";

/// What the validity of a session depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationBasis {
    /// This `authtoken` row, its user in `users`, and the password stored with it.
    Token(AppPasswordLogin),
    /// A user in `users` without a second factor, whose stored password has this fingerprint.
    Account(u64),
    /// The user of a ticket, found there at the login.
    Ticket(TicketOwner),
    /// A user accepted by Nextcloud, who may be in another back end (LDAP): only a disabled user
    /// ends the session here.
    Nextcloud,
    /// No check is necessary.
    Nothing,
}

impl From<&AuthMethod> for RevocationBasis {
    fn from(auth_method: &AuthMethod) -> Self {
        match auth_method {
            AuthMethod::AppPassword(login) => Self::Token(*login),
            AuthMethod::UncheckedAppPassword(unchecked) => Self::Token(unchecked.0),
            AuthMethod::AccountPassword(fingerprint) => Self::Account(*fingerprint),
            AuthMethod::Ticket(owner) => Self::Ticket(*owner),
            AuthMethod::Service(_) => Self::Nextcloud,
            AuthMethod::Open => Self::Nothing,
        }
    }
}

/// A session to check again.
#[derive(Debug, Clone)]
pub struct SessionCheck<K> {
    /// The caller's name for the session.
    pub session: K,
    /// The user of the session.
    pub recipient: Recipient,
    /// What the session depends on.
    pub basis: RevocationBasis,
}

/// What a check of many sessions found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecheckFindings<K> {
    /// Sessions that are no longer valid.
    pub revoked: Vec<K>,
    /// Sessions accepted by Nextcloud whose users have a second factor: Nextcloud accepts only app
    /// passwords of them.
    pub second_factor: Vec<K>,
}

/// Checks sessions again, many with a few queries.
pub struct RevocationChecker {
    database: Arc<Database>,
    fingerprint: PasswordFingerprinter,
    clock: WallClock,
    tokens: SqlStatement,
    stored_passwords: SqlStatement,
    users: SqlStatement,
    preferences: SqlStatement,
    second_factors: SqlStatement,
}

/// What the database holds about the sessions of one check.
struct SessionRecords {
    tokens: HashMap<i64, TokenState>,
    /// The users in `users`, with the fingerprints of their stored passwords.
    users: HashMap<String, u64>,
    disabled: HashSet<String>,
    /// Users that have logged in once and are not deleted, whatever their back end.
    known: HashSet<String>,
    second_factor: HashSet<String>,
}

/// A usable row of `authtoken`.
struct TokenState {
    /// Nextcloud checks the stored password before it accepts the token again.
    check_due: bool,
    /// A fingerprint of the stored password, read only where it matters.
    stored: Option<u32>,
}

impl RevocationChecker {
    /// `fingerprint` must be a clone of the one that [`super::DatabaseAuthenticator`] has.
    pub fn new(
        database: Arc<Database>,
        fingerprint: PasswordFingerprinter,
        clock: WallClock,
    ) -> Self {
        let [tokens, stored_passwords, users, preferences, second_factors] =
            [TOKENS, STORED_PASSWORDS, USERS, PREFERENCES, SECOND_FACTORS]
                .map(|sql| database.statement(sql));
        Self {
            database,
            fingerprint,
            clock,
            tokens,
            stored_passwords,
            users,
            preferences,
            second_factors,
        }
    }

    /// Finds the sessions that are no longer valid: app password deleted, expired, wiped or invalid;
    /// account password changed, or a second factor enabled; user disabled or deleted. Up to five
    /// queries for each [`crate::client::database::MAX_LIST`] of a kind; pass a few hundred at a
    /// time.
    ///
    /// # Errors
    /// [`DatabaseClientError`]: nothing is known, so no session may be closed.
    pub async fn check<K: Copy>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<RecheckFindings<K>, DatabaseClientError> {
        let records = self.read(session_checks).await?;
        let find = |matches: &dyn Fn(&SessionCheck<K>) -> bool| {
            let found = session_checks.iter().filter(|check| matches(check));
            found.map(|check| check.session).collect()
        };
        let has_second_factor = |check: &SessionCheck<K>| {
            check.basis == RevocationBasis::Nextcloud
                && records.second_factor.contains(check.recipient.as_str())
        };
        Ok(RecheckFindings {
            revoked: find(&|check| !self.is_valid(check, &records)),
            second_factor: find(&has_second_factor),
        })
    }

    fn is_valid<K>(&self, check: &SessionCheck<K>, records: &SessionRecords) -> bool {
        let user = check.recipient.as_str();
        let account = records.users.get(user);
        let valid = match &check.basis {
            RevocationBasis::Token(login) => match (account, records.tokens.get(&login.token)) {
                (Some(account), Some(token)) => {
                    !is_changed(*account, login)
                        || !token.check_due
                        || token.stored != Some(login.stored)
                }
                _ => false,
            },
            RevocationBasis::Account(fingerprint) => {
                account == Some(fingerprint) && !records.second_factor.contains(user)
            }
            RevocationBasis::Ticket(TicketOwner::Account(fingerprint)) => {
                account == Some(fingerprint)
            }
            RevocationBasis::Ticket(TicketOwner::OtherBackEnd) => records.known.contains(user),
            RevocationBasis::Ticket(TicketOwner::Unknown) | RevocationBasis::Nextcloud => true,
            RevocationBasis::Nothing => return true,
        };
        valid && !records.disabled.contains(user)
    }

    async fn read<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<SessionRecords, DatabaseClientError> {
        let users = self.users(session_checks).await?;
        let mut tokens = self.usable_tokens(session_checks).await?;
        self.read_stored_passwords(session_checks, &users, &mut tokens).await?;
        let (disabled, known) = self.preferences(session_checks).await?;
        let second_factor = self.second_factors(session_checks).await?;
        Ok(SessionRecords { tokens, users, disabled, known, second_factor })
    }

    async fn usable_tokens<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<HashMap<i64, TokenState>, DatabaseClientError> {
        let now = seconds((self.clock)());
        let asked: HashSet<i64> =
            session_checks.iter().filter_map(|check| Some(check.token()?.token)).collect();
        let values: Vec<_> = asked.into_iter().map(SqlValue::Int).collect();
        let mut usable = HashMap::new();
        let mut each = |row: &SqlRow<'_>| {
            let number = |column| row.int(column).map(Option::unwrap_or_default);
            if app_password::is_usable(number(1)?, number(2)?, number(3)? != 0, now) {
                let stores_password = number(5)? != 0;
                let check_due = stores_password && app_password::is_check_due(number(4)?, now);
                usable.insert(number(0)?, TokenState { check_due, stored: None });
            }
            Ok(())
        };
        self.database.query_list(&self.tokens, &values, &mut each).await?;
        Ok(usable)
    }

    /// Reads the passwords stored with tokens that Nextcloud would check again, of users whose
    /// account password has changed since the login: Nextcloud refuses such a token unless the new
    /// password was stored with it.
    async fn read_stored_passwords<K>(
        &self,
        session_checks: &[SessionCheck<K>],
        users: &HashMap<String, u64>,
        tokens: &mut HashMap<i64, TokenState>,
    ) -> Result<(), DatabaseClientError> {
        let mut suspects = HashSet::new();
        for check in session_checks {
            let Some(login) = check.token() else { continue };
            let account = users.get(check.recipient.as_str());
            let changed = account.is_some_and(|account| is_changed(*account, &login));
            if changed && tokens.get(&login.token).is_some_and(|token| token.check_due) {
                suspects.insert(login.token);
            }
        }
        let values: Vec<_> = suspects.into_iter().map(SqlValue::Int).collect();
        let mut each = |row: &SqlRow<'_>| {
            let token = row.int(0)?.and_then(|id| tokens.get_mut(&id));
            if let (Some(token), Some(stored)) = (token, row.text(1)?) {
                token.stored = Some(self.fingerprint.short(stored));
            }
            Ok(())
        };
        self.database.query_list(&self.stored_passwords, &values, &mut each).await?;
        Ok(())
    }

    async fn users<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<HashMap<String, u64>, DatabaseClientError> {
        let values = names(session_checks.iter().filter(|check| check.is_in_users()));
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

    /// The disabled users, and those that have logged in once.
    async fn preferences<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<(HashSet<String>, HashSet<String>), DatabaseClientError> {
        let checked = session_checks.iter().filter(|c| c.basis != RevocationBasis::Nothing);
        let values = names(checked);
        let (mut disabled, mut known) = (HashSet::new(), HashSet::new());
        let mut each = |row: &SqlRow<'_>| {
            let user = row.text(0)?.map(str::to_owned);
            if row.text(1)? == Some("lastLogin") {
                known.extend(user);
            } else if row.text(2)? == Some(DISABLED) {
                disabled.extend(user);
            }
            Ok(())
        };
        self.database.query_list(&self.preferences, &values, &mut each).await?;
        Ok((disabled, known))
    }

    async fn second_factors<K>(
        &self,
        session_checks: &[SessionCheck<K>],
    ) -> Result<HashSet<String>, DatabaseClientError> {
        let by_password = |check: &&SessionCheck<K>| {
            matches!(check.basis, RevocationBasis::Account(_) | RevocationBasis::Nextcloud)
        };
        let values = names(session_checks.iter().filter(by_password));
        let mut users = HashSet::new();
        let mut each = |row: &SqlRow<'_>| {
            users.extend(row.text(0)?.map(str::to_owned));
            Ok(())
        };
        self.database.query_list(&self.second_factors, &values, &mut each).await?;
        Ok(users)
    }
}

impl<K> SessionCheck<K> {
    fn token(&self) -> Option<AppPasswordLogin> {
        match self.basis {
            RevocationBasis::Token(login) => Some(login),
            _ => None,
        }
    }

    fn is_in_users(&self) -> bool {
        matches!(
            self.basis,
            RevocationBasis::Token(_)
                | RevocationBasis::Account(_)
                | RevocationBasis::Ticket(TicketOwner::Account(_))
        )
    }
}

/// Whether the account password has changed since the login with an app password.
fn is_changed(account: u64, login: &AppPasswordLogin) -> bool {
    PasswordFingerprinter::shorten(account) != login.account
}

/// The user names, each once.
fn names<'a, K: 'a>(checks: impl Iterator<Item = &'a SessionCheck<K>>) -> Vec<SqlValue<'a>> {
    let distinct: HashSet<&str> = checks.map(|check| check.recipient.as_str()).collect();
    distinct.into_iter().map(SqlValue::Text).collect()
}

//! Account passwords: one row of `users`, one slow hash.

use super::{AccountDecision, DISABLED};
use crate::client::database::{Database, DatabaseClientError, SqlRow, SqlStatement, SqlValue};

const FIND: &str = "SELECT u.uid, u.password, p.configvalue, \
    (SELECT COUNT(*) FROM {p}twofactor_providers f \
    WHERE f.uid = u.uid AND f.enabled <> 0 AND f.provider_id <> 'backup_codes') \
    FROM {p}users u LEFT JOIN {p}preferences p \
    ON p.userid = u.uid AND p.appid = 'core' AND p.configkey = 'enabled' WHERE u.uid_lower = ?";

/// One row of `users` with what else bears on a log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredAccount {
    /// Canonical.
    pub(super) uid: String,
    /// `users.password`, as it stands.
    pub(super) stored: String,
    pub(super) disabled: bool,
    pub(super) second_factor: bool,
}

/// What there is to compare a password with, and what follows if it fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PasswordCheck<'a> {
    /// This hash decides: not fitting means no, fitting means this.
    Hash(&'a str, AccountDecision),
    /// No hash decides it.
    Decided(AccountDecision),
}

/// Reads `users`.
pub(super) struct UserTable {
    find: SqlStatement,
}

impl UserTable {
    pub(super) fn new(database: &Database) -> Self {
        Self { find: database.statement(FIND) }
    }

    /// Everybody whose login name this is: nobody, one, or several whose ids differ in case only.
    pub(super) async fn find(
        &self,
        database: &Database,
        user: &str,
    ) -> Result<Vec<StoredAccount>, DatabaseClientError> {
        let mut found = Vec::new();
        let lower = user.to_lowercase();
        let mut each = |row: &SqlRow<'_>| {
            found.extend(StoredAccount::read(row)?);
            Ok(())
        };
        database.query(&self.find, &[SqlValue::Text(&lower)], &mut each).await?;
        Ok(found)
    }
}

impl StoredAccount {
    fn read(row: &SqlRow<'_>) -> Result<Option<Self>, sqlx::Error> {
        let Some(uid) = row.text(0)? else { return Ok(None) };
        Ok(Some(Self {
            uid: uid.to_owned(),
            stored: row.text(1)?.unwrap_or_default().to_owned(),
            disabled: row.text(2)? == Some(DISABLED),
            second_factor: row.int(3)?.unwrap_or_default() != 0,
        }))
    }

    /// Section 7, "Account password", 1 to 3.
    fn trial(&self, second_factor_enforced: bool) -> PasswordCheck<'_> {
        let Some(hash) = hash(&self.stored) else {
            return PasswordCheck::Decided(AccountDecision::Abstain);
        };
        let fits = if self.disabled {
            AccountDecision::No
        } else if self.second_factor || second_factor_enforced {
            AccountDecision::Abstain
        } else {
            AccountDecision::Yes(self.uid.clone())
        };
        PasswordCheck::Hash(hash, fits)
    }
}

/// What to do about those who were found.
pub(super) fn trial(found: &[StoredAccount], second_factor_enforced: bool) -> PasswordCheck<'_> {
    match found {
        [] => PasswordCheck::Decided(AccountDecision::No),
        [account] => account.trial(second_factor_enforced),
        _ => PasswordCheck::Decided(AccountDecision::Abstain),
    }
}

/// The PHC or crypt string in `<version>|<hash>`; `None` for what only Nextcloud understands (hashes
/// of ownCloud's days without a version, none at all).
fn hash(stored: &str) -> Option<&str> {
    let (version, hash) = stored.split_once('|')?;
    matches!(version, "1" | "2" | "3").then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::{AccountDecision, PasswordCheck, StoredAccount, trial};

    fn account(stored: &str) -> StoredAccount {
        let (uid, stored) = ("alice".to_owned(), stored.to_owned());
        StoredAccount { uid, stored, disabled: false, second_factor: false }
    }

    #[test]
    fn the_version_before_the_hash_is_taken_off() {
        for stored in ["1|$2y$10$x", "2|$argon2i$x", "3|$argon2id$x"] {
            let fits = AccountDecision::Yes("alice".to_owned());
            assert_eq!(trial(&[account(stored)], false), PasswordCheck::Hash(&stored[2..], fits));
        }
    }

    #[test]
    fn hashes_without_a_known_version_are_left_to_nextcloud() {
        for stored in ["", "$2y$10$x", "4|$new$", "356a192b7913b04c54574d18c28d46e6395428ab"] {
            assert_eq!(
                trial(&[account(stored)], false),
                PasswordCheck::Decided(AccountDecision::Abstain),
                "{stored}"
            );
        }
    }

    #[test]
    fn a_fitting_password_is_not_enough_for_everybody() {
        let hash = "3|$argon2id$x";
        let disabled = StoredAccount { disabled: true, second_factor: true, ..account(hash) };
        assert_eq!(trial(&[disabled], false), PasswordCheck::Hash(&hash[2..], AccountDecision::No));
        let second_factor = StoredAccount { second_factor: true, ..account(hash) };
        assert_eq!(
            trial(&[second_factor], false),
            PasswordCheck::Hash(&hash[2..], AccountDecision::Abstain)
        );
        assert_eq!(
            trial(&[account(hash)], true),
            PasswordCheck::Hash(&hash[2..], AccountDecision::Abstain)
        );
    }

    #[test]
    fn two_users_of_one_lower_case_name_are_left_to_nextcloud() {
        let both = [account("3|$argon2id$x"), account("3|$argon2id$y")];
        assert_eq!(trial(&both, false), PasswordCheck::Decided(AccountDecision::Abstain));
    }
}

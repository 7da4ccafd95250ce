//! Account passwords: one row of `users` and one slow hash.

use super::DISABLED;
use crate::{
    client::database::{Database, DatabaseClientError, SqlRow, SqlStatement, SqlValue},
    push::{AuthDecision, recipient::Recipient},
};

const FIND: &str = "SELECT u.uid, u.password, p.configvalue, \
    (SELECT COUNT(*) FROM {p}twofactor_providers f \
    WHERE f.uid = u.uid AND f.enabled <> 0 AND f.provider_id <> 'backup_codes') \
    FROM {p}users u LEFT JOIN {p}preferences p \
    ON p.userid = u.uid AND p.appid = 'core' AND p.configkey = 'enabled' WHERE u.uid_lower = ?";

/// One row of `users`, joined with what else decides a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredAccount {
    /// The canonical user id.
    pub(super) uid: String,
    /// The column `users.password`.
    pub(super) stored: String,
    pub(super) disabled: bool,
    pub(super) second_factor: bool,
}

/// What a password has to be compared with, and the decision if it fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PasswordCheck<'a> {
    /// This hash: a password that doesn't fit is rejected, for one that fits this is the decision.
    Hash(&'a str, AuthDecision<Recipient>),
    /// There is no such user.
    UnknownUser,
    /// Only Nextcloud can compare the password.
    NextcloudDecides,
}

/// Reads the table `users`.
pub(super) struct UserTable {
    find: SqlStatement,
}

impl UserTable {
    pub(super) fn new(database: &Database) -> Self {
        Self { find: database.statement(FIND) }
    }

    /// The users with this login name: none, one, or several whose ids differ only in case.
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

    /// The rules of section 7, "Account password", 1 to 3.
    fn password_check(&self, second_factor_enforced: bool) -> PasswordCheck<'_> {
        let Some(hash) = hash(&self.stored) else {
            return PasswordCheck::NextcloudDecides;
        };
        let fits = if self.disabled {
            AuthDecision::Reject
        } else if self.second_factor || second_factor_enforced {
            AuthDecision::Abstain
        } else {
            AuthDecision::Accept(self.uid.as_str().into())
        };
        PasswordCheck::Hash(hash, fits)
    }
}

/// How to check a password for the users that were found.
pub(super) fn password_check(
    found: &[StoredAccount],
    second_factor_enforced: bool,
) -> PasswordCheck<'_> {
    match found {
        [] => PasswordCheck::UnknownUser,
        [account] => account.password_check(second_factor_enforced),
        _ => PasswordCheck::NextcloudDecides,
    }
}

/// The PHC or crypt string in `<version>|<hash>`; `None` for what only Nextcloud understands (a hash
/// without a version, from ownCloud, or none at all).
pub(super) fn hash(stored: &str) -> Option<&str> {
    let (version, hash) = stored.split_once('|')?;
    matches!(version, "1" | "2" | "3").then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::{AuthDecision, PasswordCheck, StoredAccount, password_check};

    fn account(stored: &str) -> StoredAccount {
        let (uid, stored) = ("alice".to_owned(), stored.to_owned());
        StoredAccount { uid, stored, disabled: false, second_factor: false }
    }

    #[test]
    fn the_version_before_the_hash_is_removed() {
        for stored in ["1|$2y$10$x", "2|$argon2i$x", "3|$argon2id$x"] {
            let fits = AuthDecision::Accept("alice".into());
            assert_eq!(
                password_check(&[account(stored)], false),
                PasswordCheck::Hash(&stored[2..], fits)
            );
        }
    }

    #[test]
    fn hashes_without_a_known_version_are_left_to_nextcloud() {
        for stored in ["", "$2y$10$x", "4|$new$", "356a192b7913b04c54574d18c28d46e6395428ab"] {
            assert_eq!(
                password_check(&[account(stored)], false),
                PasswordCheck::NextcloudDecides,
                "{stored}"
            );
        }
    }

    #[test]
    fn a_fitting_password_is_not_enough_for_everybody() {
        let hash = "3|$argon2id$x";
        let disabled = StoredAccount { disabled: true, second_factor: true, ..account(hash) };
        assert_eq!(
            password_check(&[disabled], false),
            PasswordCheck::Hash(&hash[2..], AuthDecision::Reject)
        );
        let second_factor = StoredAccount { second_factor: true, ..account(hash) };
        assert_eq!(
            password_check(&[second_factor], false),
            PasswordCheck::Hash(&hash[2..], AuthDecision::Abstain)
        );
        assert_eq!(
            password_check(&[account(hash)], true),
            PasswordCheck::Hash(&hash[2..], AuthDecision::Abstain)
        );
    }

    #[test]
    fn two_users_of_one_lower_case_name_are_left_to_nextcloud() {
        let both = [account("3|$argon2id$x"), account("3|$argon2id$y")];
        assert_eq!(password_check(&both, false), PasswordCheck::NextcloudDecides);
    }
}

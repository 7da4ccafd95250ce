//! App passwords: the decision that a row of `authtoken` leads to.

use crate::{
    config::secret::Secret,
    push::{AppPasswordLogin, AuthDecision, recipient::Recipient},
};
use sha2::{Digest as _, Sha512};

/// Nextcloud never takes a shorter password (in bytes) for a token.
const SHORTEST: usize = 22;

/// How long, in seconds, Nextcloud trusts its last check of the password stored with a token.
const CHECK_INTERVAL: i64 = 300;

/// `authtoken.type` of app passwords.
const PERMANENT: i64 = 1;

/// `authtoken.type` of a device that has to be wiped.
const WIPE: i64 = 2;

/// One row of `authtoken`, joined with its user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AuthTokenRow {
    pub(super) id: i64,
    pub(super) login_name: String,
    pub(super) kind: i64,
    /// Seconds since 1970; 0 means never.
    pub(super) expires: i64,
    pub(super) password_invalid: bool,
    /// A fingerprint of the account password stored with the token; `None` without one.
    pub(super) stored: Option<u32>,
    pub(super) last_check: i64,
    /// `None` for a user that is not in `users`.
    pub(super) uid: Option<String>,
    /// A fingerprint of the user's stored account password.
    pub(super) account: u32,
    pub(super) disabled: bool,
}

/// What to do with a token whose stored account password Nextcloud hasn't checked for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UncheckedTokens {
    /// Accept it; Nextcloud is asked afterwards if it can be.
    Accept,
    /// Leave it to Nextcloud, which checks the password before it answers.
    AskFirst,
}

/// The values of `authtoken.token` that fit a password.
#[derive(Debug, Clone)]
pub(super) struct TokenDigests {
    pub(super) with_secret: String,
    /// The digest in very old rows, made without the secret.
    pub(super) without: String,
}

impl TokenDigests {
    /// `None` when the password is too short for a token.
    pub(super) fn of(password: &Secret, secret: &Secret) -> Option<Self> {
        let password = password.expose().as_bytes();
        if password.len() < SHORTEST {
            return None;
        }
        let hasher = Sha512::new_with_prefix(password);
        let without = hex(&hasher.clone().finalize());
        let with_secret = hex(&hasher.chain_update(secret.expose()).finalize());
        Some(Self { with_secret, without })
    }

    pub(super) fn both(&self) -> [String; 2] {
        [self.with_secret.clone(), self.without.clone()]
    }
}

impl AuthTokenRow {
    /// The rules of section 7, "App password", 2 to 5, at `now` (seconds since 1970). `None`: the
    /// token belongs to another login name.
    pub(super) fn decide(
        &self,
        user: &str,
        now: i64,
        unchecked: UncheckedTokens,
    ) -> Option<AuthDecision<Recipient>> {
        if !is_usable(self.kind, self.expires, self.password_invalid, now) {
            return Some(AuthDecision::Reject);
        }
        if self.kind != PERMANENT {
            return Some(AuthDecision::Abstain);
        }
        if self.login_name.to_lowercase() != user.to_lowercase() {
            return None;
        }
        Some(match &self.uid {
            None => AuthDecision::Abstain,
            Some(_) if self.disabled => AuthDecision::Reject,
            Some(_) if unchecked == UncheckedTokens::AskFirst && self.is_unchecked(now) => {
                AuthDecision::Abstain
            }
            Some(uid) => AuthDecision::Accept(uid.as_str().into()),
        })
    }

    /// Whether Nextcloud would check the stored account password before it accepts the token.
    pub(super) fn is_unchecked(&self, now: i64) -> bool {
        self.stored.is_some() && is_check_due(self.last_check, now)
    }

    /// The state to compare with when the session is checked again.
    pub(super) fn login(&self) -> AppPasswordLogin {
        let (token, account) = (self.id, self.account);
        AppPasswordLogin { token, account, stored: self.stored.unwrap_or_default() }
    }
}

/// Whether Nextcloud no longer trusts its last check of the password stored with a token.
pub(super) fn is_check_due(last_check: i64, now: i64) -> bool {
    last_check <= now - CHECK_INTERVAL
}

/// Whether a token may still be used: neither expired, wiped nor invalid.
pub(super) fn is_usable(kind: i64, expires: i64, password_invalid: bool, now: i64) -> bool {
    let expired = expires != 0 && expires < now;
    !expired && kind != WIPE && !password_invalid
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::{AuthDecision, AuthTokenRow, Recipient, TokenDigests, UncheckedTokens};

    const NOW: i64 = 1_800_000_000;

    fn token() -> AuthTokenRow {
        let uid = Some("alice".to_owned());
        AuthTokenRow {
            id: 1,
            login_name: "alice".to_owned(),
            kind: 1,
            uid,
            ..AuthTokenRow::default()
        }
    }

    fn decide(token: &AuthTokenRow) -> Option<AuthDecision<Recipient>> {
        token.decide("alice", NOW, UncheckedTokens::Accept)
    }

    fn accept() -> Option<AuthDecision<Recipient>> {
        Some(AuthDecision::Accept("alice".into()))
    }

    const REJECT: Option<AuthDecision<Recipient>> = Some(AuthDecision::Reject);
    const ABSTAIN: Option<AuthDecision<Recipient>> = Some(AuthDecision::Abstain);

    #[test]
    fn digests_are_sha512_of_password_and_secret_in_hex() {
        let password = "abcdefghijklmnopqrstuv".into();
        let digests = TokenDigests::of(&password, &"s3cret".into()).expect("long enough");
        // printf abcdefghijklmnopqrstuvs3cret | sha512sum
        assert!(
            digests.with_secret.starts_with("1a922af121ab366e1a59007111f53ac1"),
            "{}",
            digests.with_secret
        );
        assert!(
            digests.without.starts_with("a4e8a90b7058fb078e6cdcfd0c6a33c3"),
            "{}",
            digests.without
        );
        assert!(TokenDigests::of(&"abcdefghijklmnopqrstu".into(), &"s3cret".into()).is_none());
    }

    #[test]
    fn a_token_is_expired_only_after_its_second() {
        assert_eq!(decide(&AuthTokenRow { expires: NOW - 1, ..token() }), REJECT);
        assert_eq!(decide(&AuthTokenRow { expires: NOW, ..token() }), accept());
        assert_eq!(decide(&AuthTokenRow { expires: 0, ..token() }), accept());
    }

    #[test]
    fn wiped_and_invalid_tokens_are_refused_and_sessions_left_to_nextcloud() {
        assert_eq!(decide(&AuthTokenRow { kind: 2, ..token() }), REJECT);
        assert_eq!(decide(&AuthTokenRow { password_invalid: true, ..token() }), REJECT);
        assert_eq!(decide(&AuthTokenRow { kind: 0, ..token() }), ABSTAIN);
        assert_eq!(decide(&AuthTokenRow { kind: 0, expires: 1, ..token() }), REJECT);
    }

    #[test]
    fn login_names_are_compared_without_case_in_any_script() {
        let login_name = "ÄRNE@Example.org".to_owned();
        let arne = AuthTokenRow { login_name, ..token() };
        assert_eq!(arne.decide("ärne@example.ORG", NOW, UncheckedTokens::Accept), accept());
        assert_eq!(arne.decide("arne@example.org", NOW, UncheckedTokens::Accept), None);
        assert_eq!(token().decide("alice ", NOW, UncheckedTokens::Accept), None);
    }

    #[test]
    fn a_token_that_nextcloud_has_not_checked_is_accepted_or_left_to_nextcloud() {
        let stored = |last_check| AuthTokenRow { stored: Some(7), last_check, ..token() };
        let ask_first = |row: AuthTokenRow| row.decide("alice", NOW, UncheckedTokens::AskFirst);
        assert_eq!(ask_first(stored(NOW - 299)), accept());
        assert_eq!(ask_first(stored(NOW - 300)), ABSTAIN);
        assert_eq!(ask_first(AuthTokenRow { last_check: 0, ..token() }), accept());
        assert_eq!(decide(&stored(NOW - 300)), accept());
        assert!(stored(NOW - 300).is_unchecked(NOW) && !stored(NOW - 299).is_unchecked(NOW));
        assert_eq!(decide(&AuthTokenRow { password_invalid: true, ..stored(0) }), REJECT);
    }

    #[test]
    fn users_of_other_back_ends_are_left_to_nextcloud_and_disabled_ones_are_refused() {
        assert_eq!(decide(&AuthTokenRow { uid: None, ..token() }), ABSTAIN);
        assert_eq!(decide(&AuthTokenRow { disabled: true, ..token() }), REJECT);
    }
}

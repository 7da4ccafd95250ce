//! App passwords: what a row of `authtoken` makes of a log-in.

use super::AccountDecision;
use crate::config::secret::Secret;
use sha2::{Digest as _, Sha512};

/// Nextcloud takes nothing shorter (in bytes) for a token.
const SHORTEST: usize = 22;

/// How long, in seconds, Nextcloud believes its last comparison of a token's stored password.
const CHECK_INTERVAL: i64 = 300;

/// `authtoken.type` of an app password.
const PERMANENT: i64 = 1;

/// `authtoken.type` of a device to be wiped.
const WIPE: i64 = 2;

/// One row of `authtoken` with what is known of its user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AuthTokenRow {
    pub(super) id: i64,
    pub(super) login_name: String,
    pub(super) kind: i64,
    /// Seconds since 1970; 0 is never.
    pub(super) expires: i64,
    pub(super) password_invalid: bool,
    pub(super) stores_password: bool,
    pub(super) last_check: i64,
    /// `None`: not in `users`.
    pub(super) uid: Option<String>,
    pub(super) disabled: bool,
}

/// What a token row makes of a log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenDecision {
    Decided(AccountDecision),
    /// It belongs to another login name.
    AnotherLogin,
}

/// What `authtoken.token` may be for a password.
#[derive(Debug, Clone)]
pub(super) struct TokenDigests {
    pub(super) with_secret: String,
    /// Very old rows were made without the secret.
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
    /// Section 7, "App password", 2 to 5, at this moment (seconds since 1970).
    pub(super) fn judge(self, user: &str, now: i64) -> TokenDecision {
        if !is_usable(self.kind, self.expires, self.password_invalid, now) {
            return TokenDecision::Decided(AccountDecision::No);
        }
        if self.kind != PERMANENT {
            return TokenDecision::Decided(AccountDecision::Abstain);
        }
        if self.login_name.to_lowercase() != user.to_lowercase() {
            return TokenDecision::AnotherLogin;
        }
        TokenDecision::Decided(match self.uid {
            None => AccountDecision::Abstain,
            Some(_) if self.disabled => AccountDecision::No,
            Some(_) if self.stores_password && self.last_check <= now - CHECK_INTERVAL => {
                AccountDecision::Abstain
            }
            Some(uid) => AccountDecision::Yes(uid),
        })
    }
}

/// Whether a token may still be used by anybody: neither expired, wiped nor invalid.
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
    use super::{AccountDecision, AuthTokenRow, TokenDecision, TokenDigests};

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

    fn judge(token: AuthTokenRow) -> TokenDecision {
        token.judge("alice", NOW)
    }

    fn yes() -> TokenDecision {
        TokenDecision::Decided(AccountDecision::Yes("alice".to_owned()))
    }

    const NO: TokenDecision = TokenDecision::Decided(AccountDecision::No);
    const ABSTAIN: TokenDecision = TokenDecision::Decided(AccountDecision::Abstain);

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
        assert_eq!(judge(AuthTokenRow { expires: NOW - 1, ..token() }), NO);
        assert_eq!(judge(AuthTokenRow { expires: NOW, ..token() }), yes());
        assert_eq!(judge(AuthTokenRow { expires: 0, ..token() }), yes());
    }

    #[test]
    fn wiped_and_invalid_tokens_are_refused_and_sessions_left_to_nextcloud() {
        assert_eq!(judge(AuthTokenRow { kind: 2, ..token() }), NO);
        assert_eq!(judge(AuthTokenRow { password_invalid: true, ..token() }), NO);
        assert_eq!(judge(AuthTokenRow { kind: 0, ..token() }), ABSTAIN);
        assert_eq!(judge(AuthTokenRow { kind: 0, expires: 1, ..token() }), NO);
    }

    #[test]
    fn login_names_are_compared_without_case_in_any_script() {
        let login_name = "ÄRNE@Example.org".to_owned();
        let arne = AuthTokenRow { login_name, ..token() };
        assert_eq!(arne.clone().judge("ärne@example.ORG", NOW), yes());
        assert_eq!(arne.judge("arne@example.org", NOW), TokenDecision::AnotherLogin);
        assert_eq!(token().judge("alice ", NOW), TokenDecision::AnotherLogin);
    }

    #[test]
    fn a_stored_password_counts_while_its_check_is_fresh() {
        let stored = |last_check| AuthTokenRow { stores_password: true, last_check, ..token() };
        assert_eq!(judge(stored(NOW - 299)), yes());
        assert_eq!(judge(stored(NOW - 300)), ABSTAIN);
        assert_eq!(judge(AuthTokenRow { last_check: 0, ..token() }), yes());
    }

    #[test]
    fn users_of_other_back_ends_are_not_ours_and_disabled_ones_are_refused() {
        assert_eq!(judge(AuthTokenRow { uid: None, ..token() }), ABSTAIN);
        assert_eq!(judge(AuthTokenRow { disabled: true, ..token() }), NO);
    }
}

//! The authenticator "database": app passwords first, then account passwords.

use super::{
    PasswordFingerprinter, account_password,
    account_password::{PasswordCheck, StoredAccount, UserTable},
    app_password::{AuthTokenRow, TokenDigests, UncheckedTokens},
    hash_cost::HashCosts,
    seconds,
    token_lookup::TokenLookup,
};
use crate::{
    client::database::{Database, DatabaseClientError},
    config::secret::Secret,
    push::{
        AuthDecision, AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials,
        recipient::Recipient,
    },
    services::nextcloud::login::{
        AttemptRecord, Authenticator,
        hashing::{HashingPool, PasswordCheckError},
    },
};
use futures_util::future::BoxFuture;
use std::sync::Arc;

pub use crate::services::WallClock;

/// Which authenticator follows the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainPosition {
    /// None: the database rejects as well.
    LastStep,
    /// Nextcloud: the database only accepts, so that Nextcloud counts each failure.
    BeforeNextcloud,
}

/// The settings in config.php that decide logins.
#[derive(Debug, Clone)]
pub struct LoginRules {
    /// `secret`; without it (empty) only app passwords of very old rows can be recognized.
    pub secret: Secret,
    /// `token_auth_enforced`: account passwords are rejected.
    pub token_auth_enforced: bool,
    /// `twofactor_enforced`, for all users or for some groups: the daemon doesn't read group
    /// members, so all account passwords are left to Nextcloud.
    pub two_factor_enforced: bool,
    /// What to do with app passwords that Nextcloud hasn't checked for a while.
    pub unchecked_tokens: UncheckedTokens,
    /// Which authenticator follows.
    pub chain_position: ChainPosition,
}

/// Decides logins from `authtoken`, `users`, `preferences` and `twofactor_providers`.
pub struct DatabaseAuthenticator {
    database: Arc<Database>,
    rules: LoginRules,
    tokens: TokenLookup,
    users: UserTable,
    hash_costs: HashCosts,
    passwords: HashingPool,
    fingerprint: PasswordFingerprinter,
    clock: WallClock,
}

impl DatabaseAuthenticator {
    /// `fingerprint` must be a clone of the one that [`super::RevocationChecker`] has.
    pub fn new(
        database: Arc<Database>,
        rules: LoginRules,
        passwords: HashingPool,
        fingerprint: PasswordFingerprinter,
        clock: WallClock,
    ) -> Self {
        let tokens = TokenLookup::new(&database, fingerprint.clone());
        let users = UserTable::new(&database);
        let hash_costs = HashCosts::new(&database);
        Self { database, rules, tokens, users, hash_costs, passwords, fingerprint, clock }
    }

    /// The hash that is compared for an unknown name: no password fits it, and it costs as much as
    /// that of a real user.
    pub async fn hash_for_unknown(&self, name: &str) -> String {
        self.hash_costs.dummy(&self.database, name).await
    }

    async fn decide(
        &self,
        attempt: &LoginAttempt,
        record: &AttemptRecord,
    ) -> Result<AuthDecision, DatabaseClientError> {
        let LoginCredentials { user, password } = &attempt.credentials;
        if user.is_empty() {
            return Ok(AuthDecision::Abstain);
        }
        if blank(user) || blank(password.expose()) {
            record.set_hash_spent();
            return Ok(AuthDecision::Reject);
        }
        let digests = TokenDigests::of(password, &self.rules.secret);
        // Without the secret an app password can't be told from a wrong password.
        let token_sized = digests.is_some();
        let may_be_token = token_sized && self.rules.secret.is_empty();
        if let Some(digests) = digests
            && let Some(decision) = self.by_app_password(attempt, digests, record).await?
        {
            return Ok(decision);
        }
        let decision = self.by_account_password(attempt, record).await?;
        if matches!(decision, AuthDecision::Reject) && token_sized && !record.is_unknown_user() {
            record.set_unrecognized_token();
        }
        match decision {
            AuthDecision::Reject if may_be_token => Ok(AuthDecision::Abstain),
            decision => Ok(decision),
        }
    }

    /// `None` when the password is no app password of this user.
    async fn by_app_password(
        &self,
        attempt: &LoginAttempt,
        digests: TokenDigests,
        record: &AttemptRecord,
    ) -> Result<Option<AuthDecision>, DatabaseClientError> {
        let Some(token) = self.tokens.find(digests).await? else {
            return Ok(None);
        };
        let (user, now) = (&attempt.credentials.user, seconds((self.clock)()));
        let decision = token.decide(user, now, self.rules.unchecked_tokens);
        if decision.is_none() && self.rules.chain_position == ChainPosition::LastStep {
            // Without an authenticator behind it we do what Nextcloud does next.
            return Ok(None);
        }
        record.set_hash_spent();
        if matches!(decision, None | Some(AuthDecision::Reject)) {
            record.comparison_failed();
        }
        let decision = decision.unwrap_or(AuthDecision::Abstain);
        let method = self.app_password_method(&token, now, attempt);
        Ok(Some(decision.map(|recipient| authenticated(recipient, method))))
    }

    /// Keeps the credentials only where Nextcloud is asked with them later.
    fn app_password_method(
        &self,
        token: &AuthTokenRow,
        now: i64,
        attempt: &LoginAttempt,
    ) -> AuthMethod {
        let askable = self.rules.chain_position == ChainPosition::BeforeNextcloud;
        if askable && token.is_unchecked(now) {
            AuthMethod::UncheckedAppPassword(Box::new((token.login(), attempt.clone())))
        } else {
            AuthMethod::AppPassword(token.login())
        }
    }

    async fn by_account_password(
        &self,
        attempt: &LoginAttempt,
        record: &AttemptRecord,
    ) -> Result<AuthDecision, DatabaseClientError> {
        if self.rules.token_auth_enforced {
            record.set_hash_spent();
            record.comparison_failed();
            return Ok(AuthDecision::Reject);
        }
        let found = self.users.find(&self.database, &attempt.credentials.user).await?;
        let check = account_password::password_check(&found, self.rules.two_factor_enforced);
        let decision = match check {
            PasswordCheck::Hash(hash, fits) => self.compare(hash, attempt, record, fits).await,
            PasswordCheck::UnknownUser => self.unknown_user(attempt, record).await,
            PasswordCheck::NextcloudDecides => AuthDecision::Abstain,
        };
        let stored = found.first().map_or("", |StoredAccount { stored, .. }| stored);
        let method = AuthMethod::AccountPassword(self.fingerprint.of(stored));
        Ok(decision.map(|recipient| authenticated(recipient, method)))
    }

    async fn compare(
        &self,
        hash: &str,
        attempt: &LoginAttempt,
        record: &AttemptRecord,
        fits: AuthDecision<Recipient>,
    ) -> AuthDecision<Recipient> {
        record.set_hash_spent();
        let LoginAttempt { credentials, peer } = attempt;
        match self.passwords.verify(hash, &credentials.password, peer, record.clone()).await {
            Ok(true) => {
                if fits == AuthDecision::Reject {
                    record.comparison_failed();
                }
                fits
            }
            Ok(false) => AuthDecision::Reject,
            Err(PasswordCheckError::Unusable(_)) => AuthDecision::Abstain,
            Err(PasswordCheckError::Busy) => AuthDecision::Unavailable,
        }
    }

    /// Where Nextcloud follows, it may know the user (from LDAP, say): nothing is hashed unless it
    /// doesn't accept the login either ([`Authenticator::equalize`]).
    async fn unknown_user(
        &self,
        attempt: &LoginAttempt,
        record: &AttemptRecord,
    ) -> AuthDecision<Recipient> {
        record.unknown_user();
        match self.rules.chain_position {
            ChainPosition::BeforeNextcloud => AuthDecision::Reject,
            ChainPosition::LastStep => match self.spend_hash(attempt, record).await {
                Err(PasswordCheckError::Busy) => AuthDecision::Unavailable,
                Ok(_) | Err(PasswordCheckError::Unusable(_)) => AuthDecision::Reject,
            },
        }
    }

    /// Computes a hash for nothing but the time it takes.
    async fn spend_hash(
        &self,
        attempt: &LoginAttempt,
        record: &AttemptRecord,
    ) -> Result<bool, PasswordCheckError> {
        record.set_hash_spent();
        let LoginAttempt { credentials: LoginCredentials { user, password }, peer } = attempt;
        let dummy = self.hash_for_unknown(user).await;
        self.passwords.verify(&dummy, password, peer, AttemptRecord::default()).await
    }
}

impl Authenticator for DatabaseAuthenticator {
    fn name(&self) -> &'static str {
        "database"
    }

    fn check<'a>(
        &'a self,
        attempt: &'a LoginAttempt,
        record: &'a AttemptRecord,
    ) -> BoxFuture<'a, AuthDecision> {
        Box::pin(async move {
            match (self.decide(attempt, record).await, self.rules.chain_position) {
                (Ok(AuthDecision::Reject), ChainPosition::BeforeNextcloud) => AuthDecision::Abstain,
                (Ok(decision), _) => decision,
                (Err(_), _) => {
                    // The time tells nothing: it was the same for every name. The database client
                    // has logged the cause.
                    record.set_hash_spent();
                    AuthDecision::Unavailable
                }
            }
        })
    }

    fn equalize<'a>(
        &'a self,
        attempt: &'a LoginAttempt,
        record: &'a AttemptRecord,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !attempt.credentials.user.is_empty() && !record.is_hash_spent() {
                // A full queue costs a known user no more than this one.
                let _ = self.spend_hash(attempt, record).await;
            }
        })
    }
}

fn authenticated(recipient: Recipient, auth_method: AuthMethod) -> AuthenticatedClient {
    AuthenticatedClient { recipient, auth_method }
}

/// Whether a text is empty to PHP's `empty()`, as `"0"` is.
fn blank(text: &str) -> bool {
    text.is_empty() || text == "0"
}

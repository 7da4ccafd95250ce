//! The chain's "database" step: app password first, then account password.

use super::{
    AccountDecision, PasswordFingerprinter, account_password,
    account_password::{PasswordCheck, StoredAccount, UserTable},
    app_password::{TokenDecision, TokenDigests},
    seconds,
    token_lookup::TokenLookup,
};
use crate::{
    client::database::{Database, DatabaseClientError},
    config::secret::Secret,
    push::{AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials, recipient::Recipient},
    services::nextcloud::login::{
        AuthVerdict, Authenticator,
        hashing::{DUMMY, HashingPool, PasswordCheckError},
    },
};
use futures_util::future::BoxFuture;
use std::sync::Arc;

pub use crate::services::WallClock;

/// Whether anybody is asked after the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainPosition {
    /// Nobody: the database says no, too.
    LastStep,
    /// Nextcloud: the database only ever says yes, so that Nextcloud counts each failure.
    BeforeNextcloud,
}

/// What config.php says about log-ins.
#[derive(Debug, Clone)]
pub struct LoginRules {
    /// `secret`; without it (empty) only app passwords of very old rows are known.
    pub secret: Secret,
    /// `token_auth_enforced`: account passwords are refused.
    pub token_auth_enforced: bool,
    /// `twofactor_enforced`, be it for everybody or for some groups: who is in a group is not ours
    /// to read, so all account passwords are left to Nextcloud.
    pub two_factor_enforced: bool,
    /// Who else is asked.
    pub chain_position: ChainPosition,
}

/// Why the database step can't decide what is its to decide.
enum AccountCheckError {
    Store,
    Busy,
}

/// Decides log-ins from `authtoken`, `users`, `preferences` and `twofactor_providers`.
pub struct DatabaseAuthenticator {
    database: Arc<Database>,
    rules: LoginRules,
    tokens: TokenLookup,
    users: UserTable,
    passwords: HashingPool,
    fingerprint: PasswordFingerprinter,
    clock: WallClock,
}

impl DatabaseAuthenticator {
    /// `fingerprint` must be the one that [`super::RevocationChecker`] has.
    pub fn new(
        database: Arc<Database>,
        rules: LoginRules,
        passwords: HashingPool,
        fingerprint: PasswordFingerprinter,
        clock: WallClock,
    ) -> Self {
        let (tokens, users) = (TokenLookup::new(&database), UserTable::new(&database));
        Self { database, rules, tokens, users, passwords, fingerprint, clock }
    }

    async fn decide(&self, attempt: &LoginAttempt) -> Result<AuthVerdict, AccountCheckError> {
        let LoginCredentials { user, password } = &attempt.credentials;
        if user.is_empty() {
            return Ok(AuthVerdict::Abstain);
        }
        if blank(user) || blank(password.expose()) {
            return Ok(AuthVerdict::Reject);
        }
        let digests = TokenDigests::of(password, &self.rules.secret);
        // Without the secret we can't tell an app password from a wrong password.
        let unknowable = digests.is_some() && self.rules.secret.is_empty();
        if let Some(digests) = digests
            && let Some(verdict) = self.by_app_password(user, digests).await?
        {
            return Ok(verdict);
        }
        match self.by_account_password(attempt).await? {
            AuthVerdict::Reject if unknowable => Ok(AuthVerdict::Abstain),
            verdict => Ok(verdict),
        }
    }

    /// `None` when it is no app password of this user's.
    async fn by_app_password(
        &self,
        user: &str,
        digests: TokenDigests,
    ) -> Result<Option<AuthVerdict>, AccountCheckError> {
        let Some(token) = self.tokens.find(digests).await? else {
            return Ok(None);
        };
        let id = token.id;
        match token.judge(user, seconds((self.clock)())) {
            TokenDecision::Decided(answer) => {
                Ok(Some(verdict(answer, AuthMethod::AppPassword(id))))
            }
            TokenDecision::AnotherLogin
                if self.rules.chain_position == ChainPosition::BeforeNextcloud =>
            {
                Ok(Some(AuthVerdict::Abstain))
            }
            // With nobody else to ask we do what Nextcloud does next.
            TokenDecision::AnotherLogin => Ok(None),
        }
    }

    async fn by_account_password(
        &self,
        attempt: &LoginAttempt,
    ) -> Result<AuthVerdict, AccountCheckError> {
        if self.rules.token_auth_enforced {
            return Ok(AuthVerdict::Reject);
        }
        let found = self.users.find(&self.database, &attempt.credentials.user).await?;
        let trial = account_password::trial(&found, self.rules.two_factor_enforced);
        let answer = self.judge(trial, attempt).await?;
        let stored = found.first().map_or("", |StoredAccount { stored, .. }| stored);
        Ok(verdict(answer, AuthMethod::AccountPassword(self.fingerprint.of(stored))))
    }

    /// Spends a hash on every attempt, so that a user who doesn't exist takes as long as one who
    /// does, and tells what stands in the way of a user only to those who know the password.
    async fn judge(
        &self,
        trial: PasswordCheck<'_>,
        attempt: &LoginAttempt,
    ) -> Result<AccountDecision, AccountCheckError> {
        match trial {
            PasswordCheck::Hash(hash, fits) => self.compare(hash, attempt, fits).await,
            PasswordCheck::Decided(answer) => {
                self.compare(DUMMY, attempt, AccountDecision::No).await?;
                Ok(answer)
            }
        }
    }

    async fn compare(
        &self,
        hash: &str,
        attempt: &LoginAttempt,
        fits: AccountDecision,
    ) -> Result<AccountDecision, AccountCheckError> {
        let password = &attempt.credentials.password;
        match self.passwords.verify(hash, password, &attempt.peer).await {
            Ok(true) => Ok(fits),
            Ok(false) => Ok(AccountDecision::No),
            Err(PasswordCheckError::Unusable(_)) => Ok(AccountDecision::Abstain),
            Err(PasswordCheckError::Busy) => Err(AccountCheckError::Busy),
        }
    }
}

impl Authenticator for DatabaseAuthenticator {
    fn name(&self) -> &'static str {
        "database"
    }

    fn check<'a>(&'a self, attempt: &'a LoginAttempt) -> BoxFuture<'a, AuthVerdict> {
        Box::pin(async move {
            match (self.decide(attempt).await, self.rules.chain_position) {
                (Ok(AuthVerdict::Reject), ChainPosition::BeforeNextcloud) => AuthVerdict::Abstain,
                (Ok(verdict), _) => verdict,
                (Err(AccountCheckError::Store | AccountCheckError::Busy), _) => {
                    AuthVerdict::Unavailable
                }
            }
        })
    }
}

impl From<DatabaseClientError> for AccountCheckError {
    /// The store itself tells the operator.
    fn from(_: DatabaseClientError) -> Self {
        Self::Store
    }
}

fn verdict(answer: AccountDecision, auth_method: AuthMethod) -> AuthVerdict {
    match answer {
        AccountDecision::Yes(uid) => AuthVerdict::Accept(AuthenticatedClient {
            recipient: Recipient::from(uid),
            auth_method,
        }),
        AccountDecision::No => AuthVerdict::Reject,
        AccountDecision::Abstain => AuthVerdict::Abstain,
    }
}

/// PHP's `empty()`: `"0"` counts as nothing.
fn blank(text: &str) -> bool {
    text.is_empty() || text == "0"
}

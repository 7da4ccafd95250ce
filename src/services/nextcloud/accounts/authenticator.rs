//! The chain's "database" step: app password first, then account password.

use super::{
    Answer, Fingerprint,
    account_password::{self, Account, Trial, Users},
    app_password::{Digests, Finding},
    seconds,
    tokens::Tokens,
};
use crate::{
    client::database::{Database, StoreError},
    config::secret::Secret,
    push::recipient::Recipient,
    services::nextcloud::login::{
        Admission, Attempt, Authenticator, Credentials, Grounds, Verdict,
        hashing::{DUMMY, Hashing, Uncheckable},
    },
};
use futures_util::future::BoxFuture;
use std::sync::Arc;

pub use crate::services::Clock;

/// Whether anybody is asked after the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Nobody: the database says no, too.
    Alone,
    /// Nextcloud: the database only ever says yes, so that Nextcloud counts each failure.
    Followed,
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
    pub voice: Voice,
}

/// Why the database step can't decide what is its to decide.
enum Hindrance {
    Store,
    Busy,
}

/// Decides log-ins from `authtoken`, `users`, `preferences` and `twofactor_providers`.
pub struct Accounts {
    database: Arc<Database>,
    rules: LoginRules,
    tokens: Tokens,
    users: Users,
    passwords: Hashing,
    fingerprint: Fingerprint,
    clock: Clock,
}

impl Accounts {
    /// `fingerprint` must be the one that [`super::Revocation`] has.
    pub fn new(
        database: Arc<Database>,
        rules: LoginRules,
        passwords: Hashing,
        fingerprint: Fingerprint,
        clock: Clock,
    ) -> Self {
        let (tokens, users) = (Tokens::new(&database), Users::new(&database));
        Self { database, rules, tokens, users, passwords, fingerprint, clock }
    }

    async fn decide(&self, attempt: &Attempt) -> Result<Verdict, Hindrance> {
        let Credentials { user, password } = &attempt.credentials;
        if user.is_empty() {
            return Ok(Verdict::Abstain);
        }
        if blank(user) || blank(password.expose()) {
            return Ok(Verdict::Reject);
        }
        let digests = Digests::of(password, &self.rules.secret);
        // Without the secret we can't tell an app password from a wrong password.
        let unknowable = digests.is_some() && self.rules.secret.is_empty();
        if let Some(digests) = digests
            && let Some(verdict) = self.by_app_password(user, digests).await?
        {
            return Ok(verdict);
        }
        match self.by_account_password(attempt).await? {
            Verdict::Reject if unknowable => Ok(Verdict::Abstain),
            verdict => Ok(verdict),
        }
    }

    /// `None` when it is no app password of this user's.
    async fn by_app_password(
        &self,
        user: &str,
        digests: Digests,
    ) -> Result<Option<Verdict>, Hindrance> {
        let Some(token) = self.tokens.find(digests).await? else {
            return Ok(None);
        };
        let id = token.id;
        match token.judge(user, seconds((self.clock)())) {
            Finding::Decided(answer) => Ok(Some(verdict(answer, Grounds::AppPassword(id)))),
            Finding::AnotherLogin if self.rules.voice == Voice::Followed => {
                Ok(Some(Verdict::Abstain))
            }
            // With nobody else to ask we do what Nextcloud does next.
            Finding::AnotherLogin => Ok(None),
        }
    }

    async fn by_account_password(&self, attempt: &Attempt) -> Result<Verdict, Hindrance> {
        if self.rules.token_auth_enforced {
            return Ok(Verdict::Reject);
        }
        let found = self.users.find(&self.database, &attempt.credentials.user).await?;
        let trial = account_password::trial(&found, self.rules.two_factor_enforced);
        let answer = self.judge(trial, attempt).await?;
        let stored = found.first().map_or("", |Account { stored, .. }| stored);
        Ok(verdict(answer, Grounds::AccountPassword(self.fingerprint.of(stored))))
    }

    /// Spends a hash on every attempt, so that a user who doesn't exist takes as long as one who
    /// does, and tells what stands in the way of a user only to those who know the password.
    async fn judge(&self, trial: Trial<'_>, attempt: &Attempt) -> Result<Answer, Hindrance> {
        match trial {
            Trial::Hash(hash, fits) => self.compare(hash, attempt, fits).await,
            Trial::Settled(answer) => {
                self.compare(DUMMY, attempt, Answer::No).await?;
                Ok(answer)
            }
        }
    }

    async fn compare(
        &self,
        hash: &str,
        attempt: &Attempt,
        fits: Answer,
    ) -> Result<Answer, Hindrance> {
        let password = &attempt.credentials.password;
        match self.passwords.verify(hash, password, &attempt.peer).await {
            Ok(true) => Ok(fits),
            Ok(false) => Ok(Answer::No),
            Err(Uncheckable::Unusable(_)) => Ok(Answer::NotOurs),
            Err(Uncheckable::Busy) => Err(Hindrance::Busy),
        }
    }
}

impl Authenticator for Accounts {
    fn name(&self) -> &'static str {
        "database"
    }

    fn check<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match (self.decide(attempt).await, self.rules.voice) {
                (Ok(Verdict::Reject), Voice::Followed) => Verdict::Abstain,
                (Ok(verdict), _) => verdict,
                (Err(Hindrance::Store | Hindrance::Busy), _) => Verdict::Unavailable,
            }
        })
    }
}

impl From<StoreError> for Hindrance {
    /// The store itself tells the operator.
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

fn verdict(answer: Answer, grounds: Grounds) -> Verdict {
    match answer {
        Answer::Yes(uid) => Verdict::Accept(Admission { recipient: Recipient::from(uid), grounds }),
        Answer::No => Verdict::Reject,
        Answer::NotOurs => Verdict::Abstain,
    }
}

/// PHP's `empty()`: `"0"` counts as nothing.
fn blank(text: &str) -> bool {
    text.is_empty() || text == "0"
}

//! Authenticators in order: the first that decides has decided.

use super::{AuthVerdict, Authenticator, LoginGuard};
use crate::push::{AuthenticatedClient, LoginAttempt};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// No attempt takes longer than this, whatever the authenticators do; then it is "try again later".
pub const MAX_CHECK: Duration = Duration::from_secs(90);

/// What becomes of an attempt.
#[derive(Debug)]
pub enum AuthDecision {
    /// Let in.
    Accepted(AuthenticatedClient),
    /// Not let in: the credentials are wrong.
    Refused,
    /// Nobody could decide.
    TryLater,
    /// Not even looked at: too many failures from there.
    Throttled {
        /// When it makes sense to come back.
        retry_after: Duration,
    },
}

impl AuthDecision {
    /// What the client reads when it is not let in. A closed set; it tells nothing of the cause.
    /// The first text is the only one clients know: `specs/nextcloud.md` section 3.
    pub fn error(&self) -> Option<&'static str> {
        match self {
            Self::Accepted(_) => None,
            Self::Refused => Some("err: Invalid credentials"),
            Self::TryLater | Self::Throttled { .. } => Some("err: Try again later"),
        }
    }
}

/// What one authenticator said, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerdictKind {
    /// [`AuthVerdict::Accept`].
    Accept,
    /// [`AuthVerdict::Reject`].
    Reject,
    /// [`AuthVerdict::Abstain`].
    Abstain,
    /// [`AuthVerdict::Unavailable`].
    Unavailable,
}

impl VerdictKind {
    /// Lower-case name, as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Abstain => "abstain",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<&AuthVerdict> for VerdictKind {
    fn from(verdict: &AuthVerdict) -> Self {
        match verdict {
            AuthVerdict::Accept(_) => Self::Accept,
            AuthVerdict::Reject => Self::Reject,
            AuthVerdict::Abstain => Self::Abstain,
            AuthVerdict::Unavailable => Self::Unavailable,
        }
    }
}

/// One authenticator's answer, recorder to whoever counts.
#[derive(Debug, Clone, Copy)]
pub struct AuthObservation {
    /// [`Authenticator::name`].
    pub method: &'static str,
    /// The verdict.
    pub said: VerdictKind,
    /// How long it took.
    pub took: Duration,
}

/// The authenticators, in the order they are asked.
pub struct AuthenticatorChain {
    links: Vec<Box<dyn Authenticator>>,
    observe: Arc<dyn Fn(AuthObservation) + Send + Sync>,
    guard: Option<LoginGuard>,
}

impl AuthenticatorChain {
    /// A chain that tells `observe` of every answer.
    pub fn new(
        links: Vec<Box<dyn Authenticator>>,
        observe: Arc<dyn Fn(AuthObservation) + Send + Sync>,
    ) -> Self {
        Self { links, observe, guard: None }
    }

    /// The same chain behind a guard, which keeps those away who failed too often.
    pub fn behind(self, guard: LoginGuard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// Decides an attempt, if the guard lets it through.
    pub async fn decide(&self, attempt: &LoginAttempt) -> AuthDecision {
        match &self.guard {
            Some(guard) => guard.pass(attempt, self.ask(attempt)).await,
            None => self.ask(attempt).await,
        }
    }

    /// Asks one after the other until one decides. Never says no because of who could not be
    /// asked: without a decision it is [`AuthDecision::TryLater`], and so it is for an empty chain,
    /// which accepts nobody.
    async fn ask(&self, attempt: &LoginAttempt) -> AuthDecision {
        let deadline = Instant::now() + MAX_CHECK;
        for link in &self.links {
            let asked = Instant::now();
            let Ok(verdict) = timeout_at(deadline, link.check(attempt)).await else {
                tracing::warn!(
                    method = link.name(),
                    "a log-in took longer than {MAX_CHECK:?}: given up"
                );
                return AuthDecision::TryLater;
            };
            let said = VerdictKind::from(&verdict);
            (self.observe)(AuthObservation { method: link.name(), said, took: asked.elapsed() });
            match verdict {
                AuthVerdict::Accept(authenticated) => return AuthDecision::Accepted(authenticated),
                AuthVerdict::Reject => return AuthDecision::Refused,
                AuthVerdict::Abstain | AuthVerdict::Unavailable => (),
            }
        }
        AuthDecision::TryLater
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthDecision, AuthenticatorChain, MAX_CHECK, VerdictKind};
    use crate::{
        push::{AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials},
        server::peer::ConnectionPeer,
        services::nextcloud::login::{AuthVerdict, Authenticator},
    };
    use futures_util::{FutureExt, future::BoxFuture};
    use std::sync::{Arc, Mutex};

    struct FixedAuthenticator(&'static str, fn() -> AuthVerdict);

    impl Authenticator for FixedAuthenticator {
        fn name(&self) -> &'static str {
            self.0
        }
        fn check<'a>(&'a self, _: &'a LoginAttempt) -> BoxFuture<'a, AuthVerdict> {
            std::future::ready((self.1)()).boxed()
        }
    }

    struct HangingAuthenticator;

    impl Authenticator for HangingAuthenticator {
        fn name(&self) -> &'static str {
            "hangs"
        }
        fn check<'a>(&'a self, _: &'a LoginAttempt) -> BoxFuture<'a, AuthVerdict> {
            std::future::pending().boxed()
        }
    }

    fn accept() -> AuthVerdict {
        AuthVerdict::Accept(AuthenticatedClient {
            recipient: "alice".into(),
            auth_method: AuthMethod::Open,
        })
    }
    fn reject() -> AuthVerdict {
        AuthVerdict::Reject
    }
    fn abstain() -> AuthVerdict {
        AuthVerdict::Abstain
    }
    fn unavailable() -> AuthVerdict {
        AuthVerdict::Unavailable
    }

    fn attempt() -> LoginAttempt {
        let credentials = LoginCredentials { user: "alice".into(), password: "secret".into() };
        LoginAttempt { credentials, peer: ConnectionPeer::default() }
    }

    /// The text the client hears (empty: let in), and who said what.
    async fn decide(
        answers: &[fn() -> AuthVerdict],
    ) -> (&'static str, Vec<(&'static str, VerdictKind)>) {
        let names = ["first", "second", "third"];
        let links = names.iter().zip(answers).map(|(name, says)| {
            Box::new(FixedAuthenticator(name, *says)) as Box<dyn Authenticator>
        });
        let observed = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&observed);
        let observe = Arc::new(move |o: super::AuthObservation| {
            recorder.lock().unwrap().push((o.method, o.said))
        });
        let outcome = AuthenticatorChain::new(links.collect(), observe).decide(&attempt()).await;
        let observed = observed.lock().unwrap().clone();
        (outcome.error().unwrap_or(""), observed)
    }

    const INVALID: &str = "err: Invalid credentials";
    const LATER: &str = "err: Try again later";

    #[tokio::test]
    async fn the_first_that_decides_has_decided() {
        assert_eq!(decide(&[abstain, accept, reject]).await.0, "");
        assert_eq!(decide(&[abstain, reject, accept]).await.0, INVALID);
        assert_eq!(decide(&[unavailable, accept]).await.0, "");
        assert_eq!(decide(&[unavailable, reject]).await.0, INVALID);
    }

    #[tokio::test]
    async fn without_a_decision_the_client_hears_try_later() {
        assert_eq!(decide(&[]).await.0, LATER);
        assert_eq!(decide(&[abstain, abstain]).await.0, LATER);
        assert_eq!(decide(&[abstain, unavailable]).await.0, LATER);
    }

    #[tokio::test]
    async fn each_answer_is_told_by_name() {
        let (_, observed) = decide(&[abstain, unavailable, accept]).await;
        let expected = [
            ("first", VerdictKind::Abstain),
            ("second", VerdictKind::Unavailable),
            ("third", VerdictKind::Accept),
        ];
        assert_eq!(observed, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_authenticator_that_hangs_holds_nobody_for_ever() {
        let before = tokio::time::Instant::now();
        let chain = AuthenticatorChain::new(vec![Box::new(HangingAuthenticator)], Arc::new(|_| ()));
        assert!(matches!(chain.decide(&attempt()).await, AuthDecision::TryLater));
        assert_eq!(before.elapsed(), MAX_CHECK);
    }
}

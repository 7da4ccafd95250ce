//! Authenticators in order: the first one that decides ends the login.

use super::{AttemptRecord, Authenticator, LoginGuard};
use crate::push::{AuthDecision, AuthenticatedClient, LoginAttempt, LoginResult};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// No attempt takes longer than this, whatever the authenticators do; then the client has to try
/// again later.
pub const MAX_CHECK: Duration = Duration::from_secs(90);

/// One decision of one authenticator, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct AuthObservation {
    /// [`Authenticator::name`] of the one that decided.
    pub method: &'static str,
    /// The decision without the client.
    pub decision: AuthDecision<()>,
    /// How long the decision took.
    pub took: Duration,
}

/// The authenticators, in the order they are asked.
pub struct AuthenticatorChain {
    authenticators: Vec<Box<dyn Authenticator>>,
    observe: Arc<dyn Fn(AuthObservation) + Send + Sync>,
    guard: Option<LoginGuard>,
}

impl AuthenticatorChain {
    /// A chain that reports every decision to `observe`.
    pub fn new(
        authenticators: Vec<Box<dyn Authenticator>>,
        observe: Arc<dyn Fn(AuthObservation) + Send + Sync>,
    ) -> Self {
        Self { authenticators, observe, guard: None }
    }

    /// The same chain behind a guard, which throttles networks that failed too often.
    pub fn behind(self, guard: LoginGuard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// Decides an attempt, if the guard lets it pass.
    pub async fn decide(&self, attempt: &LoginAttempt) -> LoginResult<AuthenticatedClient> {
        match &self.guard {
            Some(guard) => guard.pass(attempt, |record| self.ask(attempt, record)).await,
            None => self.ask(attempt, AttemptRecord::default()).await,
        }
    }

    async fn ask(
        &self,
        attempt: &LoginAttempt,
        record: AttemptRecord,
    ) -> LoginResult<AuthenticatedClient> {
        let deadline = Instant::now() + MAX_CHECK;
        let result = self.ask_in_turn(attempt, &record, deadline).await;
        if !matches!(result, LoginResult::Accepted(_)) {
            for authenticator in &self.authenticators {
                // Past the deadline the attempt has cost more time than any other.
                let _ = timeout_at(deadline, authenticator.equalize(attempt, &record)).await;
            }
        }
        result
    }

    /// Asks one after the other until one decides. An authenticator that can't decide never causes
    /// a rejection: without a decision the result is [`LoginResult::Unavailable`], also for an
    /// empty chain, which accepts no client.
    async fn ask_in_turn(
        &self,
        attempt: &LoginAttempt,
        record: &AttemptRecord,
        deadline: Instant,
    ) -> LoginResult<AuthenticatedClient> {
        for authenticator in &self.authenticators {
            let asked = Instant::now();
            let method = authenticator.name();
            let check = authenticator.check(attempt, record);
            let Ok(decision) = timeout_at(deadline, check).await else {
                tracing::warn!(method, "login not decided within {MAX_CHECK:?}");
                return LoginResult::Unavailable;
            };
            let (kind, took) = (decision.kind(), asked.elapsed());
            (self.observe)(AuthObservation { method, decision: kind, took });
            match decision {
                AuthDecision::Accept(client) => return LoginResult::Accepted(client),
                AuthDecision::Reject => return LoginResult::Rejected,
                AuthDecision::Abstain | AuthDecision::Unavailable => (),
            }
        }
        LoginResult::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthenticatorChain, MAX_CHECK};
    use crate::{
        push::{
            AuthDecision, AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials,
            LoginResult,
        },
        server::peer::ConnectionPeer,
        services::nextcloud::login::{AttemptRecord, Authenticator},
    };
    use futures_util::{FutureExt, future::BoxFuture};
    use parking_lot::Mutex;
    use std::sync::Arc;

    struct FixedAuthenticator(&'static str, fn() -> AuthDecision);

    impl Authenticator for FixedAuthenticator {
        fn name(&self) -> &'static str {
            self.0
        }
        fn check<'a>(
            &'a self,
            _: &'a LoginAttempt,
            _: &'a AttemptRecord,
        ) -> BoxFuture<'a, AuthDecision> {
            std::future::ready((self.1)()).boxed()
        }
    }

    struct HangingAuthenticator;

    impl Authenticator for HangingAuthenticator {
        fn name(&self) -> &'static str {
            "hangs"
        }
        fn check<'a>(
            &'a self,
            _: &'a LoginAttempt,
            _: &'a AttemptRecord,
        ) -> BoxFuture<'a, AuthDecision> {
            std::future::pending().boxed()
        }
    }

    fn accept() -> AuthDecision {
        AuthDecision::Accept(AuthenticatedClient {
            recipient: "alice".into(),
            auth_method: AuthMethod::Open,
        })
    }
    fn reject() -> AuthDecision {
        AuthDecision::Reject
    }
    fn abstain() -> AuthDecision {
        AuthDecision::Abstain
    }
    fn unavailable() -> AuthDecision {
        AuthDecision::Unavailable
    }

    fn attempt() -> LoginAttempt {
        let credentials = LoginCredentials { user: "alice".into(), password: "secret".into() };
        LoginAttempt { credentials, peer: ConnectionPeer::default() }
    }

    /// The result, and which authenticator decided what.
    async fn decide(
        decisions: &[fn() -> AuthDecision],
    ) -> (LoginResult, Vec<(&'static str, AuthDecision<()>)>) {
        let names = ["first", "second", "third"];
        let authenticators = names.iter().zip(decisions).map(|(name, decision)| {
            Box::new(FixedAuthenticator(name, *decision)) as Box<dyn Authenticator>
        });
        let observed = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&observed);
        let observe = Arc::new(move |observation: super::AuthObservation| {
            recorder.lock().push((observation.method, observation.decision))
        });
        let chain = AuthenticatorChain::new(authenticators.collect(), observe);
        let result = chain.decide(&attempt()).await.kind();
        let observed = observed.lock().clone();
        (result, observed)
    }

    #[tokio::test]
    async fn the_first_decision_counts() {
        let accepted = LoginResult::Accepted(());
        assert_eq!(decide(&[abstain, accept, reject]).await.0, accepted);
        assert_eq!(decide(&[abstain, reject, accept]).await.0, LoginResult::Rejected);
        assert_eq!(decide(&[unavailable, accept]).await.0, accepted);
        assert_eq!(decide(&[unavailable, reject]).await.0, LoginResult::Rejected);
    }

    #[tokio::test]
    async fn without_a_decision_the_login_is_unavailable() {
        assert_eq!(decide(&[]).await.0, LoginResult::Unavailable);
        assert_eq!(decide(&[abstain, abstain]).await.0, LoginResult::Unavailable);
        assert_eq!(decide(&[abstain, unavailable]).await.0, LoginResult::Unavailable);
    }

    #[tokio::test]
    async fn each_decision_is_reported_with_its_method() {
        let (_, observed) = decide(&[abstain, unavailable, accept]).await;
        let expected = [
            ("first", AuthDecision::Abstain),
            ("second", AuthDecision::Unavailable),
            ("third", AuthDecision::Accept(())),
        ];
        assert_eq!(observed, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_authenticator_that_hangs_ends_with_unavailable() {
        let chain = AuthenticatorChain::new(vec![Box::new(HangingAuthenticator)], Arc::new(|_| ()));
        let before = tokio::time::Instant::now();
        assert_eq!(chain.decide(&attempt()).await.kind(), LoginResult::Unavailable);
        assert_eq!(before.elapsed(), MAX_CHECK);
    }
}

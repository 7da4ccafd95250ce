//! Authenticators in order: the first that decides has decided.

use super::{Admission, Attempt, Authenticator, Guard, Verdict};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// No attempt takes longer than this, whatever the authenticators do; then it is "try again later".
pub const MAX_CHECK: Duration = Duration::from_secs(90);

/// What becomes of an attempt.
#[derive(Debug)]
pub enum Outcome {
    /// Let in.
    Accepted(Admission),
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

impl Outcome {
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
pub enum Said {
    /// [`Verdict::Accept`].
    Accept,
    /// [`Verdict::Reject`].
    Reject,
    /// [`Verdict::Abstain`].
    Abstain,
    /// [`Verdict::Unavailable`].
    Unavailable,
}

impl Said {
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

impl From<&Verdict> for Said {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Accept(_) => Self::Accept,
            Verdict::Reject => Self::Reject,
            Verdict::Abstain => Self::Abstain,
            Verdict::Unavailable => Self::Unavailable,
        }
    }
}

/// One authenticator's answer, told to whoever counts.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// [`Authenticator::name`].
    pub method: &'static str,
    /// The verdict.
    pub said: Said,
    /// How long it took.
    pub took: Duration,
}

/// The authenticators, in the order they are asked.
pub struct Chain {
    links: Vec<Box<dyn Authenticator>>,
    observe: Arc<dyn Fn(Observation) + Send + Sync>,
    guard: Option<Guard>,
}

impl Chain {
    /// A chain that tells `observe` of every answer.
    pub fn new(
        links: Vec<Box<dyn Authenticator>>,
        observe: Arc<dyn Fn(Observation) + Send + Sync>,
    ) -> Self {
        Self { links, observe, guard: None }
    }

    /// The same chain behind a guard, which keeps those away who failed too often.
    pub fn behind(self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// Decides an attempt, if the guard lets it through.
    pub async fn decide(&self, attempt: &Attempt) -> Outcome {
        match &self.guard {
            Some(guard) => guard.pass(attempt, self.ask(attempt)).await,
            None => self.ask(attempt).await,
        }
    }

    /// Asks one after the other until one decides. Never says no because of who could not be
    /// asked: without a decision it is [`Outcome::TryLater`], and so it is for an empty chain,
    /// which accepts nobody.
    async fn ask(&self, attempt: &Attempt) -> Outcome {
        let deadline = Instant::now() + MAX_CHECK;
        for link in &self.links {
            let asked = Instant::now();
            let Ok(verdict) = timeout_at(deadline, link.check(attempt)).await else {
                tracing::warn!(
                    method = link.name(),
                    "a log-in took longer than {MAX_CHECK:?}: given up"
                );
                return Outcome::TryLater;
            };
            let said = Said::from(&verdict);
            (self.observe)(Observation { method: link.name(), said, took: asked.elapsed() });
            match verdict {
                Verdict::Accept(admission) => return Outcome::Accepted(admission),
                Verdict::Reject => return Outcome::Refused,
                Verdict::Abstain | Verdict::Unavailable => (),
            }
        }
        Outcome::TryLater
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, MAX_CHECK, Outcome, Said};
    use crate::{
        server::peer::Peer,
        services::nextcloud::login::{
            Admission, Attempt, Authenticator, Credentials, Grounds, Verdict,
        },
    };
    use futures_util::{FutureExt, future::BoxFuture};
    use std::sync::{Arc, Mutex};

    struct Says(&'static str, fn() -> Verdict);

    impl Authenticator for Says {
        fn name(&self) -> &'static str {
            self.0
        }
        fn check<'a>(&'a self, _: &'a Attempt) -> BoxFuture<'a, Verdict> {
            std::future::ready((self.1)()).boxed()
        }
    }

    struct Hangs;

    impl Authenticator for Hangs {
        fn name(&self) -> &'static str {
            "hangs"
        }
        fn check<'a>(&'a self, _: &'a Attempt) -> BoxFuture<'a, Verdict> {
            std::future::pending().boxed()
        }
    }

    fn accept() -> Verdict {
        Verdict::Accept(Admission { recipient: "alice".into(), grounds: Grounds::Open })
    }
    fn reject() -> Verdict {
        Verdict::Reject
    }
    fn abstain() -> Verdict {
        Verdict::Abstain
    }
    fn unavailable() -> Verdict {
        Verdict::Unavailable
    }

    fn attempt() -> Attempt {
        let credentials = Credentials { user: "alice".into(), password: "secret".into() };
        Attempt { credentials, peer: Peer::default() }
    }

    /// The text the client hears (empty: let in), and who said what.
    async fn decide(answers: &[fn() -> Verdict]) -> (&'static str, Vec<(&'static str, Said)>) {
        let names = ["first", "second", "third"];
        let links = names
            .iter()
            .zip(answers)
            .map(|(name, says)| Box::new(Says(name, *says)) as Box<dyn Authenticator>);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        let observe =
            Arc::new(move |o: super::Observation| told.lock().unwrap().push((o.method, o.said)));
        let outcome = Chain::new(links.collect(), observe).decide(&attempt()).await;
        let heard = heard.lock().unwrap().clone();
        (outcome.error().unwrap_or(""), heard)
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
        let (_, heard) = decide(&[abstain, unavailable, accept]).await;
        let expected =
            [("first", Said::Abstain), ("second", Said::Unavailable), ("third", Said::Accept)];
        assert_eq!(heard, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_authenticator_that_hangs_holds_nobody_for_ever() {
        let before = tokio::time::Instant::now();
        let chain = Chain::new(vec![Box::new(Hangs)], Arc::new(|_| ()));
        assert!(matches!(chain.decide(&attempt()).await, Outcome::TryLater));
        assert_eq!(before.elapsed(), MAX_CHECK);
    }
}

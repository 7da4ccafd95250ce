//! The guard in front of a chain, on a paused clock.

use super::{LoginGuard, REPEATED_WRONG_DELAY, ThrottleDecision};
use crate::{
    push::{
        AuthDecision, AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials, LoginResult,
    },
    server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
    services::nextcloud::login::{
        AttemptRecord, Authenticator, AuthenticatorChain, ClaimFingerprinter,
        throttle::{MAX_FAILURES, Throttle},
    },
    telemetry::metrics::MetricLabel,
};
use futures_util::{FutureExt, future::BoxFuture, poll};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Accepts `right`; counts how often it is asked.
#[derive(Clone, Default)]
struct CountingAuthenticator(Arc<AtomicUsize>);

impl Authenticator for CountingAuthenticator {
    fn name(&self) -> &'static str {
        "authenticator"
    }

    fn check<'a>(
        &'a self,
        attempt: &'a LoginAttempt,
        record: &'a AttemptRecord,
    ) -> BoxFuture<'a, AuthDecision> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let decision = match attempt.credentials.password.expose() {
            "right" => accept(),
            "undecided" => AuthDecision::Unavailable,
            // As the database does with Nextcloud behind it.
            password if password.starts_with("unfit") => {
                record.comparison_failed();
                AuthDecision::Abstain
            }
            password if password.starts_with("unknown user") => {
                record.unknown_user();
                AuthDecision::Abstain
            }
            _ => AuthDecision::Reject,
        };
        std::future::ready(decision).boxed()
    }
}

fn accept() -> AuthDecision {
    AuthDecision::Accept(AuthenticatedClient {
        recipient: "alice".into(),
        auth_method: AuthMethod::Open,
    })
}

/// Stands for Nextcloud behind the database: accepts, fails or hangs.
#[derive(Clone, Copy)]
enum NextcloudBehind {
    Accepts,
    Fails,
    Hangs,
}

impl Authenticator for NextcloudBehind {
    fn name(&self) -> &'static str {
        "nextcloud"
    }

    fn check<'a>(
        &'a self,
        _: &'a LoginAttempt,
        _: &'a AttemptRecord,
    ) -> BoxFuture<'a, AuthDecision> {
        match self {
            Self::Accepts => std::future::ready(accept()).boxed(),
            Self::Fails => std::future::ready(AuthDecision::Unavailable).boxed(),
            Self::Hangs => std::future::pending().boxed(),
        }
    }
}

fn guarded() -> (AuthenticatorChain, CountingAuthenticator, LoginGuard) {
    guarded_before(None)
}

fn guarded_before(
    next: Option<NextcloudBehind>,
) -> (AuthenticatorChain, CountingAuthenticator, LoginGuard) {
    let throttle = Throttle::new(MAX_FAILURES, Instant::now());
    let guard = LoginGuard::new(
        throttle,
        ClientAddressResolver::new(vec![]),
        ClaimFingerprinter::new([7; 32]),
    );
    let authenticator = CountingAuthenticator::default();
    let mut authenticators: Vec<Box<dyn Authenticator>> = vec![Box::new(authenticator.clone())];
    authenticators.extend(next.map(|next| Box::new(next) as Box<dyn Authenticator>));
    let chain = AuthenticatorChain::new(authenticators, Arc::new(|_| ())).behind(guard.clone());
    (chain, authenticator, guard)
}

fn attempt(user: &str, password: &str, last: u8) -> LoginAttempt {
    let peer = ConnectionPeer { address: Some(([192, 0, 2, last], 1).into()), forwarded: vec![] };
    LoginAttempt {
        credentials: LoginCredentials { user: user.into(), password: password.into() },
        peer,
    }
}

async fn decision(
    chain: &AuthenticatorChain,
    user: &str,
    password: &str,
    last: u8,
) -> &'static str {
    chain.decide(&attempt(user, password, last)).await.kind().text()
}

async fn fail(chain: &AuthenticatorChain, times: usize) {
    for n in 0..times {
        assert_eq!(decision(chain, "alice", &format!("wrong {n}"), 1).await, "rejected");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_network_costs_nothing_and_others_log_in() {
    let (chain, authenticator, guard) = guarded();
    fail(&chain, MAX_FAILURES).await;
    let asked = authenticator.0.load(Ordering::SeqCst);
    let before = Instant::now();
    assert_eq!(decision(&chain, "alice", "right", 1).await, "throttled");
    assert_eq!((authenticator.0.load(Ordering::SeqCst), before.elapsed()), (asked, Duration::ZERO));
    assert_eq!(decision(&chain, "bob", "right", 2).await, "accepted");

    let still_allowed = guard.still_allowed();
    let network = |last| ClientAddressResolver::new(vec![]).of(&attempt("", "", last).peer);
    assert!(!still_allowed(network(1)) && still_allowed(network(2)));
}

#[tokio::test(start_paused = true)]
async fn a_looping_client_is_not_checked_again() {
    let (chain, authenticator, _) = guarded();
    for _ in 0..50 {
        let before = Instant::now();
        assert_eq!(decision(&chain, "alice", "old password", 1).await, "rejected");
        assert!(before.elapsed() <= REPEATED_WRONG_DELAY);
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_undecided_attempt_without_evidence_is_no_failure() {
    let (chain, authenticator, _) = guarded();
    for _ in 0..50 {
        assert_eq!(decision(&chain, "alice", "undecided", 1).await, "unavailable");
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 50);
    assert_eq!(decision(&chain, "alice", "right", 1).await, "accepted");
}

#[tokio::test(start_paused = true)]
async fn tickets_are_neither_delayed_nor_counted() {
    let (chain, authenticator, _) = guarded();
    for n in 0..50 {
        let before = Instant::now();
        assert_eq!(decision(&chain, "", &format!("stale ticket {n}"), 1).await, "rejected");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 50);
    assert_eq!(decision(&chain, "alice", "right", 1).await, "accepted");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_waits_while_its_network_gets_refused_is_refused() {
    let (chain, authenticator, _) = guarded();
    fail(&chain, 1).await;
    let guesses: Vec<_> = (100..130).map(|n| attempt("alice", &format!("guess {n}"), 1)).collect();
    let all = futures_util::future::join_all(guesses.iter().map(|guess| chain.decide(guess))).await;
    let throttled = all.iter().filter(|o| matches!(o, LoginResult::Throttled)).count();
    assert_eq!(authenticator.0.load(Ordering::SeqCst), MAX_FAILURES);
    assert_eq!(throttled, 30 - (MAX_FAILURES - 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_a_delay_gives_its_place_up() {
    let (chain, _, guard) = guarded();
    fail(&chain, 5).await;
    {
        let waiting = attempt("alice", "another", 1);
        let mut waiting = Box::pin(chain.decide(&waiting));
        assert!(poll!(&mut waiting).is_pending());
        assert!(format!("{:?}", guard.throttle.lock()).contains("delayed: {Network"));
    }
    assert!(format!("{:?}", guard.throttle.lock()).contains("delayed: {}"));
}

#[tokio::test(start_paused = true)]
async fn evidence_counts_although_nextcloud_fails() {
    for evidence in ["unfit", "unknown user"] {
        let (chain, _, _) = guarded_before(Some(NextcloudBehind::Fails));
        for n in 0..MAX_FAILURES {
            let password = format!("{evidence} {n}");
            assert_eq!(decision(&chain, "alice", &password, 1).await, "unavailable");
        }
        assert_eq!(decision(&chain, "alice", "right", 1).await, "throttled", "{evidence}");
        assert_eq!(decision(&chain, "bob", "right", 2).await, "accepted");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_undecided_claim_counts_once() {
    let (chain, authenticator, _) = guarded_before(Some(NextcloudBehind::Fails));
    for _ in 0..3 * MAX_FAILURES {
        assert_eq!(decision(&chain, "alice", "unknown user", 1).await, "unavailable");
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 3 * MAX_FAILURES);
    assert_eq!(decision(&chain, "alice", "right", 1).await, "accepted");
}

#[tokio::test(start_paused = true)]
async fn evidence_counts_although_the_client_disconnects() {
    for evidence in ["unfit", "unknown user"] {
        let (chain, _, _) = guarded_before(Some(NextcloudBehind::Hangs));
        for n in 0..MAX_FAILURES {
            let attempt = attempt("alice", &format!("{evidence} {n}"), 1);
            let disconnects = tokio::time::timeout(Duration::from_secs(60), chain.decide(&attempt));
            assert!(disconnects.await.is_err());
        }
        assert_eq!(decision(&chain, "alice", "right", 1).await, "throttled", "{evidence}");
    }
}

#[tokio::test(start_paused = true)]
async fn passwords_that_do_not_fit_count_while_nextcloud_hangs() {
    let (chain, authenticator, _) = guarded_before(Some(NextcloudBehind::Hangs));
    let guesses: Vec<_> = (0..40).map(|n| attempt("alice", &format!("unfit {n}"), 1)).collect();
    let mut pending: Vec<_> = guesses.iter().map(|guess| Box::pin(chain.decide(guess))).collect();
    for guess in &mut pending {
        let _ = poll!(guess);
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 1, "the others wait out a delay");
    assert_ne!(decision(&chain, "bob", "right", 1).await, "throttled");
    let all = tokio::time::timeout(Duration::from_secs(60), async {
        futures_util::future::join_all(pending).await
    });
    assert!(all.await.is_err());
    assert!(authenticator.0.load(Ordering::SeqCst) <= MAX_FAILURES + 1);
    assert_eq!(decision(&chain, "carol", "right", 1).await, "throttled");
}

#[tokio::test(start_paused = true)]
async fn evidence_is_taken_back_when_nextcloud_accepts() {
    for evidence in ["unfit", "unknown user"] {
        let (chain, _, guard) = guarded_before(Some(NextcloudBehind::Accepts));
        for n in 0..3 * MAX_FAILURES {
            let user = format!("user {n}");
            assert_eq!(decision(&chain, &user, evidence, 1).await, "accepted", "{n}");
            assert_eq!(decision(&chain, &user, evidence, 1).await, "accepted", "known by now");
        }
        let network = ClientAddressResolver::new(vec![]).of(&attempt("", "", 1).peer);
        assert!(guard.still_allowed()(network));
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_goes_on_after_a_disconnect_still_reports() {
    let (_, _, guard) = guarded();
    let key = guard.attempt_key(&attempt("alice", "guess", 1));
    let record = AttemptRecord::reporting(Arc::clone(&guard.throttle), key);
    record.end();
    assert_eq!(guard.throttle.lock().rule(&key, Instant::now()), ThrottleDecision::Allow);
    record.comparison_failed();
    let ruling = guard.throttle.lock().rule(&key, Instant::now());
    assert!(matches!(ruling, ThrottleDecision::Wait(_)), "{ruling:?}");
    guard.throttle.lock().delay_ended(&key);
    record.accepted();
    assert_eq!(guard.throttle.lock().rule(&key, Instant::now()), ThrottleDecision::Allow);
}

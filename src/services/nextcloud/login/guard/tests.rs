//! The guard in front of a chain, on a paused clock.

use super::{LoginGuard, REPEATED_WRONG_DELAY};
use crate::{
    push::{AuthMethod, AuthenticatedClient, LoginAttempt, LoginCredentials},
    server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
    services::nextcloud::login::{
        AuthDecision, AuthVerdict, Authenticator, AuthenticatorChain, ClaimFingerprinter,
        throttle::{MAX_FAILURES, Throttle},
    },
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

/// Lets `right` in; counts how often it is asked.
#[derive(Clone, Default)]
struct CountingAuthenticator(Arc<AtomicUsize>);

impl Authenticator for CountingAuthenticator {
    fn name(&self) -> &'static str {
        "authenticator"
    }

    fn check<'a>(&'a self, attempt: &'a LoginAttempt) -> BoxFuture<'a, AuthVerdict> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let verdict = match attempt.credentials.password.expose() {
            "right" => AuthVerdict::Accept(AuthenticatedClient {
                recipient: "alice".into(),
                auth_method: AuthMethod::Open,
            }),
            "away" => AuthVerdict::Unavailable,
            _ => AuthVerdict::Reject,
        };
        std::future::ready(verdict).boxed()
    }
}

fn guarded() -> (AuthenticatorChain, CountingAuthenticator, LoginGuard) {
    let throttle = Throttle::new(MAX_FAILURES, Instant::now());
    let guard = LoginGuard::new(
        throttle,
        ClientAddressResolver::new(vec![]),
        ClaimFingerprinter::new([7; 32]),
    );
    let authenticator = CountingAuthenticator::default();
    let chain = AuthenticatorChain::new(vec![Box::new(authenticator.clone())], Arc::new(|_| ()))
        .behind(guard.clone());
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
    match chain.decide(&attempt(user, password, last)).await {
        AuthDecision::Accepted(_) => "in",
        AuthDecision::Refused => "no",
        AuthDecision::TryLater => "later",
        AuthDecision::Throttled { .. } => "throttled",
    }
}

async fn fail(chain: &AuthenticatorChain, times: usize) {
    for n in 0..times {
        assert_eq!(decision(chain, "alice", &format!("wrong {n}"), 1).await, "no");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_network_costs_nothing_and_others_get_in() {
    let (chain, authenticator, guard) = guarded();
    fail(&chain, MAX_FAILURES).await;
    let asked = authenticator.0.load(Ordering::SeqCst);
    let before = Instant::now();
    assert_eq!(decision(&chain, "alice", "right", 1).await, "throttled");
    assert_eq!((authenticator.0.load(Ordering::SeqCst), before.elapsed()), (asked, Duration::ZERO));
    assert_eq!(decision(&chain, "bob", "right", 2).await, "in");

    let welcome = guard.still_allowed();
    let origin = |last| ClientAddressResolver::new(vec![]).of(&attempt("", "", last).peer);
    assert!(!welcome(origin(1)) && welcome(origin(2)));
}

#[tokio::test(start_paused = true)]
async fn a_looping_client_is_not_looked_at_again() {
    let (chain, authenticator, _) = guarded();
    for _ in 0..50 {
        let before = Instant::now();
        assert_eq!(decision(&chain, "alice", "old password", 1).await, "no");
        assert!(before.elapsed() <= REPEATED_WRONG_DELAY);
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn try_later_is_no_failure() {
    let (chain, authenticator, _) = guarded();
    for _ in 0..50 {
        assert_eq!(decision(&chain, "alice", "away", 1).await, "later");
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 50);
    assert_eq!(decision(&chain, "alice", "right", 1).await, "in");
}

#[tokio::test(start_paused = true)]
async fn tickets_are_neither_held_up_nor_counted() {
    let (chain, authenticator, _) = guarded();
    for n in 0..50 {
        let before = Instant::now();
        assert_eq!(decision(&chain, "", &format!("stale ticket {n}"), 1).await, "no");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
    assert_eq!(authenticator.0.load(Ordering::SeqCst), 50);
    assert_eq!(decision(&chain, "alice", "right", 1).await, "in");
}

#[tokio::test(start_paused = true)]
async fn who_waits_while_the_network_gets_refused_is_refused_too() {
    let (chain, authenticator, _) = guarded();
    fail(&chain, 1).await;
    let guesses: Vec<_> = (100..130).map(|n| attempt("alice", &format!("guess {n}"), 1)).collect();
    let all = futures_util::future::join_all(guesses.iter().map(|guess| chain.decide(guess))).await;
    let throttled = all.iter().filter(|o| matches!(o, AuthDecision::Throttled { .. })).count();
    assert_eq!(authenticator.0.load(Ordering::SeqCst), MAX_FAILURES);
    assert_eq!(throttled, 30 - (MAX_FAILURES - 1));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_during_a_delay_makes_room_for_another() {
    let (chain, _, guard) = guarded();
    fail(&chain, 5).await;
    {
        let waiting = attempt("alice", "another", 1);
        let mut waiting = Box::pin(chain.decide(&waiting));
        assert!(poll!(&mut waiting).is_pending());
        assert!(format!("{:?}", guard.lock()).contains("delayed: {Network"));
    }
    assert!(format!("{:?}", guard.lock()).contains("delayed: {}"));
}

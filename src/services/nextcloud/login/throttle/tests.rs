//! The rules one by one, and invariants under random steps.

use super::{
    AttemptKey, LAST_DELAY, MAX_DELAYED_LOCAL, MAX_FAILURES, MAX_NAME_DELAY, RIGHT_CLAIM_LIFETIME,
    Throttle, ThrottleDecision, WINDOW, WRONG_CLAIM_LIFETIME,
};
use crate::{server::client_address::ClientNetwork, services::nextcloud::login::ClaimFingerprint};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn network(last: u8) -> ClientNetwork {
    ClientNetwork::Network([192, 0, 2, last].into())
}

/// A claim with its own fingerprint, as `ClaimFingerprinter` makes it.
fn claim(origin: ClientNetwork, name: u64, password: u32) -> AttemptKey {
    let mut claim = ClaimFingerprint::default();
    let from = match origin {
        ClientNetwork::Local => 0,
        ClientNetwork::Network(std::net::IpAddr::V4(v4)) => v4.octets()[3],
        ClientNetwork::Network(_) => 255,
    };
    claim[0] = from;
    claim[1] = u8::try_from(name).unwrap();
    claim[2..6].copy_from_slice(&password.to_le_bytes());
    AttemptKey { network: origin, name, claim }
}

fn throttle() -> (Throttle, Instant) {
    let now = Instant::now();
    (Throttle::new(MAX_FAILURES, now), now)
}

/// Fails with that many different passwords.
fn fail(throttle: &mut Throttle, origin: ClientNetwork, name: u64, times: usize, now: Instant) {
    for password in 1000..1000 + u32::try_from(times).unwrap() {
        throttle.failed(&claim(origin, name, password), now);
    }
}

#[test]
fn delays_double_as_nextclouds_and_then_the_network_is_refused() {
    let (mut throttle, now) = throttle();
    let mut rulings = Vec::new();
    for failures in 0..=MAX_FAILURES {
        let who = claim(network(1), 1, u32::try_from(failures).unwrap());
        let ruling = throttle.rule(&who, now);
        if matches!(ruling, ThrottleDecision::Wait(_)) {
            throttle.delay_ended(&who);
        }
        rulings.push(ruling);
        throttle.failed(&who, now);
    }
    let wait = |millis| ThrottleDecision::Wait(Duration::from_millis(millis));
    let delays = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_000, 25_000].map(wait);
    assert_eq!(rulings[0], ThrottleDecision::Allow);
    assert_eq!(rulings[1..10], delays);
    assert_eq!(rulings[10], ThrottleDecision::Refuse(WINDOW));
}

#[test]
fn a_refused_network_stays_refused_until_the_window_has_passed() {
    let (mut throttle, now) = throttle();
    fail(&mut throttle, network(1), 1, MAX_FAILURES, now);
    let other_user = claim(network(1), 2, 1);
    let almost = now + WINDOW - SECOND;
    assert_eq!(throttle.rule(&other_user, almost), ThrottleDecision::Refuse(SECOND));
    assert!(!throttle.allows(network(1), almost));
    assert_eq!(throttle.rule(&other_user, now + WINDOW), ThrottleDecision::Allow);
    assert!(throttle.allows(network(1), now + WINDOW));
}

#[test]
fn other_networks_are_not_affected() {
    let (mut throttle, now) = throttle();
    fail(&mut throttle, network(1), 1, MAX_FAILURES, now);
    assert_eq!(throttle.rule(&claim(network(2), 2, 1), now), ThrottleDecision::Allow);
}

#[test]
fn a_claim_that_was_right_passes_a_refused_network_until_it_fails() {
    let (mut throttle, now) = throttle();
    let known = claim(network(1), 2, 1);
    throttle.succeeded(&known, now);
    fail(&mut throttle, network(1), 1, MAX_FAILURES, now);
    assert_eq!(throttle.rule(&known, now), ThrottleDecision::Allow);
    // The same user with another password is unknown.
    assert!(matches!(throttle.rule(&claim(network(1), 2, 9), now), ThrottleDecision::Refuse(_)));
    throttle.failed(&known, now + SECOND);
    assert_eq!(throttle.rule(&known, now + SECOND), ThrottleDecision::KnownWrong);
}

#[test]
fn a_claim_that_was_right_long_ago_is_no_longer_known() {
    let (mut throttle, now) = throttle();
    let known = claim(network(1), 2, 1);
    throttle.succeeded(&known, now);
    assert!(throttle.right.contains(&known.claim, now + RIGHT_CLAIM_LIFETIME - SECOND));
    let later = now + 2 * RIGHT_CLAIM_LIFETIME;
    fail(&mut throttle, network(1), 1, MAX_FAILURES, later);
    assert!(matches!(throttle.rule(&known, later), ThrottleDecision::Refuse(_)));
}

#[test]
fn a_looping_client_is_answered_from_memory_and_counts_once() {
    let (mut throttle, now) = throttle();
    let looping = claim(network(1), 1, 1);
    throttle.failed(&looping, now);
    for second in 0..WRONG_CLAIM_LIFETIME.as_secs() {
        let now = now + Duration::from_secs(second);
        assert_eq!(throttle.rule(&looping, now), ThrottleDecision::KnownWrong);
    }
    let later = now + WRONG_CLAIM_LIFETIME;
    assert_eq!(throttle.rule(&looping, later), ThrottleDecision::Wait(Duration::from_millis(200)));
}

#[test]
fn after_a_success_of_the_same_user_wrong_claims_are_checked_again() {
    let (mut throttle, now) = throttle();
    let disabled_then = claim(network(1), 1, 1);
    throttle.failed(&disabled_then, now);
    throttle.succeeded(&claim(network(2), 1, 2), now + SECOND);
    assert_eq!(
        throttle.rule(&disabled_then, now + SECOND),
        ThrottleDecision::KnownWrong,
        "elsewhere"
    );
    throttle.succeeded(&claim(network(1), 1, 2), now + SECOND);
    assert_eq!(throttle.rule(&disabled_then, now + SECOND), ThrottleDecision::Allow);
    throttle.failed(&disabled_then, now + 2 * SECOND);
    assert_eq!(throttle.rule(&disabled_then, now + 2 * SECOND), ThrottleDecision::KnownWrong);
}

#[test]
fn a_success_takes_back_only_the_failures_of_its_user() {
    let (mut throttle, now) = throttle();
    fail(&mut throttle, network(1), 1, 5, now);
    fail(&mut throttle, network(1), 2, 4, now);
    throttle.succeeded(&claim(network(1), 1, 1), now);
    let next = claim(network(1), 3, 1);
    assert_eq!(throttle.rule(&next, now), ThrottleDecision::Wait(Duration::from_millis(1600)));
}

#[test]
fn a_client_that_reconnects_gives_no_client_new_tries() {
    let (mut throttle, now) = throttle();
    let known = claim(network(1), 1, 1);
    throttle.succeeded(&known, now);
    fail(&mut throttle, network(1), 1, MAX_FAILURES, now);
    throttle.succeeded(&known, now);
    assert!(!throttle.allows(network(1), now));
}

#[test]
fn a_name_that_fails_from_many_networks_is_delayed_but_never_refused() {
    let (mut throttle, now) = throttle();
    for last in 1..=9 {
        fail(&mut throttle, network(last), 1, 1, now);
    }
    let user = claim(network(200), 1, 1);
    assert_eq!(throttle.rule(&user, now), ThrottleDecision::Allow);
    for last in 10..=100 {
        fail(&mut throttle, network(last), 1, 9, now);
    }
    assert_eq!(throttle.rule(&user, now), ThrottleDecision::Wait(MAX_NAME_DELAY));
    throttle.delay_ended(&user);
    throttle.succeeded(&user, now);
    assert_eq!(throttle.rule(&user, now), ThrottleDecision::Allow, "known now");
    assert_eq!(
        throttle.rule(&claim(network(200), 2, 1), now),
        ThrottleDecision::Allow,
        "another name"
    );
}

#[test]
fn where_networks_look_alike_only_the_name_waits() {
    let (mut throttle, now) = throttle();
    fail(&mut throttle, ClientNetwork::Local, 1, 50, now);
    assert!(throttle.allows(ClientNetwork::Local, now));
    for password in 0..MAX_DELAYED_LOCAL {
        let who = claim(ClientNetwork::Local, 1, u32::try_from(password).unwrap());
        assert_eq!(throttle.rule(&who, now), ThrottleDecision::Wait(LAST_DELAY));
    }
    let one_more = claim(ClientNetwork::Local, 1, 99);
    assert_eq!(throttle.rule(&one_more, now), ThrottleDecision::Refuse(LAST_DELAY));
    throttle.delay_ended(&one_more);
    assert_eq!(throttle.rule(&one_more, now), ThrottleDecision::Wait(LAST_DELAY));
    assert_eq!(throttle.rule(&claim(ClientNetwork::Local, 2, 1), now), ThrottleDecision::Allow);
}

#[derive(Debug, Clone)]
enum ThrottleStep {
    Try { origin: u8, name: u64, password: u32, right: bool },
    Later(u64),
}

fn step() -> impl Strategy<Value = ThrottleStep> {
    prop_oneof![
        4 => (0u8..3, 0u64..3, 0u32..40, prop::bool::weighted(0.1))
            .prop_map(|(origin, name, password, right)| ThrottleStep::Try { origin, name, password, right }),
        1 => (0u64..600).prop_map(ThrottleStep::Later),
    ]
}

proptest! {
    /// As strict as Nextcloud whatever happens: no network has more than ten failures within a
    /// window, those taken back by a first success of the same user aside; and no network is held
    /// up by another's failures beyond the delay of a name.
    #[test]
    fn no_network_guesses_more_than_allowed(steps in prop::collection::vec(step(), 0..300)) {
        let (mut throttle, mut now) = throttle();
        let mut failed: Vec<(u8, u64, Instant)> = Vec::new();
        for step in steps {
            let (origin, name, password, right) = match step {
                ThrottleStep::Later(seconds) => { now += Duration::from_secs(seconds); continue }
                ThrottleStep::Try { origin, name, password, right } => (origin, name, password, right),
            };
            let who = claim(network(origin), name, password);
            let known = throttle.right.contains(&who.claim, now);
            let failures = failed.iter().filter(|(o, _, at)| *o == origin && now < *at + WINDOW).count();
            match throttle.rule(&who, now) {
                ThrottleDecision::Refuse(later) => {
                    prop_assert!(later <= WINDOW && failures >= MAX_FAILURES);
                    continue;
                }
                ThrottleDecision::KnownWrong => continue,
                ThrottleDecision::Allow => (),
                ThrottleDecision::Wait(delay) => {
                    prop_assert!(failures > 0 || delay <= MAX_NAME_DELAY);
                    throttle.delay_ended(&who);
                }
            }
            prop_assert!(failures < MAX_FAILURES || known);
            if right {
                throttle.succeeded(&who, now);
                failed.retain(|(o, n, _)| known || (*o, *n) != (origin, name));
            } else {
                throttle.failed(&who, now);
                failed.push((origin, name, now));
            }
        }
        prop_assert!(throttle.delayed.is_empty());
    }
}

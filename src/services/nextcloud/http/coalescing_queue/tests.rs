//! The queue: once for each claim, in turn, places and answers kept, bounded.

use super::{
    CoalescingQueue, JoinOutcome, MAX_WAITERS_PER_CLAIM, MAX_WAITING, POSITION_TTL,
    PROGRESS_WINDOW, UNDELIVERED_TTL,
};
use crate::{server::client_address::ClientNetwork, services::nextcloud::login::ClaimFingerprint};
use std::time::Duration;
use tokio::{sync::oneshot::Receiver, time::Instant};

type TestQueue = CoalescingQueue<u32, &'static str>;

fn print(claim: u32) -> ClaimFingerprint {
    let mut print = ClaimFingerprint::default();
    print[..4].copy_from_slice(&claim.to_le_bytes());
    print
}

fn from(last: u8) -> ClientNetwork {
    ClientNetwork::Network([192, 0, 2, last].into())
}

fn join(
    queue: &mut TestQueue,
    claim: u32,
    origin: ClientNetwork,
    now: Instant,
) -> Receiver<&'static str> {
    match queue.join(print(claim), origin, claim, now) {
        JoinOutcome::Waits { answer, .. } => answer,
        JoinOutcome::Answered(_) | JoinOutcome::Full => panic!("{claim} does not wait"),
    }
}

fn next(queue: &mut TestQueue, now: Instant) -> Option<u32> {
    queue.next(now).map(|(_, claim)| claim)
}

#[test]
fn as_many_are_started_as_may_ask_at_once_and_not_one_more() {
    let (mut queue, now) = (TestQueue::new(2), Instant::now());
    let started = |queue: &mut TestQueue, claim| {
        matches!(
            queue.join(print(claim), ClientNetwork::Local, claim, now),
            JoinOutcome::Waits { start: true, .. }
        )
    };
    let starts: Vec<_> = (0..4).map(|claim| started(&mut queue, claim)).collect();
    assert_eq!(starts, [true, true, false, false]);
    // Nobody waits for the answers: both leave, and the next to come starts one anew.
    assert_eq!((next(&mut queue, now), next(&mut queue, now)), (None, None));
    assert!(started(&mut queue, 9));
}

#[test]
fn the_same_claim_is_asked_about_once_for_all_who_make_it() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let mut early = join(&mut queue, 1, ClientNetwork::Local, now);
    let mut second = join(&mut queue, 1, ClientNetwork::Local, now);
    assert_eq!(next(&mut queue, now), Some(1));
    let mut late = join(&mut queue, 1, ClientNetwork::Local, now);
    assert_eq!(next(&mut queue, now), None);
    queue.answered(print(1), &"yes", true, now);
    for answer in [&mut early, &mut second, &mut late] {
        assert_eq!(answer.try_recv(), Ok("yes"));
    }
}

#[test]
fn who_left_is_not_asked_about_and_finds_the_old_place() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let leaver = join(&mut queue, 1, ClientNetwork::Local, now);
    let _second = join(&mut queue, 2, ClientNetwork::Local, now);
    let _third = join(&mut queue, 3, ClientNetwork::Local, now);
    drop(leaver);
    assert_eq!(next(&mut queue, now), Some(2));
    let back = now + POSITION_TTL - Duration::from_secs(1);
    let _back = join(&mut queue, 1, ClientNetwork::Local, back);
    assert_eq!((next(&mut queue, back), next(&mut queue, back)), (Some(1), Some(3)));
}

#[test]
fn a_place_is_not_kept_for_ever() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    drop(join(&mut queue, 1, ClientNetwork::Local, now));
    assert_eq!(next(&mut queue, now), None);
    let _other = join(&mut queue, 2, ClientNetwork::Local, now);
    let _late = join(&mut queue, 1, ClientNetwork::Local, now + POSITION_TTL);
    assert_eq!(next(&mut queue, now + POSITION_TTL), Some(2));
}

#[test]
fn an_undelivered_answer_is_kept_for_the_client_and_given_once() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let leaver = join(&mut queue, 1, ClientNetwork::Local, now);
    assert_eq!(next(&mut queue, now), Some(1));
    drop(leaver);
    queue.answered(print(1), &"yes", true, now);
    let back = now + UNDELIVERED_TTL - Duration::from_secs(1);
    let joined = queue.join(print(1), ClientNetwork::Local, 1, back);
    assert!(matches!(joined, JoinOutcome::Answered("yes")));
    let _again = join(&mut queue, 1, ClientNetwork::Local, back);
    assert_eq!(next(&mut queue, back), Some(1));
}

#[test]
fn an_answer_that_was_taken_or_is_not_real_is_not_kept() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let _taken = join(&mut queue, 1, ClientNetwork::Local, now);
    queue.next(now);
    queue.answered(print(1), &"yes", true, now);
    let _asked_again = join(&mut queue, 1, ClientNetwork::Local, now);

    drop(join(&mut queue, 2, ClientNetwork::Local, now));
    queue.answered(print(2), &"unavailable", false, now);
    let _asked_again = join(&mut queue, 2, ClientNetwork::Local, now);
}

#[test]
fn many_clients_at_one_address_do_not_delay_the_others() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let _waiters: Vec<_> = (0..100).map(|claim| join(&mut queue, claim, from(1), now)).collect();
    let _other = join(&mut queue, 1000, from(2), now);
    assert_eq!((next(&mut queue, now), next(&mut queue, now)), (Some(0), Some(1000)));
}

#[test]
fn a_full_line_takes_in_no_more_than_it_holds() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let full = u32::try_from(MAX_WAITING).unwrap();
    let mut waiters: Vec<_> =
        (0..full).map(|claim| join(&mut queue, claim, from(1), now)).collect();
    assert!(matches!(queue.join(print(full), from(1), full, now), JoinOutcome::Full));
    assert_eq!(queue.waiting(), MAX_WAITING);

    // Somebody from elsewhere: the last of the waiters gives way.
    let _other = join(&mut queue, full + 1, from(2), now);
    assert_eq!(queue.waiting(), MAX_WAITING);
    assert!(
        waiters
            .pop()
            .unwrap()
            .try_recv()
            .is_err_and(|e| e == tokio::sync::oneshot::error::TryRecvError::Closed)
    );

    // Those who leave make room, a second later at the latest.
    waiters.truncate(10);
    let _more = join(&mut queue, full + 2, from(1), now + super::SWEEP_INTERVAL);
    assert_eq!(queue.waiting(), 12);
}

#[test]
fn one_claim_is_shared_by_so_many_and_no_more() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    let mut waiters: Vec<_> = (0..MAX_WAITERS_PER_CLAIM)
        .map(|_| join(&mut queue, 1, ClientNetwork::Local, now))
        .collect();
    assert!(matches!(queue.join(print(1), ClientNetwork::Local, 1, now), JoinOutcome::Full));
    waiters.pop();
    let _room_again = join(&mut queue, 1, ClientNetwork::Local, now);
}

#[test]
fn the_line_moves_while_there_are_answers() {
    let (mut queue, now) = (TestQueue::new(1), Instant::now());
    assert!(!queue.is_progressing(now));
    queue.answered(print(1), &"yes", true, now);
    queue.answered(print(1), &"unavailable", false, now + PROGRESS_WINDOW);
    assert!(queue.is_progressing(now + PROGRESS_WINDOW));
    assert!(!queue.is_progressing(now + PROGRESS_WINDOW + Duration::from_secs(1)));
}

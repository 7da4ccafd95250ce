//! The line: once for each claim, in turn, places and answers kept, bounded.

use super::{ANSWER_KEPT, Joined, Line, MAX_SHARING, MAX_WAITING, PLACE_KEPT, STILL_MOVING};
use crate::{server::client_address::Origin, services::nextcloud::login::Fingerprint};
use std::time::Duration;
use tokio::{sync::oneshot::Receiver, time::Instant};

type Questions = Line<u32, &'static str>;

fn print(claim: u32) -> Fingerprint {
    let mut print = Fingerprint::default();
    print[..4].copy_from_slice(&claim.to_le_bytes());
    print
}

fn from(last: u8) -> Origin {
    Origin::Network([192, 0, 2, last].into())
}

fn join(line: &mut Questions, claim: u32, origin: Origin, now: Instant) -> Receiver<&'static str> {
    match line.join(print(claim), origin, claim, now) {
        Joined::Waits { answer, .. } => answer,
        Joined::Answered(_) | Joined::Full => panic!("{claim} does not wait"),
    }
}

fn next(line: &mut Questions, now: Instant) -> Option<u32> {
    line.next(now).map(|(_, claim)| claim)
}

#[test]
fn as_many_are_started_as_may_ask_at_once_and_not_one_more() {
    let (mut line, now) = (Questions::new(2), Instant::now());
    let started = |line: &mut Questions, claim| {
        matches!(
            line.join(print(claim), Origin::Local, claim, now),
            Joined::Waits { start: true, .. }
        )
    };
    let starts: Vec<_> = (0..4).map(|claim| started(&mut line, claim)).collect();
    assert_eq!(starts, [true, true, false, false]);
    // Nobody waits for the answers: both leave, and the next to come starts one anew.
    assert_eq!((next(&mut line, now), next(&mut line, now)), (None, None));
    assert!(started(&mut line, 9));
}

#[test]
fn the_same_claim_is_asked_about_once_for_all_who_make_it() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let mut early = join(&mut line, 1, Origin::Local, now);
    let mut second = join(&mut line, 1, Origin::Local, now);
    assert_eq!(next(&mut line, now), Some(1));
    let mut late = join(&mut line, 1, Origin::Local, now);
    assert_eq!(next(&mut line, now), None);
    line.answered(print(1), &"yes", true, now);
    for answer in [&mut early, &mut second, &mut late] {
        assert_eq!(answer.try_recv(), Ok("yes"));
    }
}

#[test]
fn who_left_is_not_asked_about_and_finds_the_old_place() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let leaver = join(&mut line, 1, Origin::Local, now);
    let _second = join(&mut line, 2, Origin::Local, now);
    let _third = join(&mut line, 3, Origin::Local, now);
    drop(leaver);
    assert_eq!(next(&mut line, now), Some(2));
    let back = now + PLACE_KEPT - Duration::from_secs(1);
    let _back = join(&mut line, 1, Origin::Local, back);
    assert_eq!((next(&mut line, back), next(&mut line, back)), (Some(1), Some(3)));
}

#[test]
fn a_place_is_not_kept_for_ever() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    drop(join(&mut line, 1, Origin::Local, now));
    assert_eq!(next(&mut line, now), None);
    let _other = join(&mut line, 2, Origin::Local, now);
    let _late = join(&mut line, 1, Origin::Local, now + PLACE_KEPT);
    assert_eq!(next(&mut line, now + PLACE_KEPT), Some(2));
}

#[test]
fn an_answer_that_nobody_took_waits_for_the_client_and_is_given_once() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let leaver = join(&mut line, 1, Origin::Local, now);
    assert_eq!(next(&mut line, now), Some(1));
    drop(leaver);
    line.answered(print(1), &"yes", true, now);
    let back = now + ANSWER_KEPT - Duration::from_secs(1);
    let joined = line.join(print(1), Origin::Local, 1, back);
    assert!(matches!(joined, Joined::Answered("yes")));
    let _again = join(&mut line, 1, Origin::Local, back);
    assert_eq!(next(&mut line, back), Some(1));
}

#[test]
fn an_answer_that_was_taken_or_is_not_real_is_not_kept() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let _taken = join(&mut line, 1, Origin::Local, now);
    line.next(now);
    line.answered(print(1), &"yes", true, now);
    let _asked_again = join(&mut line, 1, Origin::Local, now);

    drop(join(&mut line, 2, Origin::Local, now));
    line.answered(print(2), &"unavailable", false, now);
    let _asked_again = join(&mut line, 2, Origin::Local, now);
}

#[test]
fn a_crowd_at_one_address_does_not_hold_up_the_others() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let _crowd: Vec<_> = (0..100).map(|claim| join(&mut line, claim, from(1), now)).collect();
    let _other = join(&mut line, 1000, from(2), now);
    assert_eq!((next(&mut line, now), next(&mut line, now)), (Some(0), Some(1000)));
}

#[test]
fn a_full_line_takes_in_no_more_than_it_holds() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let full = u32::try_from(MAX_WAITING).unwrap();
    let mut crowd: Vec<_> = (0..full).map(|claim| join(&mut line, claim, from(1), now)).collect();
    assert!(matches!(line.join(print(full), from(1), full, now), Joined::Full));
    assert_eq!(line.waiting(), MAX_WAITING);

    // Somebody from elsewhere: the last of the crowd gives way.
    let _other = join(&mut line, full + 1, from(2), now);
    assert_eq!(line.waiting(), MAX_WAITING);
    assert!(
        crowd
            .pop()
            .unwrap()
            .try_recv()
            .is_err_and(|e| e == tokio::sync::oneshot::error::TryRecvError::Closed)
    );

    // Those who leave make room, a second later at the latest.
    crowd.truncate(10);
    let _more = join(&mut line, full + 2, from(1), now + super::SWEEP_PAUSE);
    assert_eq!(line.waiting(), 12);
}

#[test]
fn one_claim_is_shared_by_so_many_and_no_more() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    let mut crowd: Vec<_> =
        (0..MAX_SHARING).map(|_| join(&mut line, 1, Origin::Local, now)).collect();
    assert!(matches!(line.join(print(1), Origin::Local, 1, now), Joined::Full));
    crowd.pop();
    let _room_again = join(&mut line, 1, Origin::Local, now);
}

#[test]
fn the_line_moves_while_there_are_answers() {
    let (mut line, now) = (Questions::new(1), Instant::now());
    assert!(!line.moves(now));
    line.answered(print(1), &"yes", true, now);
    line.answered(print(1), &"unavailable", false, now + STILL_MOVING);
    assert!(line.moves(now + STILL_MOVING));
    assert!(!line.moves(now + STILL_MOVING + Duration::from_secs(1)));
}

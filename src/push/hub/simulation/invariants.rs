//! What the promises are, one by one.

use super::{
    harness::SimulationHarness,
    wire::{received, says},
};
use crate::{
    push::{
        hub::{
            command::{NoticeAudience, NoticeBody, NotifyCommand},
            context::HubLimits,
            rate_limiter::FanOut,
        },
        notice::{ChangedIds, TopicId},
        session::CloseReason,
    },
    websocket::frame::Frame,
};
use std::sync::Arc;
use tokio::time::Instant;

#[test]
fn the_first_change_leaves_after_the_merge_window() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    assert_eq!(received(&alice), ["hello"]);
    harness.change("alice", 0, None);
    harness.until(99);
    assert!(received(&alice).is_empty());
    harness.until(100);
    assert_eq!(received(&alice), ["t0"]);
}

#[test]
fn a_steady_stream_starves_nobody() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    for step in 1..=150 {
        harness.change("alice", 0, None);
        harness.until(step * 200);
    }
    let notified = received(&alice).len();
    assert!((18..=60).contains(&notified), "{notified} messages in 30 s");
}

#[test]
fn known_ids_are_told_to_those_who_asked_and_only_to_them() {
    let mut harness = SimulationHarness::new(0);
    let asked = harness.join_sending("alice", &says(0x81, b"listen ids"));
    let plain = harness.join("alice");
    harness.change("alice", 0, Some(459));
    harness.change("alice", 0, Some(188));
    harness.until(150);
    assert_eq!(received(&asked), ["hello", "t0 [459, 188]"]);
    assert_eq!(received(&plain), ["hello", "t0"]);
}

#[test]
fn a_recipient_may_have_so_many_sessions_and_no_more() {
    let mut harness = SimulationHarness::new(0);
    let _kept = [harness.join("alice"), harness.join("alice"), harness.join("alice")];
    let fourth = harness.join("alice");
    assert_eq!(received(&fourth), ["err: TooMany", "close 1012"]);
    assert_eq!(received(&harness.join("bob")), ["hello"]);
}

#[test]
fn opaque_messages_keep_their_order_through_a_full_socket() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    alice.0.borrow_mut().room = Some(10);
    for n in 0..50 {
        harness.notify("alice", NoticeBody::Frame(Frame::text(&format!("m{n}"))));
    }
    alice.0.borrow_mut().room = None;
    harness.shard.writable(0, harness.now);
    let expected: Vec<_> =
        std::iter::once("hello".into()).chain((0..50).map(|n| format!("m{n}"))).collect();
    assert_eq!(received(&alice), expected);
}

#[test]
fn a_client_that_does_not_read_is_closed_once_its_mailbox_is_full() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    alice.0.borrow_mut().room = Some(3);
    for n in 0..1000 {
        harness.notify("alice", NoticeBody::Frame(Frame::text(&format!("message {n}"))));
    }
    alice.0.borrow_mut().room = None;
    harness.shard.writable(0, harness.now);
    assert_eq!(received(&alice), ["message 0", "close 1013"]);
    harness.until(6000);
    assert_eq!(harness.ends(), [CloseReason::Slow]);
}

#[test]
fn a_socket_that_takes_nothing_for_five_seconds_is_aborted() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    alice.0.borrow_mut().room = Some(0);
    harness.notify("alice", NoticeBody::Frame(Frame::text("x")));
    harness.until(4999);
    assert!(harness.ends().is_empty());
    harness.until(5000);
    assert_eq!(harness.ends(), [CloseReason::Slow]);
    assert!(alice.0.borrow().aborted);
}

#[test]
fn changes_wait_merged_while_the_socket_is_full() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    alice.0.borrow_mut().room = Some(1);
    harness.notify("alice", NoticeBody::Frame(Frame::text("x")));
    for _ in 0..1000 {
        harness.change("alice", 1, None);
    }
    harness.until(3000);
    alice.0.borrow_mut().room = None;
    harness.shard.writable(0, harness.now);
    assert_eq!(received(&alice), ["x", "t1"]);
}

#[test]
fn silence_is_pinged_and_then_ends() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    harness.until(30_000);
    assert_eq!(received(&alice), ["ping"]);
    alice.0.borrow_mut().inbound = says(0x8a, b"");
    harness.shard.readable(0, harness.now);
    harness.until(59_999);
    assert!(received(&alice).is_empty());
    harness.until(75_000);
    assert_eq!(received(&alice), ["ping"]);
    assert_eq!(harness.ends(), [CloseReason::Silent]);
}

#[test]
fn an_unsolicited_pong_is_legal_and_a_ping_is_answered() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    alice.0.borrow_mut().inbound = [says(0x8a, b"hi"), says(0x89, b"yo")].concat();
    harness.shard.readable(0, harness.now);
    assert_eq!(received(&alice), ["hello", "pong"]);
}

#[test]
fn a_close_is_answered_and_the_client_leaves() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    alice.0.borrow_mut().inbound = says(0x88, &1000_u16.to_be_bytes());
    harness.shard.readable(0, harness.now);
    assert_eq!(received(&alice), ["close 1000"]);
    assert!(alice.0.borrow().finished);
    alice.0.borrow_mut().gone = true;
    harness.shard.readable(0, harness.now);
    assert_eq!(harness.ends().len(), 1);
}

#[test]
fn broken_frames_end_the_session_with_their_code() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    alice.0.borrow_mut().inbound = vec![0x81, 0x01, b'x'];
    harness.shard.readable(0, harness.now);
    assert_eq!(received(&alice), ["hello", "close 1002"]);
}

#[test]
fn a_crowd_is_told_a_hundred_at_once_and_then_at_the_rate() {
    let mut harness = SimulationHarness::new(1000);
    let sockets: Vec<_> = (0..1100).map(|n| harness.join(&format!("u{n}"))).collect();
    sockets.iter().for_each(|socket| drop(received(socket)));
    let all = (0..1100).map(|n| format!("u{n}").into()).collect();
    let notify = NotifyCommand {
        audience: NoticeAudience::Many(all),
        what: NoticeBody::Change(TopicId(0), ChangedIds::Unknown),
        received_at: 0,
        at: Instant::now(),
        fan_out: Some(Arc::default()),
    };
    harness.shard.notify(&notify, 0);
    let notified = |harness: &mut SimulationHarness, at| {
        harness.until(at);
        sockets.iter().filter(|socket| !received(socket).is_empty()).count()
    };
    assert_eq!(notified(&mut harness, 100), 100);
    assert_eq!(notified(&mut harness, 600), 500);
    assert_eq!(notified(&mut harness, 1100), 500);
}

#[test]
fn after_a_gap_everyone_is_told_everything_within_the_spread() {
    let mut harness = SimulationHarness::new(0);
    let sockets: Vec<_> = (0..50).map(|n| harness.join(&format!("u{n}"))).collect();
    sockets.iter().for_each(|socket| drop(received(socket)));
    harness.shard.gap(3000, &FanOut::default(), 0);
    harness.until(1500);
    let early = sockets.iter().filter(|socket| !received(socket).is_empty()).count();
    assert!((10..=40).contains(&early), "{early}");
    harness.until(3000);
    assert!(sockets.iter().all(|socket| matches!(received(socket).len(), 0 | 3)));
    assert!(harness.shard.next_deadline().is_some_and(|at| at >= 30_000));
}

#[test]
fn a_drain_sees_everyone_off_within_its_time_and_lets_nobody_in() {
    let mut harness = SimulationHarness::new(0);
    let sockets: Vec<_> = (0..40).map(|n| harness.join(&format!("u{n}"))).collect();
    harness.shard.drain(0, 2000);
    harness.until(1000);
    let early = harness.shard.list(0, 100).len();
    assert!((5..=35).contains(&early), "{early}");
    harness.until(8000);
    assert!(harness.shard.is_done());
    for socket in &sockets {
        assert_eq!(received(socket), ["hello", "close 1012"]);
    }
    assert_eq!(received(&harness.join("late")), ["err: TryLater", "close 1012"]);
}

#[test]
fn a_session_ends_when_its_connection_time_is_over() {
    let mut harness = SimulationHarness::with(
        0,
        HubLimits { per_recipient: 3, max_connection: Some(10_000), subscriptions: 0 },
    );
    let alice = harness.join("alice");
    harness.until(10_000);
    assert_eq!(received(&alice), ["hello", "close 1000"]);
}

#[test]
fn a_revoked_session_is_told_why() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    let id = harness.shard.list(0, 10)[0].id;
    harness.shard.close(id, CloseReason::Revoked, harness.now);
    assert_eq!(received(&alice), ["hello", "err: Revoked", "close 4401"]);
}

#[test]
fn an_id_of_a_client_that_left_closes_nobody_else() {
    let mut harness = SimulationHarness::new(0);
    let first = harness.join("alice");
    let id = harness.shard.list(0, 10)[0].id;
    first.0.borrow_mut().gone = true;
    harness.shard.readable(0, harness.now);
    let second = harness.join("bob");
    harness.shard.close(id, CloseReason::Revoked, harness.now);
    assert_eq!(received(&second), ["hello"]);
}

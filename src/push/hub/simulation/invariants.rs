//! What the hub guarantees its clients, one guarantee at a time.

use super::{
    harness::SimulationHarness,
    wire::{client_frame, received},
};
use crate::{
    push::{
        hub::{backlog_memory::CLIENT_BACKLOG_BYTES, command::ShardCommand, context::HubLimits},
        notice::{ChangedIds, Notice, NoticeAudience, TopicId},
        session::CloseReason,
    },
    websocket::frame::Frame,
};

#[test]
fn the_first_change_is_sent_after_the_merge_window() {
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
fn a_steady_stream_of_changes_starves_no_client() {
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
fn ids_are_sent_only_to_clients_that_asked_for_them() {
    let mut harness = SimulationHarness::new(0);
    let with_ids = harness.join_sending("alice", &client_frame(0x81, b"listen ids"));
    let plain = harness.join("alice");
    harness.change("alice", 0, Some(459));
    harness.change("alice", 0, Some(188));
    harness.until(150);
    assert_eq!(received(&with_ids), ["hello", "t0 [459, 188]"]);
    assert_eq!(received(&plain), ["hello", "t0"]);
}

#[test]
fn sessions_of_one_recipient_are_limited() {
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
        harness.notify_one("alice", Notice::Opaque(Frame::text(&format!("m{n}"))));
    }
    alice.0.borrow_mut().room = None;
    harness.shard.writable(0, harness.now);
    let expected: Vec<_> =
        std::iter::once("hello".into()).chain((0..50).map(|n| format!("m{n}"))).collect();
    assert_eq!(received(&alice), expected);
}

#[test]
fn a_client_that_does_not_read_is_closed_once_its_backlog_is_full() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    alice.0.borrow_mut().room = Some(3);
    let text = "x".repeat(90_000);
    for _ in 0..CLIENT_BACKLOG_BYTES / text.len() + 1 {
        harness.notify_one("alice", Notice::Opaque(Frame::text(&text)));
    }
    assert!(harness.memory.used() < 2 * text.len());
    alice.0.borrow_mut().room = None;
    harness.shard.writable(0, harness.now);
    assert_eq!(received(&alice), [text, "close 1013".to_owned()]);
    harness.until(6000);
    assert_eq!(harness.ends(), [CloseReason::Slow]);
    assert_eq!(harness.memory.used(), 0);
}

#[test]
fn a_client_that_reads_steadily_receives_everything_however_much_waits_for_an_instant() {
    const BYTES_PER_TICK: usize = 100_000;
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    alice.0.borrow_mut().room = Some(0);
    let long = (0..10).map(|n| n.to_string().repeat(90_000));
    let texts: Vec<String> = long.chain((0..7_000).map(|n| format!("message {n}"))).collect();
    for text in &texts {
        harness.notify_one("alice", Notice::Opaque(Frame::text(text)));
    }
    // As over 8 Mbit/s.
    while harness.memory.used() > 0 {
        harness.until(harness.now + 100);
        alice.0.borrow_mut().room = Some(BYTES_PER_TICK);
        harness.shard.writable(0, harness.now);
        assert!(harness.now < 60_000 && harness.ends().is_empty(), "{:?}", harness.ends());
    }
    assert_eq!(received(&alice), texts);
}

#[test]
fn a_socket_that_accepts_nothing_for_five_seconds_is_aborted() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    alice.0.borrow_mut().room = Some(0);
    harness.notify_one("alice", Notice::Opaque(Frame::text("x")));
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
    harness.notify_one("alice", Notice::Opaque(Frame::text("x")));
    for _ in 0..1000 {
        harness.change("alice", 1, None);
    }
    harness.until(3000);
    alice.0.borrow_mut().room = None;
    harness.shard.writable(0, harness.now);
    assert_eq!(received(&alice), ["x", "t1"]);
}

#[test]
fn a_silent_client_is_pinged_and_then_closed() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    harness.until(30_000);
    assert_eq!(received(&alice), ["ping"]);
    harness.receive(0, &alice, &client_frame(0x8a, b""));
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
    harness.receive(0, &alice, &[client_frame(0x8a, b"hi"), client_frame(0x89, b"yo")].concat());
    assert_eq!(received(&alice), ["hello", "pong"]);
}

#[test]
fn a_close_is_answered_and_the_client_leaves() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    received(&alice);
    harness.receive(0, &alice, &client_frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(received(&alice), ["close 1000"]);
    assert!(alice.0.borrow().finished);
    harness.hang_up(0, &alice);
    assert_eq!(harness.ends().len(), 1);
}

#[test]
fn broken_frames_end_the_session_with_their_code() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    harness.receive(0, &alice, &[0x81, 0x01, b'x']);
    assert_eq!(received(&alice), ["hello", "close 1002"]);
}

#[test]
fn a_fan_out_notifies_a_hundred_at_once_and_then_at_the_rate() {
    let mut harness = SimulationHarness::new(1000);
    let sockets: Vec<_> = (0..1100).map(|n| harness.join(&format!("u{n}"))).collect();
    sockets.iter().for_each(|socket| drop(received(socket)));
    let all = (0..1100).map(|n| format!("u{n}").into()).collect();
    let change = Notice::Change { topic: TopicId(0), ids: ChangedIds::Unknown };
    harness.notify(NoticeAudience::Many(all), change);
    let notified = |harness: &mut SimulationHarness, at| {
        harness.until(at);
        sockets.iter().filter(|socket| !received(socket).is_empty()).count()
    };
    assert_eq!(notified(&mut harness, 100), 100);
    assert_eq!(notified(&mut harness, 600), 500);
    assert_eq!(notified(&mut harness, 1100), 500);
}

#[test]
fn after_a_gap_clients_without_changes_receive_nothing() {
    let mut harness = SimulationHarness::new(0);
    let (without, other) = (harness.join("without changes"), harness.join("other"));
    [&without, &other].into_iter().for_each(|socket| drop(received(socket)));
    harness.gap(3000);
    harness.until(3000);
    assert_eq!((received(&without).len(), received(&other).len()), (0, 3));
}

#[test]
fn after_a_gap_every_client_is_notified_of_every_topic_within_the_spread() {
    let mut harness = SimulationHarness::new(0);
    let sockets: Vec<_> = (0..50).map(|n| harness.join(&format!("u{n}"))).collect();
    sockets.iter().for_each(|socket| drop(received(socket)));
    harness.gap(3000);
    harness.until(1500);
    let early = sockets.iter().filter(|socket| !received(socket).is_empty()).count();
    assert!((10..=40).contains(&early), "{early}");
    harness.until(3000);
    assert!(sockets.iter().all(|socket| matches!(received(socket).len(), 0 | 3)));
    assert!(harness.shard.next_deadline().is_some_and(|at| at >= 30_000));
}

#[test]
fn a_drain_closes_all_sessions_within_its_time_and_admits_no_client() {
    let mut harness = SimulationHarness::new(0);
    let sockets: Vec<_> = (0..40).map(|n| harness.join(&format!("u{n}"))).collect();
    harness.shard.drain(0, 2000);
    harness.until(1000);
    let early = harness.list().len();
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
        HubLimits {
            per_recipient: 3,
            max_connection: Some(10_000),
            subscriptions: 0,
            subscription_bytes: usize::MAX,
        },
    );
    let alice = harness.join("alice");
    harness.until(10_000);
    assert_eq!(received(&alice), ["hello", "close 1000"]);
}

#[test]
fn a_revoked_session_receives_the_reason() {
    let mut harness = SimulationHarness::new(0);
    let alice = harness.join("alice");
    let id = harness.list()[0].id;
    harness.execute(ShardCommand::Close(id, CloseReason::Revoked));
    assert_eq!(received(&alice), ["hello", "err: Revoked", "close 4401"]);
}

#[test]
fn the_id_of_an_ended_session_closes_no_other() {
    let mut harness = SimulationHarness::new(0);
    let first = harness.join("alice");
    let id = harness.list()[0].id;
    harness.hang_up(0, &first);
    let second = harness.join("bob");
    harness.execute(ShardCommand::Close(id, CloseReason::Revoked));
    assert_eq!(received(&second), ["hello"]);
}

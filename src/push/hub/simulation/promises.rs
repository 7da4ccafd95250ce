//! What the promises are, one by one.

use super::{
    wire::{heard, says},
    world::World,
};
use crate::{
    push::{
        hub::{
            command::{Tell, What, Whom},
            pacer::Crowd,
            shared::Limits,
        },
        notice::{Ids, Topic},
        session::Close,
    },
    websocket::frame::Frame,
};
use std::sync::Arc;
use tokio::time::Instant;

#[test]
fn the_first_change_leaves_after_the_merge_window() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    assert_eq!(heard(&alice), ["hello"]);
    world.change("alice", 0, None);
    world.until(99);
    assert!(heard(&alice).is_empty());
    world.until(100);
    assert_eq!(heard(&alice), ["t0"]);
}

#[test]
fn a_steady_stream_starves_nobody() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    heard(&alice);
    for step in 1..=150 {
        world.change("alice", 0, None);
        world.until(step * 200);
    }
    let told = heard(&alice).len();
    assert!((18..=60).contains(&told), "{told} messages in 30 s");
}

#[test]
fn known_ids_are_told_to_those_who_asked_and_only_to_them() {
    let mut world = World::new(0);
    let asked = world.join_saying("alice", &says(0x81, b"listen ids"));
    let plain = world.join("alice");
    world.change("alice", 0, Some(459));
    world.change("alice", 0, Some(188));
    world.until(150);
    assert_eq!(heard(&asked), ["hello", "t0 [459, 188]"]);
    assert_eq!(heard(&plain), ["hello", "t0"]);
}

#[test]
fn a_recipient_may_have_so_many_sessions_and_no_more() {
    let mut world = World::new(0);
    let _kept = [world.join("alice"), world.join("alice"), world.join("alice")];
    let fourth = world.join("alice");
    assert_eq!(heard(&fourth), ["err: TooMany", "close 1012"]);
    assert_eq!(heard(&world.join("bob")), ["hello"]);
}

#[test]
fn opaque_messages_keep_their_order_through_a_full_socket() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    alice.0.borrow_mut().room = Some(10);
    for n in 0..50 {
        world.tell("alice", What::Frame(Frame::text(&format!("m{n}"))));
    }
    alice.0.borrow_mut().room = None;
    world.shard.writable(0, world.now);
    let expected: Vec<_> =
        std::iter::once("hello".into()).chain((0..50).map(|n| format!("m{n}"))).collect();
    assert_eq!(heard(&alice), expected);
}

#[test]
fn a_client_that_does_not_read_is_closed_once_its_mailbox_is_full() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    heard(&alice);
    alice.0.borrow_mut().room = Some(3);
    for n in 0..1000 {
        world.tell("alice", What::Frame(Frame::text(&format!("message {n}"))));
    }
    alice.0.borrow_mut().room = None;
    world.shard.writable(0, world.now);
    assert_eq!(heard(&alice), ["message 0", "close 1013"]);
    world.until(6000);
    assert_eq!(world.ends(), [Close::Slow]);
}

#[test]
fn a_socket_that_takes_nothing_for_five_seconds_is_aborted() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    alice.0.borrow_mut().room = Some(0);
    world.tell("alice", What::Frame(Frame::text("x")));
    world.until(4999);
    assert!(world.ends().is_empty());
    world.until(5000);
    assert_eq!(world.ends(), [Close::Slow]);
    assert!(alice.0.borrow().aborted);
}

#[test]
fn changes_wait_merged_while_the_socket_is_full() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    heard(&alice);
    alice.0.borrow_mut().room = Some(1);
    world.tell("alice", What::Frame(Frame::text("x")));
    for _ in 0..1000 {
        world.change("alice", 1, None);
    }
    world.until(3000);
    alice.0.borrow_mut().room = None;
    world.shard.writable(0, world.now);
    assert_eq!(heard(&alice), ["x", "t1"]);
}

#[test]
fn silence_is_pinged_and_then_ends() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    heard(&alice);
    world.until(30_000);
    assert_eq!(heard(&alice), ["ping"]);
    alice.0.borrow_mut().inbound = says(0x8a, b"");
    world.shard.readable(0, world.now);
    world.until(59_999);
    assert!(heard(&alice).is_empty());
    world.until(75_000);
    assert_eq!(heard(&alice), ["ping"]);
    assert_eq!(world.ends(), [Close::Silent]);
}

#[test]
fn an_unsolicited_pong_is_legal_and_a_ping_is_answered() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    alice.0.borrow_mut().inbound = [says(0x8a, b"hi"), says(0x89, b"yo")].concat();
    world.shard.readable(0, world.now);
    assert_eq!(heard(&alice), ["hello", "pong"]);
}

#[test]
fn a_close_is_answered_and_the_client_leaves() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    heard(&alice);
    alice.0.borrow_mut().inbound = says(0x88, &1000_u16.to_be_bytes());
    world.shard.readable(0, world.now);
    assert_eq!(heard(&alice), ["close 1000"]);
    assert!(alice.0.borrow().finished);
    alice.0.borrow_mut().gone = true;
    world.shard.readable(0, world.now);
    assert_eq!(world.ends().len(), 1);
}

#[test]
fn broken_frames_end_the_session_with_their_code() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    alice.0.borrow_mut().inbound = vec![0x81, 0x01, b'x'];
    world.shard.readable(0, world.now);
    assert_eq!(heard(&alice), ["hello", "close 1002"]);
}

#[test]
fn a_crowd_is_told_a_hundred_at_once_and_then_at_the_rate() {
    let mut world = World::new(1000);
    let sockets: Vec<_> = (0..1100).map(|n| world.join(&format!("u{n}"))).collect();
    sockets.iter().for_each(|socket| drop(heard(socket)));
    let all = (0..1100).map(|n| format!("u{n}").into()).collect();
    let tell = Tell {
        whom: Whom::Many(all),
        what: What::Change(Topic(0), Ids::Unknown),
        heard_at: 0,
        at: Instant::now(),
        crowd: Some(Arc::default()),
    };
    world.shard.tell(&tell, 0);
    let told = |world: &mut World, at| {
        world.until(at);
        sockets.iter().filter(|socket| !heard(socket).is_empty()).count()
    };
    assert_eq!(told(&mut world, 100), 100);
    assert_eq!(told(&mut world, 600), 500);
    assert_eq!(told(&mut world, 1100), 500);
}

#[test]
fn after_a_gap_everyone_is_told_everything_within_the_spread() {
    let mut world = World::new(0);
    let sockets: Vec<_> = (0..50).map(|n| world.join(&format!("u{n}"))).collect();
    sockets.iter().for_each(|socket| drop(heard(socket)));
    world.shard.gap(3000, &Crowd::default(), 0);
    world.until(1500);
    let early = sockets.iter().filter(|socket| !heard(socket).is_empty()).count();
    assert!((10..=40).contains(&early), "{early}");
    world.until(3000);
    assert!(sockets.iter().all(|socket| matches!(heard(socket).len(), 0 | 3)));
    assert!(world.shard.next_deadline().is_some_and(|at| at >= 30_000));
}

#[test]
fn a_drain_sees_everyone_off_within_its_time_and_lets_nobody_in() {
    let mut world = World::new(0);
    let sockets: Vec<_> = (0..40).map(|n| world.join(&format!("u{n}"))).collect();
    world.shard.drain(0, 2000);
    world.until(1000);
    let early = world.shard.list(0, 100).len();
    assert!((5..=35).contains(&early), "{early}");
    world.until(8000);
    assert!(world.shard.is_done());
    for socket in &sockets {
        assert_eq!(heard(socket), ["hello", "close 1012"]);
    }
    assert_eq!(heard(&world.join("late")), ["err: TryLater", "close 1012"]);
}

#[test]
fn a_session_ends_when_its_connection_time_is_over() {
    let mut world =
        World::with(0, Limits { per_recipient: 3, max_connection: Some(10_000), subscriptions: 0 });
    let alice = world.join("alice");
    world.until(10_000);
    assert_eq!(heard(&alice), ["hello", "close 1000"]);
}

#[test]
fn a_revoked_session_is_told_why() {
    let mut world = World::new(0);
    let alice = world.join("alice");
    let id = world.shard.list(0, 10)[0].id;
    world.shard.close(id, Close::Revoked, world.now);
    assert_eq!(heard(&alice), ["hello", "err: Revoked", "close 4401"]);
}

#[test]
fn an_id_of_a_client_that_left_closes_nobody_else() {
    let mut world = World::new(0);
    let first = world.join("alice");
    let id = world.shard.list(0, 10)[0].id;
    first.0.borrow_mut().gone = true;
    world.shard.readable(0, world.now);
    let second = world.join("bob");
    world.shard.close(id, Close::Revoked, world.now);
    assert_eq!(heard(&second), ["hello"]);
}

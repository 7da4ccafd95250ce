//! What the hub guarantees clients with more than one subscription.

use super::{
    harness::SimulationHarness,
    wire::{SimulatedSocket, client_frame, client_texts, received},
};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient,
        hub::{
            command::{JoinRequest, ShardCommand},
            context::HubLimits,
        },
        notice::{Notice, NoticeAudience},
        plain_dialect::backlog_entry,
        session::{ClientRequest, CloseReason, ReplaySource},
    },
    websocket::frame::Frame,
};

impl SimulationHarness {
    fn notify_many(&mut self, names: &[&str], text: &str) {
        let names = names.iter().map(|name| (*name).into()).collect();
        self.notify(NoticeAudience::Many(names), Notice::Opaque(Frame::text(text)));
    }
}

#[test]
fn a_message_for_several_subscriptions_of_a_client_arrives_once() {
    let mut harness = SimulationHarness::new(0);
    let both = harness.join_sending("primary", &client_texts(&["subscribe a b", "subscribe b c"]));
    let one = harness.join_sending("other", &client_texts(&["subscribe b"]));
    received(&both);
    received(&one);
    harness.notify_many(&["a", "b", "absent"], "first");
    harness.notify_many(&["primary", "c"], "second");
    assert_eq!(received(&both), ["first", "second"]);
    assert_eq!(received(&one), ["first"]);
}

#[test]
fn an_unsubscribed_client_keeps_its_primary_subscription() {
    let mut harness = SimulationHarness::new(0);
    let client = harness
        .join_sending("primary", &client_texts(&["subscribe a b", "unsubscribe a primary x"]));
    received(&client);
    harness.notify_many(&["a"], "a");
    harness.notify_many(&["b"], "b");
    harness.notify_many(&["primary"], "primary");
    assert_eq!(received(&client), ["b", "primary"]);
    assert_eq!((harness.shard.count("a"), harness.shard.count("b")), (0, 1));
}

#[test]
fn subscriptions_are_limited_and_end_with_their_client() {
    let limits = HubLimits {
        per_recipient: 3,
        max_connection: None,
        subscriptions: 3,
        subscription_bytes: usize::MAX,
    };
    let mut harness = SimulationHarness::with(0, limits);
    let client = harness
        .join_sending("primary", &client_texts(&["subscribe a b c", "subscribe a b primary"]));
    assert_eq!(received(&client), ["hello"]);
    let greedy = harness.join_sending("greedy", &client_texts(&["subscribe a b c d"]));
    received(&greedy);
    harness.until(60_000);
    assert!(harness.ends().contains(&CloseReason::LimitExceeded), "{:?}", harness.ends());
    harness.disconnect("b", CloseReason::Revoked);
    harness.until(120_000);
    assert!(harness.shard.members.is_empty());
}

#[test]
fn subscriptions_share_a_limit_in_bytes() {
    let limits = HubLimits {
        per_recipient: 300,
        max_connection: None,
        subscriptions: 1000,
        subscription_bytes: 60_000,
    };
    let mut harness = SimulationHarness::with(0, limits);
    // Twelve ids in a frame, which the harness keeps short.
    let subscribe = |name: &str, count: usize| -> Vec<u8> {
        let ids: Vec<_> = (0..count).map(|id| format!("{name}{id:04}")).collect();
        let texts: Vec<_> =
            ids.chunks(12).map(|ids| format!("subscribe {}", ids.join(" "))).collect();
        client_texts(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // About 141 bytes each: the greedy client is closed when half of the memory is in use.
    harness.join_sending("home", &subscribe("g", 400));
    harness.join_sending("home", &subscribe("m", 20));
    assert_eq!((harness.shard.count("g0399"), harness.shard.count("m0019")), (0, 1));
    harness.until(20_000);
    assert_eq!(harness.ends(), [CloseReason::LimitExceeded]);
    assert!(harness.shard.members.subscription_bytes() < 10_000);
}

#[test]
fn a_replay_has_the_messages_for_the_current_subscriptions() {
    let mut harness = SimulationHarness::new(0);
    let past = "replay a:1 b:2 x,b:3 primary:4";
    let client = harness.join_sending("primary", &client_texts(&[past, "subscribe b", past]));
    assert_eq!(received(&client), ["hello", "4", "2", "3", "4"]);
}

#[test]
fn a_replay_above_its_limit_omits_the_oldest_messages() {
    let mut harness = SimulationHarness::new(0);
    let long = |name: char| format!("primary:{}", name.to_string().repeat(1000));
    let past: Vec<String> = ('a'..='z').map(long).collect();
    let client = harness.join("primary");
    received(&client);
    let replay = |harness: &mut SimulationHarness, count| {
        let entries: Vec<_> =
            past.iter().cycle().take(count).map(|past| backlog_entry(past)).collect();
        harness.shard.handle_request(
            0,
            ClientRequest::Replay(ReplaySource::new(|| entries)),
            harness.now,
        );
        received(&client)
    };
    assert_eq!(replay(&mut harness, 26).len(), 26);
    let last = replay(&mut harness, 2000);
    assert!((1000..1100).contains(&last.len()), "{}", last.len());
    assert!(
        last.last().is_some_and(|last| last.starts_with(&past[1999 % 26]["primary:".len()..][..1]))
    );
}

#[test]
fn a_message_too_long_for_a_replay_displaces_no_other() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join("primary");
    received(&client);
    let long = format!("primary:{}", "x".repeat(2 << 20));
    let entries =
        vec![backlog_entry("primary:before"), backlog_entry(&long), backlog_entry("primary:after")];
    harness.shard.handle_request(
        0,
        ClientRequest::Replay(ReplaySource::new(|| entries)),
        harness.now,
    );
    assert_eq!(received(&client), ["before", "after"]);
}

#[test]
fn a_client_with_too_many_replays_is_closed() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join_sending("primary", &client_texts(&["replay primary:1"; 9]));
    assert_eq!(received(&client).last().map(String::as_str), Some("close 1008"));
}

#[test]
fn requests_of_a_client_that_has_left_do_not_reach_the_next() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join("primary");
    client.0.borrow_mut().broken = true;
    let bytes = [
        client_frame(0x89, b"ping"),
        client_texts(&["subscribe a"]),
        client_texts(&["replay primary:1"]),
    ]
    .concat();
    harness.receive(0, &client, &bytes);
    assert!(harness.shard.members.is_empty());
    let next = harness.join("other");
    harness.notify_many(&["a", "primary"], "not yours");
    assert_eq!(received(&next), ["hello"]);
}

#[test]
fn a_greeting_replaces_the_welcome_and_comes_first() {
    let mut harness = SimulationHarness::new(0);
    let socket = SimulatedSocket::default();
    let authenticated =
        AuthenticatedClient { recipient: "primary".into(), auth_method: AuthMethod::Open };
    let join_request = JoinRequest {
        subscriptions: vec!["a".into()],
        greeting: Some(Box::new(|| vec![Frame::text("missed"), Frame::text("too")])),
        ..JoinRequest::new(socket.clone(), client_texts(&["whoami ?"]).into(), authenticated)
    };
    harness.execute(ShardCommand::Join(join_request));
    harness.notify_many(&["a"], "live");
    assert_eq!(received(&socket), ["missed", "too", "primary", "live"]);
}

//! What is promised to clients that listen as more than one recipient.

use super::{
    harness::SimulationHarness,
    wire::{received, saying, says},
};
use crate::{
    push::{
        hub::{
            command::{JoinRequest, NoticeAudience, NoticeBody, NotifyCommand},
            context::HubLimits,
        },
        plain_dialect::backlog_entry as held,
        session::{ClientRequest, CloseReason, ReplaySource},
    },
    websocket::frame::Frame,
};
use tokio::time::Instant;

impl SimulationHarness {
    fn notify_many(&mut self, names: &[&str], text: &str) {
        let notify = NotifyCommand {
            audience: NoticeAudience::Many(names.iter().map(|name| (*name).into()).collect()),
            what: NoticeBody::Frame(Frame::text(text)),
            received_at: self.now,
            at: Instant::now(),
            fan_out: None,
        };
        self.shard.notify(&notify, self.now);
    }
}

#[test]
fn a_message_for_several_of_a_clients_recipients_comes_once() {
    let mut harness = SimulationHarness::new(0);
    let both = harness.join_sending("home", &saying(&["subscribe a b", "subscribe b c"]));
    let one = harness.join_sending("other", &saying(&["subscribe b"]));
    received(&both);
    received(&one);
    harness.notify_many(&["a", "b", "nobody"], "first");
    harness.notify_many(&["home", "c"], "second");
    assert_eq!(received(&both), ["first", "second"]);
    assert_eq!(received(&one), ["first"]);
}

#[test]
fn who_unsubscribes_hears_no_more_but_stays_at_home() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join_sending("home", &saying(&["subscribe a b", "unsubscribe a home x"]));
    received(&client);
    harness.notify_many(&["a"], "a");
    harness.notify_many(&["b"], "b");
    harness.notify_many(&["home"], "home");
    assert_eq!(received(&client), ["b", "home"]);
    assert_eq!((harness.shard.count("a"), harness.shard.count("b")), (0, 1));
}

#[test]
fn only_so_many_subscriptions_and_none_outlives_its_client() {
    let limits = HubLimits { per_recipient: 3, max_connection: None, subscriptions: 3 };
    let mut harness = SimulationHarness::with(0, limits);
    let client = harness.join_sending("home", &saying(&["subscribe a b c", "subscribe a b home"]));
    assert_eq!(received(&client), ["hello"]);
    let greedy = harness.join_sending("greedy", &saying(&["subscribe a b c d"]));
    received(&greedy);
    harness.until(60_000);
    assert!(harness.ends().contains(&CloseReason::LimitExceeded), "{:?}", harness.ends());
    harness.shard.disconnect(Some(&"b".into()), CloseReason::Revoked, harness.now);
    harness.until(120_000);
    assert!(harness.shard.members.is_empty() && !harness.shard.subscriptions.is_in_use());
}

#[test]
fn a_replay_is_what_the_client_listens_as_at_that_time() {
    let mut harness = SimulationHarness::new(0);
    let past = "replay a:1 b:2 x,b:3 home:4";
    let client = harness.join_sending("home", &saying(&[past, "subscribe b", past]));
    assert_eq!(received(&client), ["hello", "4", "2", "3", "4"]);
}

#[test]
fn a_replay_too_long_for_a_client_leaves_out_what_is_old() {
    let mut harness = SimulationHarness::new(0);
    let long = |name: char| format!("home:{}", name.to_string().repeat(1000));
    let past: Vec<String> = ('a'..='z').map(long).collect();
    let client = harness.join("home");
    received(&client);
    let replay = |harness: &mut SimulationHarness, count| {
        let held: Vec<_> = past.iter().cycle().take(count).map(|past| held(past)).collect();
        harness.shard.handle_request(
            0,
            ClientRequest::Replay(ReplaySource::new(|| held)),
            harness.now,
        );
        received(&client)
    };
    assert_eq!(replay(&mut harness, 26).len(), 26);
    let last = replay(&mut harness, 2000);
    assert!((1000..1100).contains(&last.len()), "{}", last.len());
    assert!(last.last().is_some_and(|last| last.starts_with(&past[1999 % 26][5..6])));
}

#[test]
fn one_message_too_long_for_a_replay_keeps_no_other_from_it() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join("home");
    received(&client);
    let long = format!("home:{}", "x".repeat(2 << 20));
    let held = vec![held("home:before"), held(&long), held("home:after")];
    harness.shard.handle_request(0, ClientRequest::Replay(ReplaySource::new(|| held)), harness.now);
    assert_eq!(received(&client), ["before", "after"]);
}

#[test]
fn who_asks_for_the_past_again_and_again_is_closed() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join_sending("home", &saying(&["replay home:1"; 9]));
    assert_eq!(received(&client).last().map(String::as_str), Some("close 1008"));
}

#[test]
fn what_a_client_asked_for_that_is_gone_meanwhile_is_not_given_to_the_next() {
    let mut harness = SimulationHarness::new(0);
    let client = harness.join("home");
    client.0.borrow_mut().broken = true;
    client.0.borrow_mut().inbound =
        [says(0x89, b"ping"), saying(&["subscribe a"]), saying(&["replay home:1"])].concat();
    harness.shard.readable(0, harness.now);
    assert!(harness.shard.members.is_empty() && !harness.shard.subscriptions.is_in_use());
    let next = harness.join("other");
    harness.notify_many(&["a", "home"], "not yours");
    assert_eq!(received(&next), ["hello"]);
}

#[test]
fn a_greeting_stands_for_the_welcome_and_comes_first() {
    let mut harness = SimulationHarness::new(0);
    let socket = super::wire::SimulatedSocket::default();
    let authenticated = crate::push::AuthenticatedClient {
        recipient: "home".into(),
        auth_method: crate::push::AuthMethod::Open,
    };
    let join_request = JoinRequest {
        subscriptions: vec!["a".into()],
        greeting: Some(Box::new(|| vec![Frame::text("missed"), Frame::text("too")])),
        ..JoinRequest::new(socket.clone(), saying(&["whoami ?"]).into(), authenticated)
    };
    harness.shard.join(join_request, harness.now);
    harness.notify_many(&["a"], "live");
    assert_eq!(received(&socket), ["missed", "too", "home", "live"]);
}

//! What is promised to clients that listen as more than one recipient.

use super::{
    wire::{heard, saying, says},
    world::{World, held},
};
use crate::{
    push::{
        hub::{
            command::{Newcomer, Tell, What, Whom},
            shared::Limits,
        },
        session::{Close, Heard, Past},
    },
    websocket::frame::Frame,
};
use tokio::time::Instant;

impl World {
    fn tell_many(&mut self, names: &[&str], text: &str) {
        let tell = Tell {
            whom: Whom::Many(names.iter().map(|name| (*name).into()).collect()),
            what: What::Frame(Frame::text(text)),
            heard_at: self.now,
            at: Instant::now(),
            crowd: None,
        };
        self.shard.tell(&tell, self.now);
    }
}

#[test]
fn a_message_for_several_of_a_clients_recipients_comes_once() {
    let mut world = World::new(0);
    let both = world.join_saying("home", &saying(&["subscribe a b", "subscribe b c"]));
    let one = world.join_saying("other", &saying(&["subscribe b"]));
    heard(&both);
    heard(&one);
    world.tell_many(&["a", "b", "nobody"], "first");
    world.tell_many(&["home", "c"], "second");
    assert_eq!(heard(&both), ["first", "second"]);
    assert_eq!(heard(&one), ["first"]);
}

#[test]
fn who_unsubscribes_hears_no_more_but_stays_at_home() {
    let mut world = World::new(0);
    let client = world.join_saying("home", &saying(&["subscribe a b", "unsubscribe a home x"]));
    heard(&client);
    world.tell_many(&["a"], "a");
    world.tell_many(&["b"], "b");
    world.tell_many(&["home"], "home");
    assert_eq!(heard(&client), ["b", "home"]);
    assert_eq!((world.shard.count("a"), world.shard.count("b")), (0, 1));
}

#[test]
fn only_so_many_subscriptions_and_none_outlives_its_client() {
    let limits = Limits { per_recipient: 3, max_connection: None, subscriptions: 3 };
    let mut world = World::with(0, limits);
    let client = world.join_saying("home", &saying(&["subscribe a b c", "subscribe a b home"]));
    assert_eq!(heard(&client), ["hello"]);
    let greedy = world.join_saying("greedy", &saying(&["subscribe a b c d"]));
    heard(&greedy);
    world.until(60_000);
    assert!(world.ends().contains(&Close::Overfull), "{:?}", world.ends());
    world.shard.disconnect(Some(&"b".into()), Close::Revoked, world.now);
    world.until(120_000);
    assert!(world.shard.members.is_empty() && !world.shard.subscriptions.is_in_use());
}

#[test]
fn a_replay_is_what_the_client_listens_as_at_that_time() {
    let mut world = World::new(0);
    let past = "replay a:1 b:2 x,b:3 home:4";
    let client = world.join_saying("home", &saying(&[past, "subscribe b", past]));
    assert_eq!(heard(&client), ["hello", "4", "2", "3", "4"]);
}

#[test]
fn a_replay_too_long_for_a_client_leaves_out_what_is_old() {
    let mut world = World::new(0);
    let long = |name: char| format!("home:{}", name.to_string().repeat(1000));
    let past: Vec<String> = ('a'..='z').map(long).collect();
    let client = world.join("home");
    heard(&client);
    let replay = |world: &mut World, count| {
        let held: Vec<_> = past.iter().cycle().take(count).map(|past| held(past)).collect();
        world.shard.grant(0, Heard::Replay(Past::new(|| held)), world.now);
        heard(&client)
    };
    assert_eq!(replay(&mut world, 26).len(), 26);
    let last = replay(&mut world, 2000);
    assert!((1000..1100).contains(&last.len()), "{}", last.len());
    assert!(last.last().is_some_and(|last| last.starts_with(&past[1999 % 26][5..6])));
}

#[test]
fn one_message_too_long_for_a_replay_keeps_no_other_from_it() {
    let mut world = World::new(0);
    let client = world.join("home");
    heard(&client);
    let long = format!("home:{}", "x".repeat(2 << 20));
    let held = vec![held("home:before"), held(&long), held("home:after")];
    world.shard.grant(0, Heard::Replay(Past::new(|| held)), world.now);
    assert_eq!(heard(&client), ["before", "after"]);
}

#[test]
fn who_asks_for_the_past_again_and_again_is_closed() {
    let mut world = World::new(0);
    let client = world.join_saying("home", &saying(&["replay home:1"; 9]));
    assert_eq!(heard(&client).last().map(String::as_str), Some("close 1008"));
}

#[test]
fn what_a_client_asked_for_that_is_gone_meanwhile_is_not_given_to_the_next() {
    let mut world = World::new(0);
    let client = world.join("home");
    client.0.borrow_mut().broken = true;
    client.0.borrow_mut().inbound =
        [says(0x89, b"ping"), saying(&["subscribe a"]), saying(&["replay home:1"])].concat();
    world.shard.readable(0, world.now);
    assert!(world.shard.members.is_empty() && !world.shard.subscriptions.is_in_use());
    let next = world.join("other");
    world.tell_many(&["a", "home"], "not yours");
    assert_eq!(heard(&next), ["hello"]);
}

#[test]
fn a_greeting_stands_for_the_welcome_and_comes_first() {
    let mut world = World::new(0);
    let socket = super::wire::Socket::default();
    let admission = crate::services::nextcloud::login::Admission {
        recipient: "home".into(),
        grounds: crate::services::nextcloud::login::Grounds::Open,
    };
    let newcomer = Newcomer {
        also: vec!["a".into()],
        greeting: Some(Box::new(|| vec![Frame::text("missed"), Frame::text("too")])),
        ..Newcomer::new(socket.clone(), saying(&["whoami ?"]).into(), admission)
    };
    world.shard.join(newcomer, world.now);
    world.tell_many(&["a"], "live");
    assert_eq!(heard(&socket), ["missed", "too", "home", "live"]);
}

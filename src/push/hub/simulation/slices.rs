//! However much some clients send or receive, a pass is short and the others get their turn.

use super::{
    harness::SimulationHarness,
    wire::{client_frame, client_texts, received},
};
use crate::{
    push::{
        hub::{
            command::{NotifyCommand, ShardCommand},
            context::HubLimits,
            inbound_rate::{BURST, COMMANDS_PER_SECOND},
        },
        notice::{Notice, NoticeAudience},
    },
    websocket::frame::Frame,
};
use tokio::time::Instant;

const LIMITS: HubLimits = HubLimits {
    per_recipient: usize::MAX,
    max_connection: None,
    subscriptions: 10_000,
    subscription_bytes: usize::MAX,
};

fn message(audience: NoticeAudience, text: &str) -> NotifyCommand {
    let notice = Notice::Opaque(Frame::text(text));
    NotifyCommand { audience, notice, received_at: 0, at: Instant::now(), fan_out: None }
}

#[test]
fn a_message_is_delivered_in_the_next_pass_while_clients_flood_pings() {
    let mut harness = SimulationHarness::with(0, LIMITS);
    let probe = harness.join("probe");
    let flood = client_frame(0x89, b"x").repeat(100_000);
    let flooders: Vec<_> = (0..100).map(|n| harness.join(&format!("flooder {n}"))).collect();
    received(&probe);
    for (id, flooder) in (1..).zip(&flooders) {
        flooder.0.borrow_mut().inbound.extend_from_slice(&flood);
        harness.shard.mark_readable(id);
    }
    for round in 0..50 {
        let one = NoticeAudience::One("probe".into());
        harness.shard.enqueue([ShardCommand::Notify(message(one, &round.to_string()))]);
        harness.pass();
        assert_eq!(received(&probe), [round.to_string()]);
    }
    let left = flooders.iter().map(|flooder| flooder.0.borrow().inbound.len()).sum::<usize>();
    assert!(left > 90 * flood.len(), "a pass has read {} bytes", 100 * flood.len() - left);
}

#[test]
fn a_fan_out_to_thousands_is_done_in_slices_and_others_are_read_in_between() {
    let mut harness = SimulationHarness::with(0, LIMITS);
    let clients: Vec<_> = (0..2_000).map(|n| harness.join(&format!("user {n}"))).collect();
    clients.iter().for_each(|client| drop(received(client)));
    harness.shard.enqueue([
        ShardCommand::Notify(message(NoticeAudience::Everyone, "first")),
        ShardCommand::Notify(message(NoticeAudience::Everyone, "second")),
    ]);
    harness.pass();
    let reached = clients.iter().filter(|client| !client.0.borrow().sent.is_empty()).count();
    assert!((1..500).contains(&reached), "{reached}");
    clients[1_999].0.borrow_mut().inbound = client_frame(0x89, b"?");
    harness.shard.mark_readable(1_999);
    harness.pass();
    assert_eq!(received(&clients[1_999]), ["pong"]);
    assert!(harness.settle() > 3);
    let all = clients.iter().enumerate().filter(|(_, client)| !received(client).is_empty());
    assert!(all.count() >= 1_999);
}

#[test]
fn messages_keep_their_order_across_slices() {
    let mut harness = SimulationHarness::with(0, LIMITS);
    let clients: Vec<_> = (0..1_000).map(|n| harness.join(&format!("user {n}"))).collect();
    clients.iter().for_each(|client| drop(received(client)));
    let commands = (0..5).map(|n| message(NoticeAudience::Everyone, &n.to_string()));
    harness.shard.enqueue(commands.map(ShardCommand::Notify));
    harness.settle();
    assert!(clients.iter().all(|client| received(client) == ["0", "1", "2", "3", "4"]));
}

#[test]
fn a_client_above_its_rate_is_read_later_and_loses_nothing() {
    let mut harness = SimulationHarness::with(0, LIMITS);
    let client = harness.join("alice");
    received(&client);
    let count = 3 * u64::from(COMMANDS_PER_SECOND) * BURST / 1000;
    let texts = client_texts(&["whoami ?"]).repeat(usize::try_from(count).unwrap());
    harness.receive(0, &client, &texts);
    let first = received(&client).len() as u64;
    assert!((count / 3..count / 2).contains(&first), "{first} of {count}");
    harness.until(2 * BURST + 2_000);
    let answers = first + received(&client).len() as u64;
    assert_eq!(answers, count);
    assert!(harness.ends().is_empty());
}

#[test]
fn of_many_pings_at_once_the_last_is_answered() {
    let mut harness = SimulationHarness::with(0, LIMITS);
    let client = harness.join("alice");
    received(&client);
    let pings: Vec<u8> = (0..500_u16).flat_map(|n| client_frame(0x89, &n.to_be_bytes())).collect();
    harness.receive(0, &client, &pings);
    let sent = client.0.borrow().sent.clone();
    assert!(sent.ends_with(&499_u16.to_be_bytes()));
    assert!(received(&client).len() < 50);
}

#[test]
fn a_flood_of_subscriptions_is_slowed_down_and_leaves_nothing_behind() {
    let mut harness = SimulationHarness::with(0, LIMITS);
    let ids = (0..20).map(|n| format!("id{n}")).collect::<Vec<_>>().join(" ");
    let (subscribe, unsubscribe) = (format!("subscribe {ids}"), format!("unsubscribe {ids}"));
    let client = harness.join("alice");
    let texts = client_texts(&[&subscribe, &unsubscribe]).repeat(5_000);
    harness.receive(0, &client, &texts);
    let left = client.0.borrow().inbound.len();
    assert!(left > texts.len() / 2, "{left} of {}", texts.len());
    harness.hang_up(0, &client);
    client.0.borrow_mut().inbound.clear();
    harness.until(60_000);
    assert!(harness.shard.members.is_empty());
}

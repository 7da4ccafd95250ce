//! Thousands of random events from a seed: joins, leaves, changes, messages, full sockets, silence, gaps,
//! resets. After each of them the guarantees of every client are checked.

mod expectations;

use super::{client::SimulatedClient, harness::SimulationHarness, wire::client_frame};
use crate::{
    push::{
        hub::{context::HubLimits, work::PASS},
        notice::{ChangedIds, Notice, NoticeAudience, TopicId},
        session::{CloseReason, DebouncePolicy, Millis},
    },
    websocket::frame::Frame,
};
use std::collections::VecDeque;

const NAMES: usize = 60;
const PER_NAME: usize = 8;
const CLIENT_COUNT: usize = 240;
const SPREAD: Millis = 3_000;
const EVENTS: usize = 3_000;
/// A departed client may leave a slot of the rate limiter unused, for no longer than this.
const SLOT_RELEASE_TIME: Millis = 30_000;

struct SimulatedCluster {
    harness: SimulationHarness,
    rng: fastrand::Rng,
    debounce: DebouncePolicy,
    rate: u32,
    clients: Vec<SimulatedClient>,
    /// The number of messages sent to each recipient.
    messages: [u64; NAMES],
    next_id: i64,
    joined: usize,
    maximum: usize,
    departures: VecDeque<Millis>,
}

impl SimulatedCluster {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let max = [0, 1_000, 3_000, 15_000][rng.usize(..4)];
        let debounce = DebouncePolicy { max, enabled: rng.u8(..8) > 0 };
        let rate = [0, 200, 1_000][rng.usize(..3)];
        let mut harness = SimulationHarness::at(
            debounce,
            rate,
            HubLimits {
                per_recipient: PER_NAME,
                max_connection: None,
                subscriptions: 0,
                subscription_bytes: usize::MAX,
            },
        );
        harness.step = PASS / rng.u32(1..100);
        let mut cluster = Self {
            harness,
            rng,
            debounce,
            rate,
            clients: Vec::new(),
            messages: [0; NAMES],
            next_id: 0,
            joined: 0,
            maximum: 0,
            departures: VecDeque::new(),
        };
        (0..CLIENT_COUNT).for_each(|_| cluster.join());
        cluster
    }

    fn event(&mut self) {
        match self.rng.u8(..100) {
            0..8 => self.join(),
            8..11 => self.leave(),
            11..40 => self.change_for_one(),
            40..50 => self.change_for_many(),
            50..75 => self.message(),
            75..82 => self.stall(),
            82..91 => self.resume(),
            91..95 => self.speak(),
            95 => self.gap(),
            96 => self.reset(),
            97 => self.fall_silent(),
            _ => self.pass(20_000),
        }
    }

    fn join(&mut self) {
        if self.clients.len() >= CLIENT_COUNT + 40 {
            return;
        }
        let name = self.rng.usize(..NAMES);
        let others = self.clients.iter().filter(|client| client.name == name).count();
        let socket = self.harness.join(&name.to_string());
        if others >= PER_NAME {
            return assert_eq!(
                super::wire::received(&socket),
                ["err: TooMany", "close 1012"],
                "{others} are here"
            );
        }
        let client = SimulatedClient::new(socket, name, self.messages[name], self.harness.now);
        self.clients.push(client);
        self.joined += 1;
        self.maximum = self.maximum.max(self.clients.len());
    }

    fn leave(&mut self) {
        if let Some(index) = self.anyone() {
            self.hang_up(index);
        }
    }

    fn change_for_one(&mut self) {
        let (name, topic) = (self.rng.usize(..NAMES), self.rng.usize(..3));
        let id = self.rng.bool().then(|| self.id(name));
        self.harness.change(&name.to_string(), u8::try_from(topic).unwrap(), id);
        self.expect_notice(|client| client.name == name, topic, id, 0);
    }

    fn change_for_many(&mut self) {
        let (topic, share) = (self.rng.usize(..3), self.rng.usize(1..4));
        let names = (0..NAMES).filter(|name| name % share == 0);
        let audience = NoticeAudience::Many(names.map(|name| name.to_string().into()).collect());
        let topic_id = TopicId(u8::try_from(topic).unwrap());
        let change = Notice::Change { topic: topic_id, ids: ChangedIds::Unknown };
        self.harness.notify(audience, change);
        let slots = self.slots();
        self.expect_notice(|client| client.name % share == 0, topic, None, slots);
    }

    fn message(&mut self) {
        let name = self.rng.usize(..NAMES);
        for _ in 0..self.rng.usize(1..20) {
            let text = format!("m{name} {}", self.messages[name]);
            self.messages[name] += 1;
            self.harness.notify_one(&name.to_string(), Notice::Opaque(Frame::text(&text)));
        }
    }

    fn stall(&mut self) {
        let room = self.rng.usize(..60);
        if let Some(index) = self.anyone() {
            self.clients[index].stall(room);
        }
    }

    fn resume(&mut self) {
        let stalled = (0..self.clients.len()).filter(|index| self.clients[*index].stalled);
        let Some(index) = self.rng.choice(stalled.collect::<Vec<_>>()) else { return };
        self.clients[index].resume(self.harness.now);
        let id = self.slot_of(index);
        self.harness.shard.writable(id, self.harness.now);
    }

    fn speak(&mut self) {
        let texts = [
            client_frame(0x81, b"listen ids"),
            client_frame(0x89, b"there?"),
            client_frame(0x81, b"what"),
        ];
        let text = &texts[self.rng.usize(..3)];
        if let Some(index) = self.anyone() {
            self.send(index, text);
        }
    }

    /// One gap, or several in a row.
    fn gap(&mut self) {
        for _ in 0..self.rng.usize(1..10) {
            self.harness.gap(SPREAD);
            let slots = self.slots();
            (0..3).for_each(|topic| self.expect_notice(|_| true, topic, None, SPREAD + slots));
            // A notice that was due at once must not be taken for one of the next gap.
            self.check_expectations();
        }
    }

    fn reset(&mut self) {
        let name = self.rng.usize(..NAMES);
        for client in self.clients.iter_mut().filter(|client| client.name == name) {
            client.close_expected = true;
        }
        self.harness.disconnect(&name.to_string(), CloseReason::Reset);
    }

    fn fall_silent(&mut self) {
        if let Some(index) = self.anyone() {
            self.clients[index].silent = true;
        }
    }

    fn pass(&mut self, most: Millis) {
        let then = self.harness.now + self.rng.u64(..most);
        self.until(then);
    }

    /// Lets time pass while the clients read.
    fn until(&mut self, then: Millis) {
        while let Some(at) = self.harness.shard.next_deadline().filter(|at| *at <= then) {
            self.harness.now = self.harness.now.max(at);
            self.harness.settle();
            self.check_expectations();
        }
        self.harness.now = then;
        self.check_expectations();
    }

    fn id(&mut self, name: usize) -> i64 {
        self.next_id += 1000;
        self.next_id + i64::try_from(name).unwrap()
    }

    fn anyone(&mut self) -> Option<usize> {
        (!self.clients.is_empty()).then(|| self.rng.usize(..self.clients.len()))
    }

    fn send(&mut self, index: usize, bytes: &[u8]) {
        self.clients[index].send(bytes, self.harness.now);
        let id = self.slot_of(index);
        self.harness.shard.mark_readable(id);
        self.harness.settle();
    }

    fn hang_up(&mut self, index: usize) {
        self.clients[index].close_expected = true;
        self.clients[index].socket.0.borrow_mut().gone = true;
        let id = self.slot_of(index);
        self.harness.shard.mark_readable(id);
        self.harness.settle();
    }

    /// The statistics agree with the clients.
    fn check_round_stats(&self) {
        let shard = &self.harness.shard;
        let all = || shard.clients.starting_at(0).map(|(_, client)| client);
        let waiting: u32 = all().map(|client| client.session.waiting()).sum();
        let blocked = all().filter(|client| client.is_blocked()).count();
        assert_eq!(
            (shard.round_stats.waiting, shard.round_stats.blocked),
            (waiting as usize, blocked)
        );
    }

    /// The client's slot in the shard; a vacant one when it has left.
    fn slot_of(&self, index: usize) -> u32 {
        let socket = &self.clients[index].socket;
        let same = |wire: &super::wire::SimulatedSocket| std::rc::Rc::ptr_eq(&wire.0, &socket.0);
        let mut clients = self.harness.shard.clients.starting_at(0);
        let found = clients.find(|(_, client)| same(&client.transport));
        found.map_or(u32::MAX, |(slot, _)| slot)
    }
}

fn run_seed(seed: u64) {
    let mut cluster = SimulatedCluster::new(seed);
    for _ in 0..EVENTS {
        cluster.event();
        cluster.check_expectations();
        cluster.pass(150);
        cluster.check_round_stats();
    }
    cluster.end();
}

#[test]
fn every_guarantee_holds_whatever_happens() {
    for seed in 0..6 {
        println!("seed {seed}");
        run_seed(seed);
    }
}

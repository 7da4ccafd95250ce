//! Thousands of random events from a seed: joins, leaves, changes, messages, full sockets, silence,
//! gaps, resets; after each the promises of everyone who is there are looked at.

mod expectations;

use super::{client::SimulatedClient, harness::SimulationHarness, wire::says};
use crate::{
    push::{
        hub::{
            command::{NoticeAudience, NoticeBody, NotifyCommand},
            context::HubLimits,
            rate_limiter::FanOut,
        },
        notice::{ChangedIds, TopicId},
        session::{CloseReason, DebouncePolicy, Millis},
    },
    websocket::frame::Frame,
};
use std::{collections::VecDeque, sync::Arc};
use tokio::time::Instant;

const NAMES: usize = 60;
const PER_NAME: usize = 8;
const CLIENT_COUNT: usize = 240;
const SPREAD: Millis = 3_000;
const EVENTS: usize = 3_000;
/// A departed client may leave a slot of the rate_limiter unused; it is out no longer than this.
const SLOT_RELEASE_TIME: Millis = 30_000;

struct SimulatedCluster {
    harness: SimulationHarness,
    rng: fastrand::Rng,
    debounce: DebouncePolicy,
    rate: u32,
    here: Vec<SimulatedClient>,
    /// How many messages each recipient was sent.
    messages: [u64; NAMES],
    next_id: i64,
    joined: usize,
    most: usize,
    departures: VecDeque<Millis>,
}

impl SimulatedCluster {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let max = [0, 1_000, 3_000, 15_000][rng.usize(..4)];
        let debounce = DebouncePolicy { max, enabled: rng.u8(..8) > 0 };
        let rate = [0, 200, 1_000][rng.usize(..3)];
        let harness = SimulationHarness::at(
            debounce,
            rate,
            HubLimits { per_recipient: PER_NAME, max_connection: None, subscriptions: 0 },
        );
        let mut cluster = Self {
            harness,
            rng,
            debounce,
            rate,
            here: Vec::new(),
            messages: [0; NAMES],
            next_id: 0,
            joined: 0,
            most: 0,
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
        if self.here.len() >= CLIENT_COUNT + 40 {
            return;
        }
        let name = self.rng.usize(..NAMES);
        let others = self.here.iter().filter(|listener| listener.name == name).count();
        let socket = self.harness.join(&name.to_string());
        if others >= PER_NAME {
            return assert_eq!(
                super::wire::received(&socket),
                ["err: TooMany", "close 1012"],
                "{others} are here"
            );
        }
        let listener = SimulatedClient::new(socket, name, self.messages[name], self.harness.now);
        self.here.push(listener);
        self.joined += 1;
        self.most = self.most.max(self.here.len());
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
        self.expect_notice(|listener| listener.name == name, topic, id, 0);
    }

    fn change_for_many(&mut self) {
        let (topic, share) = (self.rng.usize(..3), self.rng.usize(1..4));
        let names = (0..NAMES).filter(|name| name % share == 0);
        let audience = NoticeAudience::Many(names.map(|name| name.to_string().into()).collect());
        let what = NoticeBody::Change(TopicId(u8::try_from(topic).unwrap()), ChangedIds::Unknown);
        let (received_at, at) = (self.harness.now, Instant::now());
        let notify =
            NotifyCommand { audience, what, received_at, at, fan_out: Some(Arc::default()) };
        self.harness.shard.notify(&notify, received_at);
        let slots = self.slots();
        self.expect_notice(|listener| listener.name % share == 0, topic, None, slots);
    }

    fn message(&mut self) {
        let name = self.rng.usize(..NAMES);
        for _ in 0..self.rng.usize(1..20) {
            let text = format!("m{name} {}", self.messages[name]);
            self.messages[name] += 1;
            self.harness.notify(&name.to_string(), NoticeBody::Frame(Frame::text(&text)));
        }
    }

    fn stall(&mut self) {
        let room = self.rng.usize(..60);
        if let Some(index) = self.anyone() {
            self.here[index].stall(room);
        }
    }

    fn resume(&mut self) {
        let stalled = (0..self.here.len()).filter(|index| self.here[*index].stalled);
        let Some(index) = self.rng.choice(stalled.collect::<Vec<_>>()) else { return };
        self.here[index].resume(self.harness.now);
        let id = self.slot_of(index);
        self.harness.shard.writable(id, self.harness.now);
    }

    fn speak(&mut self) {
        let said = [says(0x81, b"listen ids"), says(0x89, b"there?"), says(0x81, b"what")];
        let said = &said[self.rng.usize(..3)];
        if let Some(index) = self.anyone() {
            self.say(index, said);
        }
    }

    /// A Redis that comes and goes, perhaps.
    fn gap(&mut self) {
        for _ in 0..self.rng.usize(1..10) {
            self.harness.shard.gap(SPREAD, &FanOut::default(), self.harness.now);
        }
        let slots = self.slots();
        (0..3).for_each(|topic| self.expect_notice(|_| true, topic, None, SPREAD + slots));
    }

    fn reset(&mut self) {
        let name = self.rng.usize(..NAMES);
        for listener in self.here.iter_mut().filter(|listener| listener.name == name) {
            listener.close_expected = true;
        }
        let name = name.to_string().into();
        self.harness.shard.disconnect(Some(&name), CloseReason::Reset, self.harness.now);
    }

    fn fall_silent(&mut self) {
        if let Some(index) = self.anyone() {
            self.here[index].silent = true;
        }
    }

    fn pass(&mut self, most: Millis) {
        let then = self.harness.now + self.rng.u64(..most);
        self.until(then);
    }

    /// Lets time pass with everyone reading.
    fn until(&mut self, then: Millis) {
        while let Some(at) = self.harness.shard.next_deadline().filter(|at| *at <= then) {
            self.harness.now = self.harness.now.max(at);
            self.harness.shard.pass_time(self.harness.now, 16);
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
        (!self.here.is_empty()).then(|| self.rng.usize(..self.here.len()))
    }

    fn say(&mut self, index: usize, bytes: &[u8]) {
        self.here[index].say(bytes, self.harness.now);
        let id = self.slot_of(index);
        self.harness.shard.readable(id, self.harness.now);
    }

    fn hang_up(&mut self, index: usize) {
        self.here[index].close_expected = true;
        self.here[index].socket.0.borrow_mut().gone = true;
        let id = self.slot_of(index);
        self.harness.shard.readable(id, self.harness.now);
    }

    /// What is counted as it happens is what is so.
    fn check_round_stats(&self) {
        let shard = &self.harness.shard;
        let clients = || shard.clients.iter().map(|(_, client)| client);
        let waiting: u32 = clients().map(|client| client.session.waiting()).sum();
        let blocked = clients().filter(|client| client.is_blocked()).count();
        assert_eq!(
            (shard.round_stats.waiting, shard.round_stats.blocked),
            (waiting as usize, blocked)
        );
    }

    /// The client's place in the shard; somewhere nobody is when it has left.
    fn slot_of(&self, index: usize) -> u32 {
        let socket = &self.here[index].socket;
        let same = |wire: &super::wire::SimulatedSocket| std::rc::Rc::ptr_eq(&wire.0, &socket.0);
        let mut clients = self.harness.shard.clients.iter();
        let found = clients.find(|(_, client)| same(&client.transport));
        found.map_or(u32::MAX, |(slot, _)| u32::try_from(slot).unwrap())
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
fn every_promise_is_kept_whatever_happens() {
    for seed in 0..6 {
        println!("seed {seed}");
        run_seed(seed);
    }
}

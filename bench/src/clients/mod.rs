//! Thousands of WebSocket clients on one thread, a kilobyte each at most.

mod client;
pub mod wire;

use client::{BenchClient, ConnectionState};
use mio::{Events, Interest, Poll, Token};
use std::{
    io,
    time::{Duration, Instant},
};

/// Clients that connect or log in at once.
const AT_ONCE: usize = 512;

/// A message that a client has received.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedMessage {
    /// Which client.
    pub client: usize,
    /// When.
    pub at: Instant,
    /// The number in a custom message; `None` for everything else.
    pub number: Option<u64>,
}

/// Who connects, and how.
#[derive(Debug, Clone)]
pub struct ConnectionPlan {
    /// The daemons' ports: clients are dealt out to them in turn.
    pub ports: Vec<u16>,
    /// Number of the first user.
    pub first: usize,
    /// How many users, one client each.
    pub count: usize,
    /// A client that isn't in after this time gives up and tries again.
    pub patience: Duration,
    /// How long a client waits before it tries again.
    pub pause: Duration,
}

impl ConnectionPlan {
    /// So many users from the first on, who wait as the original allows.
    pub fn new(port: u16, count: usize) -> Self {
        Self::spread(vec![port], count)
    }

    /// The same, at several daemons.
    pub fn spread(ports: Vec<u16>, count: usize) -> Self {
        let (patience, pause) = (Duration::from_secs(15), Duration::from_secs(1));
        Self { ports, first: 0, count, patience, pause }
    }
}

/// Clients of one daemon.
pub struct ClientPool {
    poll: Poll,
    events: Events,
    clients: Vec<BenchClient>,
    plan: ConnectionPlan,
    buffer: Box<[u8]>,
    received: Vec<ReceivedMessage>,
    waiting: Vec<(Instant, usize)>,
    connecting: usize,
    inside: usize,
    /// Connections lost or refused so far.
    pub failures: usize,
}

impl ClientPool {
    /// Connects all of them and waits until they are in; fails when that takes too long.
    pub fn connect(plan: ConnectionPlan, at_most: Duration) -> io::Result<Self> {
        let count = plan.count;
        let mut clients = Self::begin(plan)?;
        clients.all_in(count, at_most)?;
        Ok(clients)
    }

    /// Lets so many more connect and waits until they are in.
    pub fn grow(&mut self, by: usize, at_most: Duration) -> io::Result<()> {
        let (now, from) = (Instant::now(), self.clients.len());
        let numbers = from..from + by;
        self.clients.extend(numbers.clone().map(|index| BenchClient::new(self.plan.first + index)));
        self.waiting.extend(numbers.rev().map(|index| (now, index)));
        self.all_in(from + by, at_most)
    }

    fn all_in(&mut self, count: usize, at_most: Duration) -> io::Result<()> {
        let deadline = Instant::now() + at_most;
        while self.inside < count {
            if Instant::now() > deadline {
                let message = format!("only {} of {count} clients got in", self.inside);
                return Err(io::Error::other(message));
            }
            self.pump(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// The same, without waiting: call [`ClientPool::pump`].
    pub fn begin(plan: ConnectionPlan) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            clients: (0..plan.count).map(|index| BenchClient::new(plan.first + index)).collect(),
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
            received: Vec::new(),
            waiting: (0..plan.count).rev().map(|index| (now, index)).collect(),
            plan,
            connecting: 0,
            inside: 0,
            failures: 0,
        })
    }

    /// How many are logged in.
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// Lets the clients work for this long; returns early when something was received.
    pub fn pump(&mut self, time: Duration) -> io::Result<()> {
        self.start_some()?;
        self.poll.poll(&mut self.events, Some(time))?;
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for index in ready {
            self.work(index);
        }
        self.lose_patience();
        Ok(())
    }

    /// Lets the clients work until this moment.
    pub fn until(&mut self, then: Instant) -> io::Result<()> {
        while let Some(left) = then.checked_duration_since(Instant::now()) {
            self.pump(left.min(Duration::from_millis(50)))?;
        }
        Ok(())
    }

    /// What was received since it was last asked.
    pub fn take(&mut self) -> Vec<ReceivedMessage> {
        std::mem::take(&mut self.received)
    }

    fn start_some(&mut self) -> io::Result<()> {
        let now = Instant::now();
        while self.connecting < AT_ONCE && self.waiting.last().is_some_and(|(at, _)| *at <= now) {
            let Some((_, index)) = self.waiting.pop() else { break };
            let both = Interest::READABLE | Interest::WRITABLE;
            let port = self.plan.ports[index % self.plan.ports.len()];
            let stream = self.clients[index].connect(port)?;
            self.poll.registry().register(stream, Token(index), both)?;
            self.connecting += 1;
        }
        Ok(())
    }

    fn work(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let was_inside = client.is_inside();
        let received = &mut self.received;
        let at = Instant::now();
        let hear = |number| received.push(ReceivedMessage { client: index, at, number });
        match client.work(&mut self.buffer, hear) {
            ConnectionState::Going => {
                if !was_inside && client.is_inside() {
                    self.connecting -= 1;
                    self.inside += 1;
                }
            }
            ConnectionState::Lost => {
                if client.is_connected() {
                    self.drop_client(index, was_inside);
                }
            }
        }
    }

    fn drop_client(&mut self, index: usize, was_inside: bool) {
        self.clients[index].disconnect();
        if was_inside {
            self.inside -= 1;
        } else {
            self.connecting -= 1;
        }
        self.failures += 1;
        self.waiting.push((Instant::now() + self.plan.pause, index));
        self.waiting.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    }

    fn lose_patience(&mut self) {
        if self.connecting == 0 {
            return;
        }
        let patience = self.plan.patience;
        let late: Vec<usize> = (0..self.clients.len())
            .filter(|index| self.clients[*index].is_waiting_longer_than(patience))
            .collect();
        late.into_iter().for_each(|index| self.drop_client(index, false));
    }
}

//! One part of a hub: some of its clients, which one task serves.
//!
//! Everything here is synchronous and gets the time passed in: [`super::event_loop`] runs it on real
//! sockets, the simulation on simulated ones. A [`Shard::pass`] does a bounded amount of work, in three
//! equal parts: commands, deadlines, reading. What is left waits for the next pass, so that the caller can
//! give others their turn in between.

use super::{
    HubContext,
    backlog::OutgoingFrame,
    clients::ClientTable,
    command::{ListedSession, SessionGuard, SessionId, ShardCommand},
    context::SessionPolicy,
    delay_cause::DelayCause,
    fan_out_job::FanOutJob,
    inbound_queue::InboundQueue,
    membership::MembershipTable,
    replay_limiter::ReplayLimiter,
    round_stats::RoundStats,
    transport::{ClientTransport, TransportWatcher},
    work::{WorkClock, WorkSlice},
};
use crate::{
    push::session::{CloseReason, Millis, SessionAction},
    websocket::frame::Frame,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// The clients of one shard and all that is known of them.
pub struct Shard<T, W> {
    pub(super) context: Arc<HubContext>,
    pub(super) policy: SessionPolicy,
    pub(super) watcher: W,
    /// The clients and their deadlines.
    pub(super) clients: ClientTable<T>,
    /// Who listens as which recipient.
    pub(super) members: MembershipTable,
    /// Whose turn it is to be read.
    pub(super) inbound: InboundQueue,
    pub(super) replays: ReplayLimiter,
    /// By the client's id, where the service has one.
    pub(super) guards: HashMap<u32, SessionGuard>,
    /// What the hub asks for.
    pub(super) commands: CommandQueue<T>,
    pub(super) round_stats: RoundStats,
    pub(super) rng: fastrand::Rng,
    pub(super) draining: bool,
    number: u16,
}

/// Commands in the order in which they came; the first may be in progress.
pub struct CommandQueue<T> {
    waiting: VecDeque<ShardCommand<T>>,
    pub(super) fan_out: Option<FanOutJob>,
}

impl<T> CommandQueue<T> {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.fan_out.is_none()
    }
}

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// A shard without clients.
    pub fn new(context: Arc<HubContext>, watcher: W, number: u16, rng: fastrand::Rng) -> Self {
        Self {
            policy: context.session_policy,
            context,
            watcher,
            clients: ClientTable::default(),
            members: MembershipTable::default(),
            inbound: InboundQueue::default(),
            replays: ReplayLimiter::default(),
            guards: HashMap::new(),
            commands: CommandQueue { waiting: VecDeque::new(), fan_out: None },
            round_stats: RoundStats::default(),
            rng,
            draining: false,
            number,
        }
    }

    /// Adds commands, to be executed in order by the next passes. The caller adds a bounded number, and
    /// more only when [`Shard::takes_commands`].
    pub fn enqueue(&mut self, commands: impl IntoIterator<Item = ShardCommand<T>>) {
        self.commands.waiting.extend(commands);
    }

    /// Whether all earlier commands are executed.
    pub fn takes_commands(&self) -> bool {
        self.commands.is_empty()
    }

    /// Works for about [`super::work::PASS`] at most.
    pub fn pass(&mut self, now: Millis, clock: WorkClock<'_>) {
        self.run_commands(now, &WorkSlice::begin(clock));
        self.run_deadlines(now, &WorkSlice::begin(clock));
        self.read_in_turn(now, &WorkSlice::begin(clock));
        let depth = self.context.depths.get(usize::from(self.number));
        self.round_stats.publish(&*self.context.observer, depth);
    }

    /// Whether a pass has something to do, whatever the time.
    pub fn has_work(&self) -> bool {
        self.inbound.is_ready() || !self.commands.is_empty()
    }

    /// When the next pass has something to do because of the time.
    pub fn next_deadline(&self) -> Option<Millis> {
        let resume = self.inbound.next_resume();
        self.clients.next_deadline().into_iter().chain(resume).min()
    }

    fn run_commands(&mut self, now: Millis, slice: &WorkSlice<'_>) {
        loop {
            if self.commands.fan_out.is_some() {
                self.continue_fan_out(now, slice);
            } else if let Some(command) = self.commands.waiting.pop_front() {
                self.execute(command, now);
            } else {
                return;
            }
            if slice.is_over() {
                return;
            }
        }
    }

    fn execute(&mut self, command: ShardCommand<T>, now: Millis) {
        match command {
            ShardCommand::Join(join_request) => self.join(join_request, now),
            ShardCommand::Notify(notify) => self.begin_notify(notify),
            ShardCommand::Gap { spread, fan_out } => self.begin_gap(spread, fan_out),
            // Pending notices stay due when they were.
            ShardCommand::ApplyPolicy(policy) => self.policy = policy,
            ShardCommand::Close(session, close) => self.close(session, close, now),
            ShardCommand::Disconnect(recipient, close, reply) => {
                self.begin_disconnect(recipient, close, reply);
            }
            // The caller may have given up: nothing is lost by that.
            ShardCommand::Count(recipient, reply) => drop(reply.send(self.count(&recipient))),
            ShardCommand::List(from, count, reply) => drop(reply.send(self.list(from, count))),
        }
    }

    fn run_deadlines(&mut self, now: Millis, slice: &WorkSlice<'_>) {
        self.resume_paused(now, slice);
        while let Some(due) = self.clients.pop_due(now) {
            if let Some(id) = due {
                self.handle_deadline(id, now);
            }
            if slice.is_over() {
                return;
            }
        }
    }

    fn handle_deadline(&mut self, id: u32, now: Millis) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if client.is_overdue(now) {
            let close = client.closing().unwrap_or(CloseReason::Slow);
            return self.abort(id, close);
        }
        if client.closing().is_none() {
            match client.session.beat(now) {
                SessionAction::Ping => {
                    self.send(id, &mut OutgoingFrame::new(Frame::ping(b"")), now);
                }
                SessionAction::Dead => return self.abort(id, CloseReason::Silent),
                SessionAction::Over => {
                    let close =
                        if self.draining { CloseReason::Shutdown } else { CloseReason::Expired };
                    return self.start_close(id, close, now);
                }
                SessionAction::Wait => {}
            }
            self.send_due_changes(id, now, DelayCause::Daemon);
        }
        self.clients.schedule(id);
    }

    /// At most `count` sessions, starting at slot `from`.
    fn list(&self, from: u32, count: usize) -> Vec<ListedSession> {
        let open = self.clients.starting_at(from).filter(|(_, client)| client.closing().is_none());
        let listed = open.take(count).filter_map(|(slot, client)| {
            let id = SessionId { shard: self.number, slot, serial: client.serial };
            let recipient = self.members.primary(slot)?.clone();
            Some(ListedSession { id, recipient, auth_method: client.auth_method.clone() })
        });
        listed.collect()
    }
}

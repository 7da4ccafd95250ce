//! A shard with a clock of its own and a dialect that words things plainly.

use super::wire::{NoopWatcher, SimulatedSocket};
use crate::push::{
    AuthMethod, AuthenticatedClient,
    hub::{
        HubContext, HubObserver,
        backlog_memory::BacklogMemory,
        command::{JoinRequest, NotifyCommand, ShardCommand},
        context::{HubLimits, HubSettings, SessionPolicy, ShardPolicy},
        shard::Shard,
        work::PASS,
    },
    notice::{ChangedIds, Notice, NoticeAudience, TopicId},
    plain_dialect::PlainDialect,
    recipient::Recipient,
    session::{CloseReason, DebouncePolicy, Millis},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{cell::Cell, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};

/// Records how sessions ended.
#[derive(Default)]
struct CloseRecorder(Mutex<Vec<CloseReason>>);

impl HubObserver for CloseRecorder {
    fn left(&self, close: CloseReason) {
        self.0.lock().push(close);
    }
}

/// A shard, its clock, and the steps that fit into one slice.
pub(super) struct SimulationHarness {
    pub(super) shard: Shard<SimulatedSocket, NoopWatcher>,
    pub(super) memory: BacklogMemory,
    ends: Arc<CloseRecorder>,
    pub(super) now: Millis,
    /// The time that each look at the clock takes.
    pub(super) step: Duration,
}

impl SimulationHarness {
    pub(super) fn new(push_rate: u32) -> Self {
        Self::with(
            push_rate,
            HubLimits {
                per_recipient: 3,
                max_connection: None,
                subscriptions: 3,
                subscription_bytes: usize::MAX,
            },
        )
    }

    pub(super) fn with(push_rate: u32, limits: HubLimits) -> Self {
        Self::at(DebouncePolicy { max: 15_000, enabled: true }, push_rate, limits)
    }

    pub(super) fn at(debounce: DebouncePolicy, push_rate: u32, limits: HubLimits) -> Self {
        let ends = Arc::new(CloseRecorder::default());
        let settings = HubSettings {
            dialect: Arc::new(PlainDialect),
            session_policy: SessionPolicy { debounce, limits },
            push_rate,
            shards: 1,
            shard_policy: ShardPolicy::ByRecipient,
            grace: Duration::from_secs(3),
            observer: Arc::clone(&ends) as Arc<dyn HubObserver>,
        };
        let memory = BacklogMemory::default();
        let context = Arc::new(HubContext::new(settings, memory.clone()));
        let shard = Shard::new(context, NoopWatcher, 0, fastrand::Rng::with_seed(7));
        Self { shard, memory, ends, now: 0, step: PASS / 20 }
    }

    /// One pass, in which each look at the clock costs a step.
    pub(super) fn pass(&mut self) {
        let (elapsed, step) = (Cell::new(Duration::from_millis(self.now)), self.step);
        self.shard.pass(self.now, &|| {
            elapsed.set(elapsed.get() + step);
            elapsed.get()
        });
    }

    /// Passes until nothing is left to do at this time; returns how many.
    pub(super) fn settle(&mut self) -> usize {
        let mut passes = 0;
        let due = |shard: &Shard<_, _>, now| shard.next_deadline().is_some_and(|at| at <= now);
        while self.shard.has_work() || due(&self.shard, self.now) {
            self.pass();
            passes += 1;
        }
        passes
    }

    /// Executes one command completely.
    pub(super) fn execute(&mut self, command: ShardCommand<SimulatedSocket>) {
        self.shard.enqueue([command]);
        while !self.shard.takes_commands() {
            self.pass();
        }
    }

    pub(super) fn join(&mut self, name: &str) -> SimulatedSocket {
        self.join_sending(name, &[])
    }

    pub(super) fn join_sending(&mut self, name: &str, leftover: &[u8]) -> SimulatedSocket {
        let socket = SimulatedSocket::default();
        let authenticated =
            AuthenticatedClient { recipient: name.into(), auth_method: AuthMethod::Open };
        let leftover = Bytes::copy_from_slice(leftover);
        let join_request = JoinRequest::new(socket.clone(), leftover, authenticated);
        self.execute(ShardCommand::Join(join_request));
        socket
    }

    /// The client in this slot has sent these bytes.
    pub(super) fn receive(&mut self, id: u32, socket: &SimulatedSocket, bytes: &[u8]) {
        socket.0.borrow_mut().inbound.extend_from_slice(bytes);
        self.shard.mark_readable(id);
        self.settle();
    }

    /// The client in this slot has closed its connection.
    pub(super) fn hang_up(&mut self, id: u32, socket: &SimulatedSocket) {
        socket.0.borrow_mut().gone = true;
        self.shard.mark_readable(id);
        self.settle();
    }

    pub(super) fn notify(&mut self, audience: NoticeAudience, notice: Notice) {
        self.execute(ShardCommand::Notify(NotifyCommand {
            audience,
            notice,
            received_at: self.now,
            at: Instant::now(),
            fan_out: Some(Arc::default()),
        }));
    }

    pub(super) fn notify_one(&mut self, name: &str, notice: Notice) {
        self.notify(NoticeAudience::One(name.into()), notice);
    }

    pub(super) fn change(&mut self, name: &str, topic: u8, id: Option<i64>) {
        let ids = id.map_or(ChangedIds::Unknown, ChangedIds::one);
        self.notify_one(name, Notice::Change { topic: TopicId(topic), ids });
    }

    pub(super) fn gap(&mut self, spread: Millis) {
        self.execute(ShardCommand::Gap { spread, fan_out: Arc::default() });
    }

    /// Closes the sessions of a recipient; returns their number.
    pub(super) fn disconnect(&mut self, name: &str, close: CloseReason) -> usize {
        let (reply, mut answer) = oneshot::channel();
        self.execute(ShardCommand::Disconnect(Some(Recipient::from(name)), close, reply));
        answer.try_recv().unwrap()
    }

    pub(super) fn list(&mut self) -> Vec<crate::push::hub::ListedSession> {
        let (reply, mut answer) = oneshot::channel();
        self.execute(ShardCommand::List(0, 1000, reply));
        answer.try_recv().unwrap()
    }

    /// Lets time pass, stopping at every deadline as the event loop does.
    pub(super) fn until(&mut self, then: Millis) {
        self.settle();
        while let Some(at) = self.shard.next_deadline().filter(|at| *at <= then) {
            self.now = self.now.max(at);
            self.settle();
        }
        self.now = then;
    }

    pub(super) fn ends(&self) -> Vec<CloseReason> {
        self.ends.0.lock().clone()
    }
}

//! A shard with a clock of its own, and a host that words things plainly.

use super::wire::{NoopWatcher, SimulatedSocket};
use crate::push::{
    AuthMethod, AuthenticatedClient,
    hub::{
        HubContext, HubObserver,
        command::{JoinRequest, NoticeAudience, NoticeBody, NotifyCommand},
        context::{HubLimits, HubSettings, SessionPolicy, ShardPolicy},
        shard::Shard,
    },
    notice::{ChangedIds, TopicId},
    plain_dialect::PlainDialect,
    session::{CloseReason, DebouncePolicy, Millis},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How sessions ended.
#[derive(Default)]
struct CloseRecorder(std::sync::Mutex<Vec<CloseReason>>);

impl HubObserver for CloseRecorder {
    fn left(&self, close: CloseReason) {
        self.0.lock().unwrap().push(close);
    }
}

/// A shard with a clock of its own.
pub(super) struct SimulationHarness {
    pub(super) shard: Shard<SimulatedSocket, NoopWatcher>,
    ends: Arc<CloseRecorder>,
    pub(super) now: Millis,
}

impl SimulationHarness {
    pub(super) fn new(push_rate: u32) -> Self {
        Self::with(
            push_rate,
            HubLimits { per_recipient: 3, max_connection: None, subscriptions: 3 },
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
        let shared = Arc::new(HubContext::new(settings));
        let shard = Shard::new(shared, NoopWatcher, 0, fastrand::Rng::with_seed(7));
        Self { shard, ends, now: 0 }
    }

    pub(super) fn join(&mut self, name: &str) -> SimulatedSocket {
        self.join_sending(name, &[])
    }

    pub(super) fn join_sending(&mut self, name: &str, leftover: &[u8]) -> SimulatedSocket {
        let socket = SimulatedSocket::default();
        let authenticated =
            AuthenticatedClient { recipient: name.into(), auth_method: AuthMethod::Open };
        let leftover = Bytes::copy_from_slice(leftover);
        self.shard.join(JoinRequest::new(socket.clone(), leftover, authenticated), self.now);
        socket
    }

    pub(super) fn notify(&mut self, name: &str, what: NoticeBody) {
        let audience = NoticeAudience::One(name.into());
        let notify = NotifyCommand {
            audience,
            what,
            received_at: self.now,
            at: Instant::now(),
            fan_out: Some(Arc::default()),
        };
        self.shard.notify(&notify, self.now);
    }

    pub(super) fn change(&mut self, name: &str, topic: u8, id: Option<i64>) {
        self.notify(
            name,
            NoticeBody::Change(TopicId(topic), id.map_or(ChangedIds::Unknown, ChangedIds::one)),
        );
    }

    /// Lets time pass, stopping at every deadline as the event loop does.
    pub(super) fn until(&mut self, then: Millis) {
        while let Some(at) = self.shard.next_deadline().filter(|at| *at <= then) {
            self.now = self.now.max(at);
            self.shard.pass_time(self.now, 16);
        }
        self.now = then;
    }

    pub(super) fn ends(&self) -> Vec<CloseReason> {
        self.ends.0.lock().unwrap().clone()
    }
}

//! A command for many clients in progress: its targets and what happens to them.

use super::{
    backlog::OutgoingFrame,
    membership::{ClientIds, MembershipTable},
    rate_limiter::FanOut,
};
use crate::push::{
    notice::{ChangedIds, TopicId},
    recipient::Recipient,
    session::{CloseReason, Millis},
};
use std::sync::Arc;
use tokio::{sync::oneshot, time::Instant};

/// A command that concerns many clients, in progress. No client joins while one is.
pub struct FanOutJob {
    pub(super) targets: FanOutTargets,
    pub(super) action: FanOutAction,
    pub(super) reached: usize,
}

/// What happens to each client.
pub(super) enum FanOutAction {
    Change { topic: TopicId, ids: ChangedIds, received_at: Millis, count: FanOutCount },
    Send { frame: OutgoingFrame, at: Instant },
    Gap { spread: Millis, count: FanOutCount },
    Close { reason: CloseReason, reply: oneshot::Sender<usize> },
}

/// Counts over all shards, or for this one alone.
pub(super) struct FanOutCount {
    shared: Option<Arc<FanOut>>,
    own: FanOut,
}

impl FanOutCount {
    pub(super) fn new(shared: Option<Arc<FanOut>>) -> Self {
        Self { shared, own: FanOut::default() }
    }

    pub(super) fn get(&self) -> &FanOut {
        self.shared.as_deref().unwrap_or(&self.own)
    }
}

/// The clients concerned, each once.
#[derive(Default)]
pub(super) struct FanOutTargets {
    pub(super) ids: ClientIds,
    pub(super) next: usize,
    /// Recipients whose clients follow, and the index of the next.
    pub(super) recipients: Option<(Arc<[Recipient]>, usize)>,
}

/// The next client of a fan-out.
pub(super) enum NextTarget {
    Client(u32),
    /// A recipient has no client here.
    Skip,
    End,
}

impl FanOutTargets {
    pub(super) fn next(&mut self, members: &MembershipTable) -> NextTarget {
        if let Some(id) = self.ids.get(self.next) {
            self.next += 1;
            return NextTarget::Client(*id);
        }
        let Some((recipients, index)) = &mut self.recipients else { return NextTarget::End };
        let Some(recipient) = recipients.get(*index) else { return NextTarget::End };
        *index += 1;
        (self.ids, self.next) = (ClientIds::from_slice(members.clients(recipient)), 0);
        NextTarget::Skip
    }
}

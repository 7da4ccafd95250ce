//! Something for many clients, done in slices: the rest of the shard doesn't wait until all are reached.

use super::{
    backlog::OutgoingFrame,
    command::NotifyCommand,
    fan_out_job::{FanOutAction, FanOutCount, FanOutJob, FanOutTargets, NextTarget},
    membership::ClientIds,
    rate_limiter::FanOut,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
    work::WorkSlice,
};
use crate::push::{
    notice::{ChangedIds, Notice, NoticeAudience, TOPICS, TopicId},
    recipient::Recipient,
    session::{CloseReason, Millis},
};
use smallvec::SmallVec;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Clients reached before the clock is looked at again.
const STEPS: usize = 16;

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Begins to notify clients: a change is added to their pending notices, a frame is sent.
    pub(super) fn begin_notify(&mut self, command: NotifyCommand) {
        let NotifyCommand { audience, notice, received_at, at, fan_out } = command;
        let action = match notice {
            Notice::Change { topic, ids } => {
                FanOutAction::Change { topic, ids, received_at, count: FanOutCount::new(fan_out) }
            }
            Notice::Opaque(frame) => FanOutAction::Send { frame: OutgoingFrame::new(frame), at },
        };
        self.begin(self.targets(audience), action);
    }

    /// Begins to notify every client of every topic: events may have been missed.
    pub(super) fn begin_gap(&mut self, spread: Millis, fan_out: Arc<FanOut>) {
        let count = FanOutCount::new(Some(fan_out));
        self.begin(self.targets(NoticeAudience::Everyone), FanOutAction::Gap { spread, count });
    }

    /// Begins to close every session of a recipient, or all sessions.
    pub(super) fn begin_disconnect(
        &mut self,
        recipient: Option<Recipient>,
        reason: CloseReason,
        reply: oneshot::Sender<usize>,
    ) {
        let audience = recipient.map_or(NoticeAudience::Everyone, NoticeAudience::One);
        self.begin(self.targets(audience), FanOutAction::Close { reason, reply });
    }

    fn begin(&mut self, targets: FanOutTargets, action: FanOutAction) {
        self.commands.fan_out = Some(FanOutJob { targets, action, reached: 0 });
    }

    fn targets(&self, audience: NoticeAudience) -> FanOutTargets {
        let ids = match audience {
            NoticeAudience::One(recipient) => {
                ClientIds::from_slice(self.members.clients(&recipient))
            }
            NoticeAudience::Many(recipients)
                if recipients.len() > 1 && self.policy.limits.subscriptions > 0 =>
            {
                self.listeners(&recipients)
            }
            // With nothing but primary subscriptions, no client is reached twice.
            NoticeAudience::Many(recipients) => {
                return FanOutTargets { recipients: Some((recipients, 0)), ..Default::default() };
            }
            NoticeAudience::Everyone => self.clients.ids().collect(),
        };
        FanOutTargets { ids, ..Default::default() }
    }

    fn listeners(&self, recipients: &[Recipient]) -> ClientIds {
        let all = recipients.iter().flat_map(|recipient| self.members.clients(recipient));
        let mut ids: ClientIds = all.copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Goes on with the fan-out until it is complete or the slice is over.
    pub(super) fn continue_fan_out(&mut self, now: Millis, slice: &WorkSlice<'_>) {
        let Some(mut job) = self.commands.fan_out.take() else { return };
        for step in 1.. {
            match job.targets.next(&self.members) {
                NextTarget::Client(id) => {
                    job.reached += 1;
                    self.reach(id, &mut job.action, now);
                }
                NextTarget::Skip => {}
                NextTarget::End => return self.finish_fan_out(job),
            }
            if step % STEPS == 0 && slice.is_over() {
                break;
            }
        }
        self.commands.fan_out = Some(job);
    }

    fn reach(&mut self, id: u32, action: &mut FanOutAction, now: Millis) {
        match action {
            FanOutAction::Change { topic, ids, received_at, count } => {
                self.queue_change(id, *topic, ids, *received_at, count.get());
            }
            FanOutAction::Send { frame, .. } => self.send(id, frame, now),
            FanOutAction::Gap { spread, count } => self.queue_gap(id, *spread, count.get(), now),
            FanOutAction::Close { reason, .. } => self.start_close(id, *reason, now),
        }
    }

    fn finish_fan_out(&mut self, job: FanOutJob) {
        match job.action {
            FanOutAction::Send { at, .. } if job.reached > 0 => {
                self.context.observer.opaque_sent(job.reached as u64, at);
            }
            // The caller may have given up: nothing is lost by that.
            FanOutAction::Close { reply, .. } => drop(reply.send(job.reached)),
            _ => {}
        }
    }

    fn receives_changes(&self, id: u32) -> bool {
        let primary = self.members.primary(id);
        primary.is_some_and(|primary| self.context.dialect.receives_changes(primary))
    }

    fn queue_gap(&mut self, id: u32, spread: Millis, fan_out: &FanOut, now: Millis) {
        let topics = self.context.dialect.topics().len().min(TOPICS);
        let due = now + self.rng.u64(0..=spread);
        if !self.receives_changes(id) {
            return;
        }
        let Some(client) = self.clients.get_mut(id) else { return };
        let topics = (0..topics).filter_map(|index| u8::try_from(index).ok().map(TopicId));
        let began: SmallVec<[TopicId; TOPICS]> = topics
            .filter(|topic| client.session.change(*topic, &ChangedIds::Unknown, now, due))
            .collect();
        // A client that already waits for everything takes no further slot: a Redis that comes and goes
        // would push the slots of all fan-outs further and further into the future.
        self.round_stats.waiting += began.len();
        if !began.is_empty()
            && let Some(slot) = self.context.rate_limiter.slot(fan_out, now)
        {
            began.iter().for_each(|topic| client.session.defer(*topic, slot));
        }
        self.clients.schedule(id);
    }

    fn queue_change(
        &mut self,
        id: u32,
        topic: TopicId,
        ids: &ChangedIds,
        at: Millis,
        fan_out: &FanOut,
    ) {
        let due = at + self.policy.debounce.merge_window();
        let Some(client) = self.clients.get_mut(id) else { return };
        if !client.session.change(topic, ids, at, due) {
            return;
        }
        self.round_stats.waiting += 1;
        if self.policy.debounce.enabled
            && let Some(slot) = self.context.rate_limiter.slot(fan_out, due)
        {
            client.session.defer(topic, slot);
        }
        self.clients.schedule(id);
    }
}

//! Telling: from recipients to the outboxes and sockets of their clients.

use super::{
    command::{NoticeAudience, NoticeBody, NotifyCommand},
    rate_limiter::FanOut,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::{
    push::{
        notice::{ChangedIds, TOPICS, TopicId},
        recipient::Recipient,
        session::Millis,
    },
    websocket::frame::Frame,
};
use smallvec::SmallVec;
use tokio::time::Instant;

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Tells the clients concerned: a change goes into their outboxes, a frame to their sockets.
    pub fn notify(&mut self, notify: &NotifyCommand, now: Millis) {
        let alone = FanOut::default();
        let fan_out = notify.fan_out.as_deref().unwrap_or(&alone);
        match &notify.what {
            NoticeBody::Change(topic, ids) => {
                self.each(&notify.audience, |shard, id| {
                    shard.queue_change(id, *topic, ids, notify.received_at, fan_out);
                });
            }
            NoticeBody::Frame(frame) => self.send_opaque(&notify.audience, frame, notify.at, now),
        }
    }

    /// Events may have been missed: everyone is notified of every topic, spread over `spread`.
    pub fn gap(&mut self, spread: Millis, fan_out: &FanOut, now: Millis) {
        let topics = self.shared.dialect.topics().len().min(TOPICS);
        self.each(&NoticeAudience::Everyone, |shard, id| {
            let due = now + shard.jitter(spread);
            let Some(client) = shard.clients.get_mut(id as usize) else { return };
            let topics = (0..topics).filter_map(|index| u8::try_from(index).ok().map(TopicId));
            let began: SmallVec<[TopicId; TOPICS]> = topics
                .filter(|topic| client.session.change(*topic, &ChangedIds::Unknown, now, due))
                .collect();
            // Who waits for everything already takes no further slot: a Redis that comes and goes
            // would push the slots of all fan_outs further and further into the future.
            shard.round_stats.waiting += began.len();
            if !began.is_empty()
                && let Some(slot) = shard.shared.rate_limiter.slot(fan_out, now)
            {
                began.iter().for_each(|topic| client.session.defer(*topic, slot));
            }
            shard.schedule(id);
        });
    }

    fn queue_change(
        &mut self,
        id: u32,
        topic: TopicId,
        ids: &ChangedIds,
        at: Millis,
        fan_out: &FanOut,
    ) {
        let due = at + self.session_policy.debounce.merge_window();
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        if !client.session.change(topic, ids, at, due) {
            return;
        }
        self.round_stats.waiting += 1;
        if self.session_policy.debounce.enabled
            && let Some(slot) = self.shared.rate_limiter.slot(fan_out, due)
        {
            client.session.defer(topic, slot);
        }
        self.schedule(id);
    }

    fn send_opaque(&mut self, audience: &NoticeAudience, frame: &Frame, at: Instant, now: Millis) {
        let mut count = 0;
        self.each(audience, |shard, id| {
            shard.send(id, frame, now);
            count += 1;
        });
        if count > 0 {
            self.shared.observer.opaque_sent(count, at);
        }
    }

    /// Calls `act` for every client concerned. Clients may leave while it runs.
    fn each(&mut self, audience: &NoticeAudience, mut act: impl FnMut(&mut Self, u32)) {
        match audience {
            NoticeAudience::One(recipient) => self.each_of(recipient, &mut act),
            NoticeAudience::Many(recipients)
                if recipients.len() > 1 && self.subscriptions.is_in_use() =>
            {
                self.listeners(recipients).into_iter().for_each(|id| act(self, id));
            }
            NoticeAudience::Many(recipients) => {
                for recipient in recipients.iter() {
                    self.each_of(recipient, &mut act);
                }
            }
            NoticeAudience::Everyone => {
                let ids: Vec<u32> = self.ids().collect();
                ids.into_iter().for_each(|id| act(self, id));
            }
        }
    }

    /// Those who listen as any of these, each once.
    fn listeners(&self, recipients: &[Recipient]) -> Vec<u32> {
        let all = recipients.iter().flat_map(|recipient| self.members.clients(recipient));
        let mut ids: Vec<u32> = all.copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn each_of(&mut self, recipient: &str, act: &mut impl FnMut(&mut Self, u32)) {
        let ids: SmallVec<[u32; 4]> = SmallVec::from_slice(self.members.clients(recipient));
        for id in ids {
            act(self, id);
        }
    }
}

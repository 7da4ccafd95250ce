//! Telling: from recipients to the outboxes and sockets of their clients.

use super::{
    command::{Tell, What, Whom},
    pacer::Crowd,
    shard::Shard,
    transport::{Transport, Watcher},
};
use crate::{
    push::{
        notice::{Ids, TOPICS, Topic},
        recipient::Recipient,
        session::Millis,
    },
    websocket::frame::Frame,
};
use smallvec::SmallVec;
use tokio::time::Instant;

impl<T: Transport, W: Watcher<T>> Shard<T, W> {
    /// Tells the clients concerned: a change goes into their outboxes, a frame to their sockets.
    pub fn tell(&mut self, tell: &Tell, now: Millis) {
        let alone = Crowd::default();
        let crowd = tell.crowd.as_deref().unwrap_or(&alone);
        match &tell.what {
            What::Change(topic, ids) => {
                self.each(&tell.whom, |shard, id| {
                    shard.mark(id, *topic, ids, tell.heard_at, crowd);
                });
            }
            What::Frame(frame) => self.pass_on(&tell.whom, frame, tell.at, now),
        }
    }

    /// Events may have been missed: everyone is told of every topic, spread over `spread`.
    pub fn gap(&mut self, spread: Millis, crowd: &Crowd, now: Millis) {
        let topics = self.shared.dialect.topics().len().min(TOPICS);
        self.each(&Whom::Everyone, |shard, id| {
            let due = now + shard.jitter(spread);
            let Some(client) = shard.clients.get_mut(id as usize) else { return };
            let topics = (0..topics).filter_map(|index| u8::try_from(index).ok().map(Topic));
            let began: SmallVec<[Topic; TOPICS]> = topics
                .filter(|topic| client.session.change(*topic, &Ids::Unknown, now, due))
                .collect();
            // Who waits for everything already takes no further slot: a Redis that comes and goes
            // would push the slots of all crowds further and further into the future.
            shard.tally.waiting += began.len();
            if !began.is_empty()
                && let Some(slot) = shard.shared.pacer.slot(crowd, now)
            {
                began.iter().for_each(|topic| client.session.put_off(*topic, slot));
            }
            shard.schedule(id);
        });
    }

    fn mark(&mut self, id: u32, topic: Topic, ids: &Ids, at: Millis, crowd: &Crowd) {
        let due = at + self.terms.pace.merge_window();
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        if !client.session.change(topic, ids, at, due) {
            return;
        }
        self.tally.waiting += 1;
        if self.terms.pace.enabled
            && let Some(slot) = self.shared.pacer.slot(crowd, due)
        {
            client.session.put_off(topic, slot);
        }
        self.schedule(id);
    }

    fn pass_on(&mut self, whom: &Whom, frame: &Frame, at: Instant, now: Millis) {
        let mut count = 0;
        self.each(whom, |shard, id| {
            shard.send(id, frame, now);
            count += 1;
        });
        if count > 0 {
            self.shared.observer.passed_on(count, at);
        }
    }

    /// Calls `act` for every client concerned. Clients may leave while it runs.
    fn each(&mut self, whom: &Whom, mut act: impl FnMut(&mut Self, u32)) {
        match whom {
            Whom::One(recipient) => self.each_of(recipient, &mut act),
            Whom::Many(recipients) if recipients.len() > 1 && self.subscriptions.is_in_use() => {
                self.listeners(recipients).into_iter().for_each(|id| act(self, id));
            }
            Whom::Many(recipients) => {
                for recipient in recipients.iter() {
                    self.each_of(recipient, &mut act);
                }
            }
            Whom::Everyone => {
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

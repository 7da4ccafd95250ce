//! Changes that one client hasn't been sent yet: a merged state instead of a queue, so that it can't
//! overflow.

use super::Millis;
use crate::push::notice::{ChangedIds, TOPICS, TopicId};

/// How long a change waited before it was sent, for the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeLatency {
    /// Since the first change merged in it, in milliseconds.
    pub since: Millis,
    /// The unintended part of it: since the change was due.
    pub late: Millis,
}

/// The pending changes of one session, merged by topic.
///
/// A topic is due by its *first* pending change, so a steady stream of changes can't starve the client.
#[derive(Debug, Default)]
pub struct PendingNotices {
    /// While a topic waits: when it is due. Otherwise: when it may be sent again.
    at: [Millis; TOPICS],
    /// When a topic began to wait, in milliseconds that wrap after 49 days: only for the statistics.
    since: [u32; TOPICS],
    /// Bit `n` set: topic `n` waits.
    waiting: u8,
    /// The ids of waiting topics where all of them are known and the client wants them.
    known: Option<Box<[Option<ChangedIds>; TOPICS]>>,
}

impl PendingNotices {
    /// Adds a change that happened `at`, to be sent at `due` at the earliest. `ids` is `None` when the
    /// client doesn't want ids or they aren't known.
    ///
    /// Returns whether the topic began to wait with this change.
    pub fn merge(
        &mut self,
        topic: TopicId,
        ids: Option<&ChangedIds>,
        at: Millis,
        due: Millis,
    ) -> bool {
        let index = topic.index();
        if self.waits(index) {
            self.merge_ids(index, ids);
            return false;
        }
        self.waiting |= 1 << index;
        self.at[index] = self.at[index].max(due);
        self.since[index] = wrapped(at);
        if let Some(ids @ ChangedIds::Known(_)) = ids {
            self.known.get_or_insert_default()[index] = Some(ids.clone());
        }
        true
    }

    /// Delays a waiting topic to `until` at the earliest.
    pub fn defer(&mut self, topic: TopicId, until: Millis) {
        let at = &mut self.at[topic.index()];
        *at = (*at).max(until);
    }

    /// When the next waiting topic is due.
    pub fn due(&self) -> Option<Millis> {
        (0..TOPICS).filter(|index| self.waits(*index)).map(|index| self.at[index]).min()
    }

    /// Takes one topic that is due. `interval` is how long that topic rests afterwards.
    pub fn take(
        &mut self,
        now: Millis,
        interval: impl FnOnce(TopicId) -> Millis,
    ) -> Option<(TopicId, ChangedIds, NoticeLatency)> {
        let index = (0..TOPICS).find(|index| self.waits(*index) && self.at[*index] <= now)?;
        let topic = TopicId(u8::try_from(index).ok()?);
        self.waiting &= !(1 << index);
        let late = now - self.at[index];
        self.at[index] = now.saturating_add(interval(topic));
        let ids = self.known.as_mut().and_then(|known| known[index].take());
        if self.waiting == 0 {
            self.known = None;
        }
        let since = Millis::from(wrapped(now).wrapping_sub(self.since[index]));
        Some((
            topic,
            ids.unwrap_or(ChangedIds::Unknown),
            NoticeLatency { since, late: late.min(since) },
        ))
    }

    /// The number of topics that wait.
    pub fn waiting(&self) -> u32 {
        self.waiting.count_ones()
    }

    fn waits(&self, index: usize) -> bool {
        self.waiting & (1 << index) != 0
    }

    fn merge_ids(&mut self, index: usize, ids: Option<&ChangedIds>) {
        let Some(known) = self.known.as_mut() else { return };
        let Some(mine) = known[index].as_mut() else { return };
        mine.merge(ids.unwrap_or(&ChangedIds::Unknown));
        if *mine == ChangedIds::Unknown {
            known[index] = None;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "wrapping is intended")]
fn wrapped(at: Millis) -> u32 {
    at as u32
}

#[cfg(test)]
mod tests {
    use super::{NoticeLatency, PendingNotices};
    use crate::push::notice::{ChangedIds, MAX_IDS, TOPICS, TopicId};
    use proptest::prelude::*;

    const FILE: TopicId = TopicId(0);

    #[test]
    fn the_first_change_sets_the_deadline() {
        let mut pending_notices = PendingNotices::default();
        assert!(pending_notices.merge(FILE, None, 0, 100));
        assert!(!pending_notices.merge(FILE, None, 50, 150));
        assert_eq!(pending_notices.due(), Some(100));
    }

    #[test]
    fn after_a_message_a_topic_rests_for_its_interval() {
        let mut pending_notices = PendingNotices::default();
        pending_notices.merge(FILE, None, 0, 100);
        assert!(pending_notices.take(99, |_| 1000).is_none());
        assert!(pending_notices.take(100, |_| 1000).is_some());
        pending_notices.merge(FILE, None, 200, 300);
        assert_eq!(pending_notices.due(), Some(1100));
    }

    #[test]
    fn the_intended_wait_is_distinguished_from_lateness() {
        let mut pending_notices = PendingNotices::default();
        pending_notices.merge(FILE, None, 1_000, 1_100);
        pending_notices.merge(FILE, None, 1_050, 1_150);
        assert_eq!(pending_notices.waiting(), 1);
        let (.., waited) = pending_notices.take(1_107, |_| 0).unwrap();
        assert_eq!(waited, NoticeLatency { since: 107, late: 7 });
        assert_eq!(pending_notices.waiting(), 0);
    }

    #[test]
    fn ids_merge_in_order_of_first_appearance_without_repetition() {
        let mut pending_notices = PendingNotices::default();
        for id in [459, 188, 188, 459] {
            pending_notices.merge(FILE, Some(&ChangedIds::one(id)), 0, 100);
        }
        let (_, ids, _) = pending_notices.take(100, |_| 0).unwrap();
        assert_eq!(ids, ChangedIds::Known([459, 188].into_iter().collect()));
    }

    #[test]
    fn unknown_absorbs_known_in_either_order() {
        for (first, second) in [(None, Some(ChangedIds::one(1))), (Some(ChangedIds::one(1)), None)]
        {
            let mut pending_notices = PendingNotices::default();
            pending_notices.merge(FILE, first.as_ref(), 0, 0);
            pending_notices.merge(FILE, second.as_ref(), 0, 0);
            let none = NoticeLatency { since: 0, late: 0 };
            assert_eq!(pending_notices.take(0, |_| 0), Some((FILE, ChangedIds::Unknown, none)));
        }
    }

    #[test]
    fn without_pending_notices_it_is_small() {
        assert!(size_of::<PendingNotices>() <= 12 * TOPICS + 16);
    }

    proptest! {
        #[test]
        fn no_merged_change_is_lost(steps in prop::collection::vec((0u8..3, any::<Option<i8>>(), 0u64..50), 1..600)) {
            let (mut pending_notices, mut now) = (PendingNotices::default(), 0);
            let mut expected_ids: [Option<Vec<i64>>; TOPICS] = [None, None, None];
            let mut blurred = [false; TOPICS];
            for (topic, id, wait) in steps {
                now += wait;
                let ids = id.map(|id| ChangedIds::one(i64::from(id)));
                pending_notices.merge(TopicId(topic), ids.as_ref(), now, now + 100);
                let list = expected_ids[usize::from(topic)].get_or_insert_default();
                match id {
                    Some(id) if !list.contains(&i64::from(id)) => list.push(i64::from(id)),
                    Some(_) => {}
                    None => blurred[usize::from(topic)] = true,
                }
                while let Some((notified, ids, _)) = pending_notices.take(now, |_| 70) {
                    let list = expected_ids[notified.index()].take().unwrap();
                    let blur = std::mem::take(&mut blurred[notified.index()]) || list.len() > MAX_IDS;
                    let expected = if blur { ChangedIds::Unknown } else { ChangedIds::Known(list.into_iter().collect()) };
                    prop_assert_eq!(ids, expected);
                }
            }
            now += 1000;
            while let Some((notified, ..)) = pending_notices.take(now, |_| 70) {
                prop_assert!(expected_ids[notified.index()].take().is_some());
            }
            prop_assert!(expected_ids.iter().all(Option::is_none));
        }
    }
}

//! Finds new mounts of any kind by the ids of their rows, which grow.

use super::directory::MountRow;
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// The time between two polls while a client is connected.
const INTERVAL: Duration = Duration::from_secs(2);
/// Rows of transactions that commit this long after a later id was seen are still found.
const MARGIN: Duration = Duration::from_secs(30);
/// Rows of one poll; if there are more, the next poll follows at once.
pub(super) const PAGE: usize = 1000;

/// Where the next poll starts. The clock is passed in.
#[derive(Debug)]
pub(super) struct MountPoll {
    /// Rows up to this id are not read again; `None` before the first poll.
    low: Option<i64>,
    /// The ids above `low` that have been seen; fewer than two pages.
    seen: BTreeSet<i64>,
    /// The largest id seen at earlier polls, oldest first.
    marks: VecDeque<(Instant, i64)>,
    due: Instant,
    under_way: bool,
}

impl MountPoll {
    /// Starts at the newest mount, which is read first.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            low: None,
            seen: BTreeSet::new(),
            marks: VecDeque::new(),
            due: now,
            under_way: false,
        }
    }

    /// When the next poll starts; `None` while one is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.under_way).then_some(self.due)
    }

    /// Begins a poll: the id after which to read, `None` to ask for the newest mount.
    pub(super) fn begin(&mut self) -> Option<i64> {
        self.under_way = true;
        self.low
    }

    /// The newest mount is known; all that are written from now on have larger ids.
    pub(super) fn start_at(&mut self, newest: i64, now: Instant) {
        (self.low, self.under_way, self.due) = (Some(newest), false, now + INTERVAL);
    }

    /// The poll has failed; the next one reads the same rows.
    pub(super) fn failed(&mut self, now: Instant) {
        (self.under_way, self.due) = (false, now + INTERVAL);
    }

    /// The rows of a poll, smallest id first; returns those that are new.
    pub(super) fn read(&mut self, mut rows: Vec<MountRow>, now: Instant) -> Vec<MountRow> {
        let full = rows.len() >= PAGE;
        (self.under_way, self.due) = (false, if full { now } else { now + INTERVAL });
        rows.retain(|row| self.seen.insert(row.id));
        if let Some(newest) = self.seen.last() {
            self.marks.push_back((now, *newest));
        }
        if full {
            // Too many to read again: late commits among them are found when the storage is verified.
            self.low = self.seen.last().copied().or(self.low);
            self.marks.clear();
        }
        while let Some((at, newest)) = self.marks.front().copied()
            && at + MARGIN <= now
        {
            self.low = self.low.max(Some(newest));
            self.marks.pop_front();
        }
        let low = self.low.unwrap_or(i64::MIN);
        self.seen = self.seen.split_off(&low.saturating_add(1));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, MARGIN, MountPoll, MountRow, PAGE};
    use crate::services::nextcloud::audience::RootPlace;
    use std::time::Duration;
    use tokio::time::Instant;

    fn rows(ids: &[i64]) -> Vec<MountRow> {
        let place = RootPlace { storage: 1, path: "".into() };
        let row = |id: &i64| MountRow {
            id: *id,
            listed_in: 1,
            root: 1,
            place: place.clone(),
            user: "alice".into(),
            by_share: false,
        };
        ids.iter().map(row).collect()
    }

    fn ids(rows: &[MountRow]) -> Vec<i64> {
        rows.iter().map(|row| row.id).collect()
    }

    #[test]
    fn rows_are_new_once_and_late_commits_are_found() {
        let start = Instant::now();
        let mut poll = MountPoll::new(start);
        assert_eq!(poll.begin(), None);
        poll.start_at(100, start);
        let mut now = start + INTERVAL;
        assert_eq!((poll.due(), poll.begin()), (Some(now), Some(100)));
        assert_eq!(ids(&poll.read(rows(&[101, 104]), now)), [101, 104]);
        // 102 was given before 104, and its transaction committed later.
        now += Duration::from_secs(20);
        assert_eq!(poll.begin(), Some(100));
        assert_eq!(ids(&poll.read(rows(&[101, 102, 104]), now)), [102]);
        now += MARGIN;
        poll.read(rows(&[101, 102, 104]), now);
        assert_eq!(poll.begin(), Some(104));
        assert!(poll.seen.is_empty());
    }

    #[test]
    fn a_full_page_is_followed_by_the_next_at_once() {
        let start = Instant::now();
        let mut poll = MountPoll::new(start);
        poll.begin();
        poll.start_at(0, start);
        poll.begin();
        let page: Vec<i64> = (1..=PAGE as i64).collect();
        assert_eq!(poll.read(rows(&page), start).len(), PAGE);
        assert_eq!((poll.due(), poll.begin()), (Some(start), Some(PAGE as i64)));
    }

    #[test]
    fn a_failed_poll_is_repeated_from_the_same_id() {
        let start = Instant::now();
        let mut poll = MountPoll::new(start);
        poll.begin();
        poll.start_at(7, start);
        poll.begin();
        assert_eq!(poll.due(), None);
        poll.failed(start);
        assert_eq!((poll.due(), poll.begin()), (Some(start + INTERVAL), Some(7)));
    }
}

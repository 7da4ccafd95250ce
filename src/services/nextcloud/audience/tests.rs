//! What the look-up promises, on a made-up clock and a made-up database.

use super::{
    audiences::{AudienceCache, ResolvedNotice},
    directory::{DirectoryUnavailable, StorageListing, VisibleMount},
    refreshes::RefreshReason,
};
use crate::{
    push::{notice::ChangedIds, recipient::Recipient},
    services::nextcloud::event::StoragePath,
};
use proptest::prelude::*;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// Who sees what: recipient, storage, root.
type MountTable = BTreeSet<(String, i64, String)>;

/// The look-up with its database and its clock.
struct AudienceHarness {
    audiences: AudienceCache,
    table: MountTable,
    database_up: bool,
    queries: usize,
    refreshes: usize,
    start: Instant,
    now: Instant,
}

impl AudienceHarness {
    fn new(rows: &[(&str, i64, &str)]) -> Self {
        let now = Instant::now();
        let mut harness = Self {
            audiences: AudienceCache::new(now, fastrand::Rng::with_seed(1)),
            table: MountTable::new(),
            database_up: true,
            queries: 0,
            refreshes: 0,
            start: now,
            now,
        };
        for (who, storage, root) in rows {
            harness.mount(who, *storage, root);
        }
        harness
    }

    fn mount(&mut self, who: &str, storage: i64, root: &str) {
        self.table.insert((who.into(), storage, root.into()));
    }

    fn unmount(&mut self, who: &str, storage: i64, root: &str) {
        self.table.remove(&(who.into(), storage, root.into()));
    }

    fn here(&mut self, who: &[&str]) {
        who.iter().for_each(|who| self.audiences.presence(&Recipient::from(*who), true, self.now));
    }

    fn change(&mut self, storage: i64, path: &str, id: i64) {
        let place = StoragePath { storage, path: path.into() };
        self.audiences.changed(&place, &ChangedIds::one(id), self.now, self.now);
    }

    /// Answers what is asked; returns who was notified which ids.
    fn settle(&mut self) -> Vec<(String, ChangedIds)> {
        for storage in self.audiences.take_wanted() {
            self.queries += 1;
            let listing =
                self.database_up.then(|| self.listing(storage)).ok_or(DirectoryUnavailable);
            self.audiences.listed(storage, listing, self.now);
        }
        let asked = self.audiences.due_refreshes(self.now);
        if !asked.is_empty() && self.database_up {
            self.refreshes += 1;
            let seen = self.seen(&asked);
            self.audiences.seen(&asked, &seen, self.now);
        }
        self.audiences.take_notices().into_iter().flat_map(flat).collect()
    }

    fn listing(&self, storage: i64) -> StorageListing {
        let mut listing = StorageListing::default();
        for (who, _, root) in self.table.iter().filter(|row| row.1 == storage) {
            listing.add(root, who);
        }
        listing
    }

    fn seen(&self, asked: &[Recipient]) -> Vec<VisibleMount> {
        let rows = self.table.iter().filter(|row| asked.iter().any(|who| **who == *row.0));
        rows.map(|(who, storage, root)| VisibleMount {
            recipient: who.as_str().into(),
            storage: *storage,
            root: root.as_str().into(),
        })
        .collect()
    }

    /// Lets time pass, stopping at every deadline as the task does.
    fn pass(&mut self, time: Duration) -> Vec<(String, ChangedIds)> {
        let then = self.now + time;
        let mut notified = self.settle();
        loop {
            let deadlines = [self.audiences.next_deadline(), self.audiences.next_refresh()];
            let Some(at) = deadlines.into_iter().flatten().min().filter(|at| *at <= then) else {
                break;
            };
            self.now = self.now.max(at);
            self.audiences.pass_time(self.now);
            notified.extend(self.settle());
        }
        self.now = then;
        notified
    }
}

fn flat(notice: ResolvedNotice) -> Vec<(String, ChangedIds)> {
    let ResolvedNotice { to, ids, .. } = notice;
    let to = to.map_or(vec!["*".to_owned()], |to| to.iter().map(|who| who.to_string()).collect());
    to.into_iter().map(|who| (who, ids.clone())).collect()
}

fn names(notified: &[(String, ChangedIds)]) -> Vec<&str> {
    let set: BTreeSet<&str> = notified.iter().map(|(who, _)| who.as_str()).collect();
    set.into_iter().collect()
}

const MOMENT: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn those_who_see_the_place_and_are_here_are_told() {
    let rows =
        [("alice", 7, ""), ("bob", 7, "files/dirS"), ("carol", 7, "files/dirS"), ("dave", 8, "")];
    let mut harness = AudienceHarness::new(&rows);
    harness.here(&["alice", "bob", "dave"]);
    harness.change(7, "files/dirS/s1.txt", 483);
    assert_eq!(names(&harness.pass(MOMENT)), ["alice", "bob"]);
    harness.change(7, "files/dirS-sibling/x.txt", 484);
    assert_eq!(names(&harness.pass(MOMENT)), ["alice"]);
}

#[test]
fn a_cold_storage_costs_one_query_however_much_happens_on_it() {
    let mut harness = AudienceHarness::new(&[("alice", 7, ""), ("bob", 7, "files/a")]);
    harness.here(&["alice", "bob"]);
    for id in 0..1000 {
        harness.change(7, &format!("files/a/{id}"), id);
    }
    let notified = harness.pass(MOMENT);
    assert_eq!((names(&notified), harness.queries), (vec!["alice", "bob"], 1));
    harness.change(7, "files/a/x", 1);
    harness.pass(MOMENT);
    assert_eq!(harness.queries, 1);
}

#[test]
fn ids_of_several_changes_come_together() {
    let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
    harness.here(&["alice"]);
    for (path, id) in [("files/a/b.txt", 459), ("files/a", 188), ("files", 3), ("files/a", 188)] {
        harness.change(7, path, id);
    }
    let ids = ChangedIds::Known([459, 188, 3].into_iter().collect());
    assert_eq!(harness.pass(MOMENT), [("alice".to_owned(), ids)]);
}

#[test]
fn nothing_is_asked_while_nobody_is_here() {
    let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
    harness.change(7, "files", 1);
    assert!(harness.pass(SECOND).is_empty());
    assert_eq!(harness.queries, 0);
}

#[test]
fn a_change_that_could_not_be_looked_up_is_told_once_the_database_is_back() {
    let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
    harness.here(&["alice"]);
    harness.database_up = false;
    for id in 0..500 {
        harness.change(7, &format!("files/{id}"), id);
        assert!(harness.pass(MOMENT).is_empty());
    }
    harness.database_up = true;
    assert_eq!(harness.pass(11 * SECOND), [("alice".to_owned(), ChangedIds::Unknown)]);
}

#[test]
fn a_new_sharee_hears_changes_within_ten_seconds_of_the_row() {
    for row_appears in [0, 3, 20, 40] {
        let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
        harness.here(&["alice", "bob"]);
        harness.change(7, "files/x", 1);
        harness.pass(30 * SECOND);
        harness.audiences.request_refresh("bob", RefreshReason::Access, harness.now);
        harness.pass(row_appears * SECOND);
        harness.mount("bob", 7, "files/dirB");
        let discovered = harness.pass(10 * SECOND);
        assert_eq!(names(&discovered), ["bob"], "row after {row_appears} s");
        harness.change(7, "files/dirB/shared.txt", 470);
        assert_eq!(names(&harness.pass(MOMENT)), ["alice", "bob"]);
    }
}

#[test]
fn a_removed_share_is_silent_soon() {
    let mut harness = AudienceHarness::new(&[("alice", 7, ""), ("bob", 7, "files/dirB")]);
    harness.here(&["alice", "bob"]);
    harness.change(7, "files/dirB", 1);
    assert_eq!(names(&harness.pass(MOMENT)), ["alice", "bob"]);
    harness.unmount("bob", 7, "files/dirB");
    harness.audiences.request_refresh("bob", RefreshReason::Access, harness.now);
    harness.pass(2 * SECOND);
    harness.change(7, "files/dirB", 1);
    assert_eq!(names(&harness.pass(MOMENT)), ["alice"]);
}

#[test]
fn whoever_comes_later_is_told_from_then_on_and_whoever_left_is_not() {
    let mut harness = AudienceHarness::new(&[("alice", 7, ""), ("bob", 7, "")]);
    harness.here(&["alice"]);
    harness.change(7, "files", 1);
    harness.pass(MOMENT);
    harness.here(&["bob"]);
    harness.audiences.presence(&"alice".into(), false, harness.now);
    harness.change(7, "files", 1);
    assert_eq!(names(&harness.pass(MOMENT)), ["bob"]);
    assert_eq!(harness.queries, 1);
}

#[test]
fn a_listing_is_looked_up_again_after_its_time_and_forgotten_when_nothing_happens() {
    let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
    harness.here(&["alice"]);
    harness.change(7, "files", 1);
    harness.pass(MOMENT);
    harness.mount("bob", 7, "");
    harness.here(&["bob"]);
    harness.pass(400 * SECOND);
    harness.change(7, "files", 1);
    assert_eq!(names(&harness.pass(MOMENT)), ["alice", "bob"]);
    assert_eq!(harness.queries, 2);
}

#[test]
fn arrivals_are_looked_at_in_batches() {
    let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
    harness.here(&["alice"]);
    harness.change(7, "files", 1);
    harness.pass(MOMENT);
    let names: Vec<String> = (0..1000).map(|n| format!("user{n}")).collect();
    harness.here(&names.iter().map(String::as_str).collect::<Vec<_>>());
    harness.pass(60 * SECOND);
    assert!(harness.refreshes <= 12, "{} refreshes", harness.refreshes);
}

#[test]
fn alarms_do_not_pile_up_under_a_stream_of_changes() {
    let mut harness = AudienceHarness::new(&[("alice", 7, "")]);
    harness.here(&["alice"]);
    for _ in 0..10_000 {
        harness.change(7, "files", 1);
        harness.audiences.request_refresh("alice", RefreshReason::Hint, harness.now);
        harness.pass(Duration::from_millis(1));
    }
    assert!(harness.audiences.alarms() < 50, "{}", harness.audiences.alarms());
    assert!(harness.now - harness.start >= 10 * SECOND);
}

proptest! {
    /// Whatever comes and goes: everyone notified sees the place, and everyone here who has seen it for
    /// longer than a listing lives is notified.
    #[test]
    fn exactly_those_concerned_are_told(steps in prop::collection::vec((0u8..6, 0usize..5, 0i64..3, 0usize..4), 1..120)) {
        const WHO: [&str; 5] = ["a", "b", "c", "d", "e"];
        const ROOTS: [&str; 4] = ["", "files", "files/x", "files/xy"];
        let mut harness = AudienceHarness::new(&[]);
        let mut here = BTreeSet::new();
        for (step, who, storage, root) in steps {
            let (who, root) = (WHO[who], ROOTS[root]);
            match step {
                0 => { here.insert(who); harness.here(&[who]) }
                1 => { here.remove(who); harness.audiences.presence(&Recipient::from(who), false, harness.now) }
                2 => { harness.mount(who, storage, root); harness.pass(400 * SECOND); }
                3 => { harness.unmount(who, storage, root); harness.pass(400 * SECOND); }
                _ => {
                    harness.change(storage, root, 1);
                    let notified = harness.pass(MOMENT);
                    let covers = |mount: &str| mount.is_empty() || mount == root
                        || root.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'));
                    let expected: Vec<&str> = here.iter().copied()
                        .filter(|who| harness.table.iter().any(|row| row.0 == **who && row.1 == storage && covers(&row.2)))
                        .collect();
                    prop_assert_eq!(names(&notified), expected);
                }
            }
        }
    }
}

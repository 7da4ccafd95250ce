//! What the look-up promises, on a made-up clock and a made-up database.

use super::{
    audiences::{Audiences, Telling},
    directory::{Listing, Seen, Unavailable},
    looks::Reason,
};
use crate::{
    push::{notice::Ids, recipient::Recipient},
    services::nextcloud::event::Place,
};
use proptest::prelude::*;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// Who sees what: recipient, storage, root.
type Table = BTreeSet<(String, i64, String)>;

/// The look-up with its database and its clock.
struct World {
    audiences: Audiences,
    table: Table,
    database_up: bool,
    queries: usize,
    looks: usize,
    start: Instant,
    now: Instant,
}

impl World {
    fn new(rows: &[(&str, i64, &str)]) -> Self {
        let now = Instant::now();
        let mut world = Self {
            audiences: Audiences::new(now, fastrand::Rng::with_seed(1)),
            table: Table::new(),
            database_up: true,
            queries: 0,
            looks: 0,
            start: now,
            now,
        };
        for (who, storage, root) in rows {
            world.mount(who, *storage, root);
        }
        world
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
        let place = Place { storage, path: path.into() };
        self.audiences.changed(&place, &Ids::one(id), self.now, self.now);
    }

    /// Answers what is asked; returns who was told which ids.
    fn settle(&mut self) -> Vec<(String, Ids)> {
        for storage in self.audiences.take_wanted() {
            self.queries += 1;
            let listing = self.database_up.then(|| self.listing(storage)).ok_or(Unavailable);
            self.audiences.listed(storage, listing, self.now);
        }
        let asked = self.audiences.due_looks(self.now);
        if !asked.is_empty() && self.database_up {
            self.looks += 1;
            let seen = self.seen(&asked);
            self.audiences.seen(&asked, &seen, self.now);
        }
        self.audiences.take_tellings().into_iter().flat_map(flat).collect()
    }

    fn listing(&self, storage: i64) -> Listing {
        let mut listing = Listing::default();
        for (who, _, root) in self.table.iter().filter(|row| row.1 == storage) {
            listing.add(root, who);
        }
        listing
    }

    fn seen(&self, asked: &[Recipient]) -> Vec<Seen> {
        let rows = self.table.iter().filter(|row| asked.iter().any(|who| **who == *row.0));
        rows.map(|(who, storage, root)| Seen {
            recipient: who.as_str().into(),
            storage: *storage,
            root: root.as_str().into(),
        })
        .collect()
    }

    /// Lets time pass, stopping at every deadline as the task does.
    fn pass(&mut self, time: Duration) -> Vec<(String, Ids)> {
        let then = self.now + time;
        let mut told = self.settle();
        loop {
            let deadlines = [self.audiences.next_deadline(), self.audiences.next_look()];
            let Some(at) = deadlines.into_iter().flatten().min().filter(|at| *at <= then) else {
                break;
            };
            self.now = self.now.max(at);
            self.audiences.pass_time(self.now);
            told.extend(self.settle());
        }
        self.now = then;
        told
    }
}

fn flat(telling: Telling) -> Vec<(String, Ids)> {
    let Telling { to, ids, .. } = telling;
    let to = to.map_or(vec!["*".to_owned()], |to| to.iter().map(|who| who.to_string()).collect());
    to.into_iter().map(|who| (who, ids.clone())).collect()
}

fn names(told: &[(String, Ids)]) -> Vec<&str> {
    let set: BTreeSet<&str> = told.iter().map(|(who, _)| who.as_str()).collect();
    set.into_iter().collect()
}

const MOMENT: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn those_who_see_the_place_and_are_here_are_told() {
    let rows =
        [("alice", 7, ""), ("bob", 7, "files/dirS"), ("carol", 7, "files/dirS"), ("dave", 8, "")];
    let mut world = World::new(&rows);
    world.here(&["alice", "bob", "dave"]);
    world.change(7, "files/dirS/s1.txt", 483);
    assert_eq!(names(&world.pass(MOMENT)), ["alice", "bob"]);
    world.change(7, "files/dirS-sibling/x.txt", 484);
    assert_eq!(names(&world.pass(MOMENT)), ["alice"]);
}

#[test]
fn a_cold_storage_costs_one_query_however_much_happens_on_it() {
    let mut world = World::new(&[("alice", 7, ""), ("bob", 7, "files/a")]);
    world.here(&["alice", "bob"]);
    for id in 0..1000 {
        world.change(7, &format!("files/a/{id}"), id);
    }
    let told = world.pass(MOMENT);
    assert_eq!((names(&told), world.queries), (vec!["alice", "bob"], 1));
    world.change(7, "files/a/x", 1);
    world.pass(MOMENT);
    assert_eq!(world.queries, 1);
}

#[test]
fn ids_of_several_changes_come_together() {
    let mut world = World::new(&[("alice", 7, "")]);
    world.here(&["alice"]);
    for (path, id) in [("files/a/b.txt", 459), ("files/a", 188), ("files", 3), ("files/a", 188)] {
        world.change(7, path, id);
    }
    let ids = Ids::Known([459, 188, 3].into_iter().collect());
    assert_eq!(world.pass(MOMENT), [("alice".to_owned(), ids)]);
}

#[test]
fn nothing_is_asked_while_nobody_is_here() {
    let mut world = World::new(&[("alice", 7, "")]);
    world.change(7, "files", 1);
    assert!(world.pass(SECOND).is_empty());
    assert_eq!(world.queries, 0);
}

#[test]
fn a_change_that_could_not_be_looked_up_is_told_once_the_database_is_back() {
    let mut world = World::new(&[("alice", 7, "")]);
    world.here(&["alice"]);
    world.database_up = false;
    for id in 0..500 {
        world.change(7, &format!("files/{id}"), id);
        assert!(world.pass(MOMENT).is_empty());
    }
    world.database_up = true;
    assert_eq!(world.pass(11 * SECOND), [("alice".to_owned(), Ids::Unknown)]);
}

#[test]
fn a_new_sharee_hears_changes_within_ten_seconds_of_the_row() {
    for row_appears in [0, 3, 20, 40] {
        let mut world = World::new(&[("alice", 7, "")]);
        world.here(&["alice", "bob"]);
        world.change(7, "files/x", 1);
        world.pass(30 * SECOND);
        world.audiences.look_again("bob", Reason::Access, world.now);
        world.pass(row_appears * SECOND);
        world.mount("bob", 7, "files/dirB");
        let discovered = world.pass(10 * SECOND);
        assert_eq!(names(&discovered), ["bob"], "row after {row_appears} s");
        world.change(7, "files/dirB/shared.txt", 470);
        assert_eq!(names(&world.pass(MOMENT)), ["alice", "bob"]);
    }
}

#[test]
fn a_removed_share_is_silent_soon() {
    let mut world = World::new(&[("alice", 7, ""), ("bob", 7, "files/dirB")]);
    world.here(&["alice", "bob"]);
    world.change(7, "files/dirB", 1);
    assert_eq!(names(&world.pass(MOMENT)), ["alice", "bob"]);
    world.unmount("bob", 7, "files/dirB");
    world.audiences.look_again("bob", Reason::Access, world.now);
    world.pass(2 * SECOND);
    world.change(7, "files/dirB", 1);
    assert_eq!(names(&world.pass(MOMENT)), ["alice"]);
}

#[test]
fn whoever_comes_later_is_told_from_then_on_and_whoever_left_is_not() {
    let mut world = World::new(&[("alice", 7, ""), ("bob", 7, "")]);
    world.here(&["alice"]);
    world.change(7, "files", 1);
    world.pass(MOMENT);
    world.here(&["bob"]);
    world.audiences.presence(&"alice".into(), false, world.now);
    world.change(7, "files", 1);
    assert_eq!(names(&world.pass(MOMENT)), ["bob"]);
    assert_eq!(world.queries, 1);
}

#[test]
fn a_listing_is_looked_up_again_after_its_time_and_forgotten_when_nothing_happens() {
    let mut world = World::new(&[("alice", 7, "")]);
    world.here(&["alice"]);
    world.change(7, "files", 1);
    world.pass(MOMENT);
    world.mount("bob", 7, "");
    world.here(&["bob"]);
    world.pass(400 * SECOND);
    world.change(7, "files", 1);
    assert_eq!(names(&world.pass(MOMENT)), ["alice", "bob"]);
    assert_eq!(world.queries, 2);
}

#[test]
fn arrivals_are_looked_at_in_batches() {
    let mut world = World::new(&[("alice", 7, "")]);
    world.here(&["alice"]);
    world.change(7, "files", 1);
    world.pass(MOMENT);
    let names: Vec<String> = (0..1000).map(|n| format!("user{n}")).collect();
    world.here(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.pass(60 * SECOND);
    assert!(world.looks <= 12, "{} looks", world.looks);
}

#[test]
fn alarms_do_not_pile_up_under_a_stream_of_changes() {
    let mut world = World::new(&[("alice", 7, "")]);
    world.here(&["alice"]);
    for _ in 0..10_000 {
        world.change(7, "files", 1);
        world.audiences.look_again("alice", Reason::Hint, world.now);
        world.pass(Duration::from_millis(1));
    }
    assert!(world.audiences.alarms() < 50, "{}", world.audiences.alarms());
    assert!(world.now - world.start >= 10 * SECOND);
}

proptest! {
    /// Whatever comes and goes: everyone told sees the place, and everyone here who has seen it for
    /// longer than a listing lives is told.
    #[test]
    fn exactly_those_concerned_are_told(steps in prop::collection::vec((0u8..6, 0usize..5, 0i64..3, 0usize..4), 1..120)) {
        const WHO: [&str; 5] = ["a", "b", "c", "d", "e"];
        const ROOTS: [&str; 4] = ["", "files", "files/x", "files/xy"];
        let mut world = World::new(&[]);
        let mut here = BTreeSet::new();
        for (step, who, storage, root) in steps {
            let (who, root) = (WHO[who], ROOTS[root]);
            match step {
                0 => { here.insert(who); world.here(&[who]) }
                1 => { here.remove(who); world.audiences.presence(&Recipient::from(who), false, world.now) }
                2 => { world.mount(who, storage, root); world.pass(400 * SECOND); }
                3 => { world.unmount(who, storage, root); world.pass(400 * SECOND); }
                _ => {
                    world.change(storage, root, 1);
                    let told = world.pass(MOMENT);
                    let covers = |mount: &str| mount.is_empty() || mount == root
                        || root.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'));
                    let expected: Vec<&str> = here.iter().copied()
                        .filter(|who| world.table.iter().any(|row| row.0 == **who && row.1 == storage && covers(&row.2)))
                        .collect();
                    prop_assert_eq!(names(&told), expected);
                }
            }
        }
    }
}

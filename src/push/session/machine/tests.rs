//! What holds for a session whatever its client says and whenever.

use super::{Due, Rules, Session};
use crate::{
    push::{
        notice::{Ids, Topic},
        recipient::Recipient,
        session::{ANSWER_WITHIN, Heard, Millis, PING_AFTER, Pace},
    },
    services::nextcloud::dialect::NextcloudDialect,
    websocket::Item,
};
use proptest::prelude::*;

const PACE: Pace = Pace { max: 15_000, enabled: true };

/// What happens to a session.
#[derive(Debug, Clone)]
enum Happens {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    Change(u8, Option<i64>),
    Nothing,
}

fn happens() -> impl Strategy<Value = Happens> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..125);
    prop_oneof![
        1 => prop_oneof!["listen ?notify_file_id ?", ".{0,40}"].prop_map(Happens::Text),
        1 => bytes().prop_map(Happens::Binary),
        1 => bytes().prop_map(Happens::Ping),
        1 => bytes().prop_map(Happens::Pong),
        1 => Just(Happens::Close),
        6 => (0u8..3, any::<Option<i64>>()).prop_map(|(topic, id)| Happens::Change(topic, id)),
        8 => Just(Happens::Nothing),
    ]
}

/// A session with a clock that stops at each of its deadlines, as the shard does.
struct Watched {
    session: Session,
    now: Millis,
    heard_at: Millis,
    pinged_at: Option<Millis>,
    told_at: [Option<Millis>; 3],
}

impl Watched {
    /// Lets time pass; `false` when the session is over.
    fn until(&mut self, then: Millis) -> bool {
        loop {
            let next = self.session.next_beat().min(self.session.due().unwrap_or(Millis::MAX));
            if next > then {
                self.now = then;
                return true;
            }
            self.now = self.now.max(next);
            match self.session.beat(self.now) {
                Due::Send(ping) => {
                    assert!(!ping.is_message());
                    let soon = self.pinged_at.is_some_and(|last| self.now < last + PING_AFTER);
                    assert!(!soon, "pinged at {:?} and {}", self.pinged_at, self.now);
                    self.pinged_at = Some(self.now);
                }
                Due::Dead => {
                    assert!(self.now >= self.heard_at + PING_AFTER + ANSWER_WITHIN - 1_000);
                    return false;
                }
                Due::Over => return false,
                Due::Nothing => {}
            }
            assert!(self.now <= self.heard_at + 45_000, "a dead client is kept");
            self.tell();
        }
    }

    fn tell(&mut self) {
        let rules = Rules { dialect: &NextcloudDialect::default(), pace: PACE, connections: 10 };
        while let Some((topic, frame, _)) = self.session.next_change(self.now, &rules) {
            assert!(frame.is_message());
            let last = self.told_at[topic.index()].replace(self.now);
            assert!(last.is_none_or(|last| self.now >= last + 500), "told too often");
        }
        assert!(self.session.due().is_none_or(|due| due > self.now));
    }

    /// One thing happens; `false` when the session is over.
    fn meet(&mut self, what: &Happens) -> bool {
        let item = match what {
            Happens::Nothing => return true,
            Happens::Change(topic, id) => {
                let ids = id.map_or(Ids::Unknown, Ids::one);
                let due = self.now + PACE.merge_window();
                self.session.change(Topic(*topic), &ids, self.now, due);
                return true;
            }
            Happens::Text(text) => Item::Text(text),
            Happens::Binary(bytes) => Item::Binary(bytes),
            Happens::Ping(bytes) => Item::Ping(bytes),
            Happens::Pong(bytes) => Item::Pong(bytes),
            Happens::Close => Item::Close(None),
        };
        self.heard_at = self.now;
        let home = Recipient::from("alice");
        let heard = self.session.hear(&item, self.now, &NextcloudDialect::default(), &home);
        match (what, heard) {
            (Happens::Close, heard) => !matches!(heard, Heard::Close(_)),
            (Happens::Ping(payload), Heard::Answer(pong)) => pong.payload() == payload[..],
            (Happens::Ping(_), _) => panic!("a ping without its pong"),
            (_, heard) => matches!(heard, Heard::Nothing | Heard::WantIds),
        }
    }
}

proptest! {
    #[test]
    fn pings_are_rare_and_the_dead_are_noticed_whatever_happens(
        factor: u8,
        ends_at in prop_oneof![3 => Just(Millis::MAX), 1 => 0u64..400_000],
        steps in prop::collection::vec((0u64..40_000, happens()), 0..60),
    ) {
        let session = Session::new(0, factor, ends_at);
        let mut watched =
            Watched { session, now: 0, heard_at: 0, pinged_at: None, told_at: [None; 3] };
        for (wait, what) in steps {
            if !watched.until(watched.now + wait) {
                return Ok(());
            }
            let over = !watched.meet(&what);
            prop_assert!(!over || matches!(what, Happens::Close), "{what:?} ended the session");
            if over {
                return Ok(());
            }
        }
        // Nobody says a word any more.
        prop_assert!(!watched.until(watched.now + 45_000));
    }
}

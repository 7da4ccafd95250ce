//! Properties of a session, whatever its client sends and whenever.

use super::{Session, SessionAction, SessionRules};
use crate::{
    push::{
        notice::{ChangedIds, TopicId},
        plain_dialect::PlainDialect,
        recipient::Recipient,
        session::{ANSWER_WITHIN, ClientRequest, DebouncePolicy, Millis, PING_AFTER},
    },
    websocket::DecodedItem,
};
use proptest::prelude::*;

const DEBOUNCE: DebouncePolicy = DebouncePolicy { max: 15_000, enabled: true };

/// Something that happens to a session.
#[derive(Debug, Clone)]
enum SessionEvent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    Change(u8, Option<i64>),
    Nothing,
}

fn session_event() -> impl Strategy<Value = SessionEvent> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..125);
    prop_oneof![
        1 => prop_oneof!["listen ?ids ?", ".{0,40}"].prop_map(SessionEvent::Text),
        1 => bytes().prop_map(SessionEvent::Binary),
        1 => bytes().prop_map(SessionEvent::Ping),
        1 => bytes().prop_map(SessionEvent::Pong),
        1 => Just(SessionEvent::Close),
        6 => (0u8..3, any::<Option<i64>>()).prop_map(|(topic, id)| SessionEvent::Change(topic, id)),
        8 => Just(SessionEvent::Nothing),
    ]
}

/// A session with a clock that stops at each of its deadlines, as the shard does.
struct SessionHarness {
    session: Session,
    now: Millis,
    received_at: Millis,
    pinged_at: Option<Millis>,
    notified_at: [Option<Millis>; 3],
}

impl SessionHarness {
    /// Lets time pass; `false` when the session has ended.
    fn until(&mut self, then: Millis) -> bool {
        loop {
            let next = self.session.next_beat().min(self.session.due().unwrap_or(Millis::MAX));
            if next > then {
                self.now = then;
                return true;
            }
            self.now = self.now.max(next);
            match self.session.beat(self.now) {
                SessionAction::Ping => {
                    let soon = self.pinged_at.is_some_and(|last| self.now < last + PING_AFTER);
                    assert!(!soon, "pinged at {:?} and {}", self.pinged_at, self.now);
                    self.pinged_at = Some(self.now);
                }
                SessionAction::Dead => {
                    assert!(self.now >= self.received_at + PING_AFTER + ANSWER_WITHIN - 1_000);
                    return false;
                }
                SessionAction::Over => return false,
                SessionAction::Wait => {}
            }
            assert!(self.now <= self.received_at + 45_000, "a dead client is kept");
            self.notify();
        }
    }

    fn notify(&mut self) {
        let rules = SessionRules { dialect: &PlainDialect, debounce: DEBOUNCE, connections: 10 };
        while let Some((topic, frame, _)) = self.session.next_change(self.now, &rules) {
            assert!(frame.is_message());
            let last = self.notified_at[topic.index()].replace(self.now);
            assert!(last.is_none_or(|last| self.now >= last + 500), "notified too often");
        }
        assert!(self.session.due().is_none_or(|due| due > self.now));
    }

    /// Applies one event; `false` when the session has ended.
    fn apply(&mut self, what: &SessionEvent) -> bool {
        let item = match what {
            SessionEvent::Nothing => return true,
            SessionEvent::Change(topic, id) => {
                let ids = id.map_or(ChangedIds::Unknown, ChangedIds::one);
                let due = self.now + DEBOUNCE.merge_window();
                self.session.change(TopicId(*topic), &ids, self.now, due);
                return true;
            }
            SessionEvent::Text(text) => DecodedItem::Text(text),
            SessionEvent::Binary(bytes) => DecodedItem::Binary(bytes),
            SessionEvent::Ping(bytes) => DecodedItem::Ping(bytes),
            SessionEvent::Pong(bytes) => DecodedItem::Pong(bytes),
            SessionEvent::Close => DecodedItem::Close(None),
        };
        self.received_at = self.now;
        let primary = Recipient::from("alice");
        let received = self.session.receive(&item, self.now, &PlainDialect, &primary);
        match (what, received) {
            (SessionEvent::Close, received) => !matches!(received, ClientRequest::Close(_)),
            (SessionEvent::Ping(payload), ClientRequest::Pong(pong)) => {
                pong.payload() == payload[..]
            }
            (SessionEvent::Ping(_), _) => panic!("a ping without its pong"),
            (_, received) => matches!(received, ClientRequest::Nothing | ClientRequest::WantIds),
        }
    }
}

proptest! {
    #[test]
    fn pings_are_rare_and_dead_clients_are_detected(
        factor: u8,
        ends_at in prop_oneof![3 => Just(Millis::MAX), 1 => 0u64..400_000],
        steps in prop::collection::vec((0u64..40_000, session_event()), 0..60),
    ) {
        let session = Session::new(0, factor, ends_at);
        let mut harness =
            SessionHarness { session, now: 0, received_at: 0, pinged_at: None, notified_at: [None; 3] };
        for (wait, what) in steps {
            if !harness.until(harness.now + wait) {
                return Ok(());
            }
            let over = !harness.apply(&what);
            prop_assert!(!over || matches!(what, SessionEvent::Close), "{what:?} ended the session");
            if over {
                return Ok(());
            }
        }
        // From now on the client is silent.
        prop_assert!(!harness.until(harness.now + 45_000));
    }
}

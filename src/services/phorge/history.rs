//! What was published in the last minute, for browsers that come back (`specs/aphlict.md` section 7),
//! and for telling a message that comes a second time.
//!
//! Each instance has a shelf of its own. Nothing here looks at a clock.

use super::{instance::PhorgeInstance, message::AphlictMessage};
use crate::push::session::BacklogEntry;
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a message is held.
pub const MAX_AGE: Duration = Duration::from_secs(60);
/// Messages of one instance; of more the oldest goes.
pub const MAX_ENTRIES: usize = 4096;
/// What one instance's may take in memory, in bytes; of more the oldest go.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The same for all instances together; of more the oldest of the largest shelf go.
pub const MAX_BYTES_IN_ALL: usize = 64 * 1024 * 1024;

/// What an entry and a recipient take besides their texts, roughly.
const OVERHEAD: usize = 256;
const OVERHEAD_RECIPIENT: usize = 48;

/// More ways than this are not counted: what comes another one is taken for a copy.
const MAX_PATHS: usize = 16;

/// The history as those share it who write and who read it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SharedMessageHistory(Arc<Mutex<MessageHistory>>);

impl SharedMessageHistory {
    /// Held only for as long as it takes to look.
    pub fn lock(&self) -> MutexGuard<'_, MessageHistory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All instances' messages.
#[derive(Debug, Default)]
pub struct MessageHistory {
    /// By the instance's name; none is empty.
    shelves: HashMap<String, InstanceReplayBuffer>,
    bytes: usize,
}

/// The messages of one instance, oldest first.
#[derive(Debug, Default)]
struct InstanceReplayBuffer {
    entries: VecDeque<HistoryEntry>,
    /// Which are held.
    known: HashMap<MessageKey, ReceivedVia>,
    bytes: usize,
}

#[derive(Debug)]
struct HistoryEntry {
    at: Instant,
    held: BacklogEntry,
    key: MessageKey,
    bytes: usize,
}

/// What makes two messages one: their `uniqueID`, else what they say.
type MessageKey = [u8; 32];

/// How often a message came which way, where it was relayed.
#[derive(Debug, Default)]
struct ReceivedVia(Vec<(u64, u32)>);

impl ReceivedVia {
    /// One more came this way: whether it came no other way as often. Each server passes on each once
    /// at most, and in order: so the second that comes one way was said a second time, whenever the
    /// copies of the first arrive.
    fn is_ahead(&mut self, way: u64) -> bool {
        let most = self.0.iter().map(|(_, count)| *count).max().unwrap_or_default();
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| *known == way) {
            *count = count.saturating_add(1);
            return *count > most;
        }
        if self.0.len() < MAX_PATHS {
            self.0.push((way, 1));
        }
        most == 0
    }
}

/// What tells a message from others; made before the history is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageIdentity {
    key: MessageKey,
    /// Whether there is no other with this key.
    unique: bool,
    /// By whom it was relayed, if it was.
    way: Option<u64>,
}

impl MessageIdentity {
    /// That of a message.
    pub fn of(message: &AphlictMessage) -> Self {
        Self {
            key: key(message),
            unique: message.unique.is_some(),
            way: (!message.touched.is_empty()).then(|| hash(message.path())),
        }
    }
}

impl MessageHistory {
    /// Takes a message in. `false`, and nothing is held, if it is one that is held already and has only
    /// come another way.
    ///
    /// One without `uniqueID` that was published here, or comes one way more often than it came any
    /// other, is a new one that says the same: it is for everybody to hear, and stands for all of them
    /// from now on.
    pub fn take(
        &mut self,
        instance: &PhorgeInstance,
        mark: &MessageIdentity,
        held: BacklogEntry,
        now: Instant,
    ) -> bool {
        self.evict_expired(now);
        let shelf = self.shelves.entry(instance.name().to_owned()).or_default();
        let mut ways = ReceivedVia::default();
        if let Some(known) = shelf.known.get_mut(&mark.key) {
            if mark.unique || mark.way.is_some_and(|way| !known.is_ahead(way)) {
                return false;
            }
            ways = std::mem::take(known);
            self.bytes -= shelf.remove(&mark.key);
        } else if let Some(way) = mark.way {
            ways.is_ahead(way);
        }
        self.bytes += shelf.push(HistoryEntry::new(held, mark.key, now), ways);
        while shelf.entries.len() > MAX_ENTRIES || shelf.bytes > MAX_BYTES {
            self.bytes -= shelf.pop();
        }
        self.fit();
        true
    }

    /// What was published for an instance in so long a time, oldest first.
    pub fn since(&mut self, instance: &str, age: Duration, now: Instant) -> Vec<BacklogEntry> {
        self.evict_expired(now);
        let Some(shelf) = self.shelves.get(instance) else { return Vec::new() };
        let recent = shelf.entries.iter().skip_while(|entry| now - entry.at > age);
        recent.map(|entry| entry.held.clone()).collect()
    }

    /// How many messages are held, and how old the oldest is.
    pub fn extent(&mut self, now: Instant) -> (usize, Option<Duration>) {
        self.evict_expired(now);
        let oldest = self.shelves.values().filter_map(|shelf| shelf.entries.front());
        let oldest = oldest.map(|entry| now - entry.at).max();
        (self.shelves.values().map(|shelf| shelf.entries.len()).sum(), oldest)
    }

    fn evict_expired(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.shelves.retain(|_, shelf| {
            while shelf.entries.front().is_some_and(|entry| now - entry.at > MAX_AGE) {
                *bytes -= shelf.pop();
            }
            !shelf.entries.is_empty()
        });
    }

    fn fit(&mut self) {
        while self.bytes > MAX_BYTES_IN_ALL {
            let Some(largest) = self.shelves.values_mut().max_by_key(|shelf| shelf.bytes) else {
                return;
            };
            self.bytes -= largest.pop();
        }
        self.shelves.retain(|_, shelf| !shelf.entries.is_empty());
    }
}

impl InstanceReplayBuffer {
    fn push(&mut self, entry: HistoryEntry, ways: ReceivedVia) -> usize {
        let bytes = entry.bytes;
        self.known.insert(entry.key, ways);
        self.bytes += bytes;
        self.entries.push_back(entry);
        bytes
    }

    /// The oldest goes: how many bytes that frees.
    fn pop(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        self.known.remove(&entry.key);
        self.bytes -= entry.bytes;
        entry.bytes
    }

    fn remove(&mut self, key: &MessageKey) -> usize {
        let found = self.entries.iter().position(|entry| entry.key == *key);
        let Some(entry) = found.and_then(|index| self.entries.remove(index)) else { return 0 };
        self.known.remove(key);
        self.bytes -= entry.bytes;
        entry.bytes
    }
}

impl HistoryEntry {
    fn new(held: BacklogEntry, key: MessageKey, at: Instant) -> Self {
        let recipients = held.to.iter().map(|to| to.len() + OVERHEAD_RECIPIENT).sum::<usize>();
        Self { at, bytes: held.frame.bytes().len() + recipients + OVERHEAD, held, key }
    }
}

fn key(message: &AphlictMessage) -> MessageKey {
    match &message.unique {
        Some(unique) => Sha256::digest(format!("i{unique}")).into(),
        None => Sha256::digest(format!("c{}", message.content())).into(),
    }
}

fn hash(path: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(path)
}

#[cfg(test)]
mod tests {
    use super::{
        MAX_AGE, MAX_BYTES, MAX_BYTES_IN_ALL, MAX_ENTRIES, MessageHistory, MessageIdentity,
    };
    use crate::{
        push::session::BacklogEntry,
        services::phorge::{instance::PhorgeInstance, message::AphlictMessage},
        websocket::frame::Frame,
    };
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    fn acme() -> PhorgeInstance {
        PhorgeInstance::of_query("instance=acme").unwrap()
    }

    fn put(
        history: &mut MessageHistory,
        instance: &PhorgeInstance,
        body: &str,
        now: Instant,
    ) -> bool {
        let message = AphlictMessage::parse(body.as_bytes()).unwrap();
        let held = BacklogEntry {
            to: message.subscribers.iter().filter_map(|id| instance.recipient(id)).collect(),
            frame: Frame::text(message.content()),
        };
        history.take(instance, &MessageIdentity::of(&message), held, now)
    }

    fn numbered(number: usize) -> String {
        format!(r#"{{"subscribers":["a"],"uniqueID":"{number}"}}"#)
    }

    fn texts(
        history: &mut MessageHistory,
        instance: &str,
        age: Duration,
        now: Instant,
    ) -> Vec<String> {
        let text = |held: BacklogEntry| String::from_utf8(held.frame.payload().to_vec()).unwrap();
        history.since(instance, age, now).into_iter().map(text).collect()
    }

    #[test]
    fn no_instance_hears_of_another() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        assert!(put(&mut history, &acme(), &numbered(1), now));
        assert!(put(&mut history, &PhorgeInstance::of_query("").unwrap(), &numbered(1), now));
        assert_eq!(texts(&mut history, "acme", SECOND, now).len(), 1);
        assert_eq!(texts(&mut history, "other", SECOND, now).len(), 0);
        assert_eq!(history.since("acme", SECOND, now)[0].to[0].as_str(), "acme/a");
        assert_eq!(history.extent(now), (2, Some(Duration::ZERO)));
    }

    #[test]
    fn a_replay_reaches_as_far_back_as_was_asked_and_never_beyond_a_minute() {
        let (mut history, start) = (MessageHistory::default(), Instant::now());
        for number in 0..3_u32 {
            put(&mut history, &acme(), &numbered(number as usize), start + SECOND * number * 20);
        }
        let now = start + SECOND * 50;
        let mut count = |age, now| history.since("acme", age, now).len();
        assert_eq!([10, 30, 29, 50].map(|age| count(SECOND * age, now)), [1, 2, 1, 3]);
        assert_eq!(count(MAX_AGE, start + MAX_AGE), 3);
        // Also where nothing came in between that would have made room.
        assert_eq!(count(Duration::MAX, start + MAX_AGE + SECOND), 2);
        assert_eq!(history.extent(start + SECOND * 90), (1, Some(SECOND * 50)));
        assert_eq!(history.extent(start + SECOND * 101), (0, None));
        assert!(history.shelves.is_empty() && history.bytes == 0);
    }

    #[test]
    fn the_4097th_evicts_the_first() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        for number in 0..=MAX_ENTRIES {
            put(&mut history, &acme(), &numbered(number), now);
        }
        let held = texts(&mut history, "acme", SECOND, now);
        assert_eq!(held.len(), MAX_ENTRIES);
        assert!(held[0].contains(r#""1""#));
        // What is no longer held is not known any more either.
        assert!(put(&mut history, &acme(), &numbered(0), now));
        assert!(!put(&mut history, &acme(), &numbered(2), now));
    }

    #[test]
    fn what_is_held_is_bounded_in_bytes_for_each_instance_and_for_all() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let padding = "x".repeat(1024 * 1024);
        for number in 0..100 {
            let instance = PhorgeInstance::of_query(&format!("instance={}", number % 10)).unwrap();
            let body = format!(r#"{{"subscribers":[],"uniqueID":{number},"padding":"{padding}"}}"#);
            assert!(put(&mut history, &instance, &body, now));
            assert!(history.bytes <= MAX_BYTES_IN_ALL);
            assert!(history.shelves.values().all(|shelf| shelf.bytes <= MAX_BYTES));
            let sum: usize = history.shelves.values().map(|shelf| shelf.bytes).sum();
            assert_eq!(sum, history.bytes);
        }
        assert!(history.extent(now).0 > 55);
    }

    #[test]
    fn one_unique_id_is_one_message_whichever_way_it_comes() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        assert!(put(&mut history, &acme(), &numbered(1), now));
        assert!(!put(&mut history, &acme(), &numbered(1), now));
        let relayed = r#"{"subscribers":["a"],"uniqueID":"1","touched":["x"]}"#;
        assert!(!put(&mut history, &acme(), relayed, now));
        assert_eq!(history.extent(now).0, 1);
        assert!(put(&mut history, &acme(), &numbered(1), now + MAX_AGE + SECOND));
    }

    #[test]
    fn without_one_a_message_that_comes_another_way_is_the_same_and_one_said_again_is_not() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let mut put = |touched: &str| {
            let body = format!(r#"{{"subscribers":["a"],"type":"t","touched":[{touched}]}}"#);
            put(&mut history, &acme(), &body, now)
        };
        assert!(put(r#""A""#));
        assert!(!put(r#""A","C""#));
        // Somebody says it again.
        assert!(put(r#""A""#));
        assert!(!put(r#""A","C""#));
        assert!(put("") && put(""));
        assert_eq!(history.extent(now).0, 1);
    }

    #[test]
    fn copies_of_two_that_say_the_same_are_told_from_them_in_any_order() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let mut put = |touched: &str| {
            let body = format!(r#"{{"subscribers":["a"],"touched":[{touched}]}}"#);
            put(&mut history, &acme(), &body, now)
        };
        // Both come from A before the copies that C passes on.
        assert_eq!(
            [r#""A""#, r#""A""#, r#""A","C""#, r#""A","C""#].map(&mut put),
            [true, true, false, false]
        );
        // Of the third, C's copy is quicker.
        assert_eq!([r#""A","C""#, r#""A""#].map(&mut put), [true, false]);
        // What is published here comes back from nobody, and counts apart.
        assert_eq!(["", r#""A""#, ""].map(&mut put), [true, true, true]);
        for number in 0..20 {
            assert!(!put(&format!(r#""{number}""#)));
        }
    }
}

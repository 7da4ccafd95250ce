//! The messages of the last minute: for replay to reconnecting browsers (`specs/aphlict.md` section 7), and
//! to recognise a message that arrives a second time.
//!
//! Each instance has its own buffer. The time is passed in.

use super::{
    instance::PhorgeInstance,
    message::{AphlictMessage, AphlictMessageKey},
};
use crate::push::session::BacklogEntry;
use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long a message is kept.
pub const MAX_AGE: Duration = Duration::from_secs(60);
/// The most messages of one instance; beyond it the oldest is evicted.
pub const MAX_ENTRIES: usize = 4096;
/// The most bytes of one instance; beyond it the oldest messages are evicted.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most bytes of all instances; beyond it the oldest of the largest buffer are evicted.
pub const MAX_BYTES_IN_ALL: usize = 64 * 1024 * 1024;

/// The approximate bytes of an entry and of a recipient besides their texts.
const OVERHEAD: usize = 256;
const OVERHEAD_RECIPIENT: usize = 48;

/// The most relay paths counted for a message; arrivals over further paths count as copies.
const MAX_PATHS: usize = 16;

/// The history, shared by the publisher and all readers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SharedMessageHistory(Arc<Mutex<MessageHistory>>);

impl SharedMessageHistory {
    /// Locks the history; hold the guard only for one look-up.
    pub fn lock(&self) -> MutexGuard<'_, MessageHistory> {
        self.0.lock()
    }

    /// The messages of an instance up to this age. The lock is held only for sharing the list, however
    /// long it is; until the next message all replays share one.
    pub fn snapshot(&self, instance: &str, age: Duration, now: Instant) -> ReplaySnapshot {
        let entries = self.lock().shared_entries(instance);
        ReplaySnapshot::new(entries, age, now)
    }
}

/// Messages with the times of their arrival, oldest first.
type TimedEntries = Arc<[(Instant, BacklogEntry)]>;

/// The messages of one instance at one time.
#[derive(Debug)]
pub struct ReplaySnapshot {
    entries: TimedEntries,
    /// Where those begin that are recent enough.
    first: usize,
}

impl ReplaySnapshot {
    fn new(entries: TimedEntries, age: Duration, now: Instant) -> Self {
        let age = age.min(MAX_AGE);
        let first = entries.partition_point(|(at, _)| now - *at > age);
        Self { entries, first }
    }

    /// The messages, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &BacklogEntry> + ExactSizeIterator {
        self.entries[self.first..].iter().map(|(_, entry)| entry)
    }
}

/// The messages of all instances.
#[derive(Debug, Default)]
pub struct MessageHistory {
    /// By the instance's name; empty buffers are removed.
    buffers: HashMap<String, InstanceReplayBuffer>,
    bytes: usize,
}

/// The messages of one instance, oldest first.
#[derive(Debug, Default)]
struct InstanceReplayBuffer {
    entries: VecDeque<HistoryEntry>,
    /// The keys of all entries, and the paths over which each arrived.
    known: HashMap<MessageKey, ReceivedVia>,
    bytes: usize,
    /// The entries for replays; None since they have changed.
    shared: Option<TimedEntries>,
}

#[derive(Debug)]
struct HistoryEntry {
    at: Instant,
    held: BacklogEntry,
    key: MessageKey,
    bytes: usize,
}

/// Equal for copies of a message: a digest of its `uniqueID`, else of its value. Not of its text: peers
/// may serialise it differently.
type MessageKey = [u8; 32];

/// How often a relayed message arrived over which path.
#[derive(Debug, Default)]
struct ReceivedVia(Vec<(u64, u32)>);

impl ReceivedVia {
    /// Counts an arrival; true if no other path has as many. Each server relays a message at most once,
    /// and in order: so the second arrival over one path is a second message, whenever the copies of the
    /// first arrive.
    fn count_arrival(&mut self, path: u64) -> bool {
        let most = self.0.iter().map(|(_, count)| *count).max().unwrap_or_default();
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| *known == path) {
            *count = count.saturating_add(1);
            return *count > most;
        }
        if self.0.len() < MAX_PATHS {
            self.0.push((path, 1));
        }
        most == 0
    }
}

/// Identifies a message; computed before the history is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageIdentity {
    key: MessageKey,
    /// Whether the key comes from a `uniqueID`.
    unique: bool,
    /// A hash of the servers that relayed it; None if it was published here.
    path: Option<u64>,
}

impl MessageIdentity {
    /// Computes the identity of a message.
    pub fn of(message: &AphlictMessage) -> Self {
        Self {
            key: key(message),
            unique: matches!(message.key, AphlictMessageKey::UniqueId(_)),
            path: (!message.touched.is_empty()).then(|| hash(&message.touched)),
        }
    }
}

impl MessageHistory {
    /// Stores a message. Returns `false`, and stores nothing, if it is a copy that arrived over another
    /// path.
    ///
    /// Without `uniqueID`, a message that was published here, or that arrives over one path more often
    /// than over any other, is a new message with the same content: it is delivered, and replaces the
    /// earlier one in the history.
    pub fn take(
        &mut self,
        instance: &PhorgeInstance,
        identity: &MessageIdentity,
        held: BacklogEntry,
        now: Instant,
    ) -> bool {
        self.evict_expired(now);
        let buffer = self.buffers.entry(instance.name().to_owned()).or_default();
        let mut paths = ReceivedVia::default();
        if let Some(known) = buffer.known.get_mut(&identity.key) {
            if identity.unique || identity.path.is_some_and(|path| !known.count_arrival(path)) {
                return false;
            }
            paths = std::mem::take(known);
            self.bytes -= buffer.remove(&identity.key);
        } else if let Some(path) = identity.path {
            paths.count_arrival(path);
        }
        self.bytes += buffer.push(HistoryEntry::new(held, identity.key, now), paths);
        while buffer.entries.len() > MAX_ENTRIES || buffer.bytes > MAX_BYTES {
            self.bytes -= buffer.pop();
        }
        self.evict_to_total();
        true
    }

    /// The messages of an instance, also expired ones that nothing has evicted yet.
    fn shared_entries(&mut self, instance: &str) -> TimedEntries {
        let Some(buffer) = self.buffers.get_mut(instance) else { return Arc::default() };
        let entries = &buffer.entries;
        let share = || entries.iter().map(|entry| (entry.at, entry.held.clone())).collect();
        Arc::clone(buffer.shared.get_or_insert_with(share))
    }

    /// The number of messages and the age of the oldest.
    pub fn extent(&mut self, now: Instant) -> (usize, Option<Duration>) {
        self.evict_expired(now);
        let oldest = self.buffers.values().filter_map(|buffer| buffer.entries.front());
        let oldest = oldest.map(|entry| now - entry.at).max();
        (self.buffers.values().map(|buffer| buffer.entries.len()).sum(), oldest)
    }

    fn evict_expired(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.buffers.retain(|_, buffer| {
            while buffer.entries.front().is_some_and(|entry| now - entry.at > MAX_AGE) {
                *bytes -= buffer.pop();
            }
            !buffer.entries.is_empty()
        });
    }

    fn evict_to_total(&mut self) {
        while self.bytes > MAX_BYTES_IN_ALL {
            let Some(largest) = self.buffers.values_mut().max_by_key(|buffer| buffer.bytes) else {
                return;
            };
            self.bytes -= largest.pop();
        }
        self.buffers.retain(|_, buffer| !buffer.entries.is_empty());
    }
}

impl InstanceReplayBuffer {
    fn push(&mut self, entry: HistoryEntry, paths: ReceivedVia) -> usize {
        let bytes = entry.bytes;
        self.shared = None;
        self.known.insert(entry.key, paths);
        self.bytes += bytes;
        self.entries.push_back(entry);
        bytes
    }

    /// Removes the oldest; returns the freed bytes.
    fn pop(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        self.shared = None;
        self.known.remove(&entry.key);
        self.bytes -= entry.bytes;
        entry.bytes
    }

    /// Removes the entry with this key; returns the freed bytes.
    fn remove(&mut self, key: &MessageKey) -> usize {
        let found = self.entries.iter().position(|entry| entry.key == *key);
        let Some(entry) = found.and_then(|index| self.entries.remove(index)) else { return 0 };
        self.shared = None;
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
    let (tag, digest) = match &message.key {
        AphlictMessageKey::UniqueId(digest) => (b"i", digest),
        AphlictMessageKey::Content(digest) => (b"c", digest),
    };
    Sha256::new_with_prefix(tag).chain_update(digest.0).finalize().into()
}

fn hash(path: &[String]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(path)
}

#[cfg(test)]
mod tests {
    use super::{
        MAX_AGE, MAX_BYTES, MAX_BYTES_IN_ALL, MAX_ENTRIES, MessageHistory, MessageIdentity,
        ReplaySnapshot,
    };
    use crate::{
        push::session::BacklogEntry,
        services::phorge::{instance::PhorgeInstance, message::AphlictMessage},
        websocket::frame::Frame,
    };
    use std::{sync::Arc, time::Duration};
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

    fn since(
        history: &mut MessageHistory,
        instance: &str,
        age: Duration,
        now: Instant,
    ) -> Vec<BacklogEntry> {
        let snapshot = ReplaySnapshot::new(history.shared_entries(instance), age, now);
        snapshot.entries().cloned().collect()
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
        since(history, instance, age, now).into_iter().map(text).collect()
    }

    #[test]
    fn instances_have_separate_histories() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        assert!(put(&mut history, &acme(), &numbered(1), now));
        assert!(put(&mut history, &PhorgeInstance::of_query("").unwrap(), &numbered(1), now));
        assert_eq!(texts(&mut history, "acme", SECOND, now).len(), 1);
        assert_eq!(texts(&mut history, "other", SECOND, now).len(), 0);
        assert_eq!(since(&mut history, "acme", SECOND, now)[0].to[0].as_str(), "acme/a");
        assert_eq!(history.extent(now), (2, Some(Duration::ZERO)));
    }

    #[test]
    fn a_replay_reaches_the_requested_age_up_to_a_minute() {
        let (mut history, start) = (MessageHistory::default(), Instant::now());
        for number in 0..3_u32 {
            put(&mut history, &acme(), &numbered(number as usize), start + SECOND * number * 20);
        }
        let now = start + SECOND * 50;
        let mut count = |age, now| since(&mut history, "acme", age, now).len();
        assert_eq!([10, 30, 29, 50].map(|age| count(SECOND * age, now)), [1, 2, 1, 3]);
        assert_eq!(count(MAX_AGE, start + MAX_AGE), 3);
        // Old messages expire without a new one that evicts them.
        assert_eq!(count(Duration::MAX, start + MAX_AGE + SECOND), 2);
        assert_eq!(history.extent(start + SECOND * 90), (1, Some(SECOND * 50)));
        assert_eq!(history.extent(start + SECOND * 101), (0, None));
        assert!(history.buffers.is_empty() && history.bytes == 0);
    }

    #[test]
    fn replays_share_one_list_until_the_next_message() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        put(&mut history, &acme(), &numbered(1), now);
        let (one, two) = (history.shared_entries("acme"), history.shared_entries("acme"));
        assert!(Arc::ptr_eq(&one, &two));
        put(&mut history, &acme(), &numbered(2), now);
        assert_eq!((one.len(), history.shared_entries("acme").len()), (1, 2));
        history.extent(now + MAX_AGE + SECOND);
        assert!(history.shared_entries("acme").is_empty());
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
        // The key of an evicted message is forgotten as well.
        assert!(put(&mut history, &acme(), &numbered(0), now));
        assert!(!put(&mut history, &acme(), &numbered(2), now));
    }

    #[test]
    fn bytes_are_bounded_per_instance_and_in_total() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let padding = "x".repeat(1024 * 1024);
        for number in 0..100 {
            let instance = PhorgeInstance::of_query(&format!("instance={}", number % 10)).unwrap();
            let body = format!(r#"{{"subscribers":[],"uniqueID":{number},"padding":"{padding}"}}"#);
            assert!(put(&mut history, &instance, &body, now));
            assert!(history.bytes <= MAX_BYTES_IN_ALL);
            assert!(history.buffers.values().all(|buffer| buffer.bytes <= MAX_BYTES));
            let sum: usize = history.buffers.values().map(|buffer| buffer.bytes).sum();
            assert_eq!(sum, history.bytes);
        }
        assert!(history.extent(now).0 > 55);
    }

    #[test]
    fn a_unique_id_identifies_a_message_over_all_paths() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        assert!(put(&mut history, &acme(), &numbered(1), now));
        assert!(!put(&mut history, &acme(), &numbered(1), now));
        let relayed = r#"{"subscribers":["a"],"uniqueID":"1","touched":["x"]}"#;
        assert!(!put(&mut history, &acme(), relayed, now));
        assert_eq!(history.extent(now).0, 1);
        assert!(put(&mut history, &acme(), &numbered(1), now + MAX_AGE + SECOND));
    }

    #[test]
    fn without_unique_id_only_another_path_makes_a_copy() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let mut put = |touched: &str| {
            let body = format!(r#"{{"subscribers":["a"],"type":"t","touched":[{touched}]}}"#);
            put(&mut history, &acme(), &body, now)
        };
        assert!(put(r#""A""#));
        assert!(!put(r#""A","C""#));
        // The same content is published again.
        assert!(put(r#""A""#));
        assert!(!put(r#""A","C""#));
        assert!(put("") && put(""));
        assert_eq!(history.extent(now).0, 1);
    }

    #[test]
    fn a_copy_that_is_serialised_differently_is_recognised() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let mut put = |body: &str| put(&mut history, &acme(), body, now);
        assert!(put(r#"{ "subscribers":["\u0061"], "1":1.0, "touched":["A"]}"#));
        assert!(!put(r#"{"1":1,"subscribers":["a"],"touched":["A","N"]}"#));
        assert!(put(r#"{"1":2,"subscribers":["a"],"touched":["A","N"]}"#));
    }

    #[test]
    fn copies_of_repeated_content_are_recognised_in_any_order() {
        let (mut history, now) = (MessageHistory::default(), Instant::now());
        let mut put = |touched: &str| {
            let body = format!(r#"{{"subscribers":["a"],"touched":[{touched}]}}"#);
            put(&mut history, &acme(), &body, now)
        };
        // Both arrive from A before the copies that C relays.
        assert_eq!(
            [r#""A""#, r#""A""#, r#""A","C""#, r#""A","C""#].map(&mut put),
            [true, true, false, false]
        );
        // C's copy of the third arrives first.
        assert_eq!([r#""A","C""#, r#""A""#].map(&mut put), [true, false]);
        // No peer returns what was published here, and it counts separately.
        assert_eq!(["", r#""A""#, ""].map(&mut put), [true, true, true]);
        for number in 0..20 {
            assert!(!put(&format!(r#""{number}""#)));
        }
    }
}

//! Recent messages for clients that reconnect: a bounded buffer in every replica.

use super::{
    message_id::MessageId,
    registration_key::RegistrationKey,
    store::{StoreLimits, StoredMessage},
};
use crate::websocket::frame::Frame;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// Users whose removed messages are remembered one by one.
const MAX_REMOVED: usize = 65_536;
/// What the buffer counts for a message besides its bytes, as the hub does for a waiting frame.
const ENTRY_BYTES: usize = 64;

/// Messages of each user in the order of their ids. At a limit the oldest message is removed: of
/// the user, or of all.
#[derive(Debug)]
pub struct MessageReplay {
    limits: StoreLimits,
    users: HashMap<String, UserReplay>,
    /// All messages in order, by user; may contain removed ones.
    order: VecDeque<(MessageId, String, Instant)>,
    messages: usize,
    bytes: usize,
    removed: RemovedMessages,
}

/// Up to where messages have been removed, so that clients can be informed.
#[derive(Debug, Default)]
struct RemovedMessages {
    /// The buffer knows nothing of messages before this one.
    start: MessageId,
    /// The last removed message of each user.
    users: HashMap<String, MessageId>,
    /// At least the last removed message of all other users.
    others: MessageId,
}

/// What a client has missed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MissedMessages {
    /// The messages that are still kept.
    pub frames: Vec<Frame>,
    /// Whether others may be missing.
    pub incomplete: bool,
}

#[derive(Debug, Default)]
struct UserReplay {
    messages: VecDeque<BufferedMessage>,
    bytes: usize,
}

#[derive(Debug)]
struct BufferedMessage {
    id: MessageId,
    connection: Option<String>,
    frame: Frame,
}

impl BufferedMessage {
    fn size(&self) -> usize {
        self.frame.bytes().len() + ENTRY_BYTES
    }
}

impl MessageReplay {
    /// Creates an empty buffer that receives every message after `start`.
    pub fn new(limits: StoreLimits, start: MessageId) -> Self {
        let (users, order) = (HashMap::new(), VecDeque::new());
        let removed = RemovedMessages { start, ..RemovedMessages::default() };
        Self { limits, users, order, messages: 0, bytes: 0, removed }
    }

    /// Adds a message that is newer than all others.
    pub fn add(&mut self, stored: &StoredMessage, frame: Frame, now: Instant) {
        let user = stored.to.user();
        let held = BufferedMessage {
            id: stored.id,
            connection: stored.to.connection().map(str::to_owned),
            frame,
        };
        let size = held.size();
        let waiting = self.users.entry(user.to_owned()).or_default();
        waiting.bytes += size;
        waiting.messages.push_back(held);
        self.messages += 1;
        self.bytes += size;
        self.order.push_back((stored.id, user.to_owned(), now));
        while self.users.get(user).is_some_and(|waiting| {
            waiting.messages.len() > self.limits.messages || waiting.bytes > self.limits.bytes
        }) {
            self.drop_first(user);
        }
        self.forget(now);
    }

    /// Removes messages past the time or size limits.
    pub fn forget(&mut self, now: Instant) {
        while let Some((id, user, at)) = self.order.front() {
            let too_old = now.saturating_duration_since(*at) >= self.limits.replay;
            let too_much = self.messages > self.limits.messages_in_all
                || self.bytes > self.limits.bytes_in_all
                // Entries of messages already removed are bounded too.
                || self.order.len() > 2 * self.limits.messages_in_all;
            if !too_old && !too_much {
                return;
            }
            let first = self.users.get(user).and_then(|waiting| waiting.messages.front());
            let still_there = first.is_some_and(|first| first.id == *id);
            let user = user.clone();
            self.order.pop_front();
            if still_there {
                self.drop_first(&user);
            }
        }
    }

    /// Messages for this connection after the one that its client names.
    pub fn since(&self, key: &RegistrationKey, after: MessageId) -> MissedMessages {
        let incomplete = after < self.removed.start;
        let missed = self.after(key, after);
        MissedMessages { incomplete: incomplete || missed.incomplete, ..missed }
    }

    /// Messages for this connection after the last one that its session has received, as far as known.
    pub fn after(&self, key: &RegistrationKey, after: MessageId) -> MissedMessages {
        let RegistrationKey { user, connection } = key;
        let mut frames = Vec::new();
        if let Some(UserReplay { messages, .. }) = self.users.get(user) {
            let first = messages.partition_point(|held| held.id <= after);
            let missed = messages
                .range(first..)
                .filter(|held| held.connection.as_deref().is_none_or(|only| only == connection));
            frames.extend(missed.map(|held| held.frame.clone()));
        }
        MissedMessages { frames, incomplete: after < self.removed.last(user) }
    }

    /// How long a message is kept.
    pub fn kept_for(&self) -> Duration {
        self.limits.replay
    }

    fn drop_first(&mut self, user: &str) {
        let Some(waiting) = self.users.get_mut(user) else { return };
        if let Some(held) = waiting.messages.pop_front() {
            waiting.bytes -= held.size();
            self.messages -= 1;
            self.bytes -= held.size();
            self.removed.add(user, held.id);
        }
        if waiting.messages.is_empty() {
            self.users.remove(user);
        }
    }
}

impl RemovedMessages {
    fn add(&mut self, user: &str, id: MessageId) {
        if self.users.len() >= MAX_REMOVED && !self.users.contains_key(user) {
            let last = self.users.drain().map(|(_, id)| id).max();
            self.others = self.others.max(last.unwrap_or_default());
        }
        self.users.insert(user.to_owned(), id);
    }

    fn last(&self, user: &str) -> MessageId {
        self.users.get(user).copied().unwrap_or_default().max(self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        MAX_REMOVED, MessageId, MessageReplay, MissedMessages, RemovedMessages, StoreLimits,
        StoredMessage,
    };
    use crate::services::webhook::{
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
    };
    use tokio::time::{Duration, Instant};

    fn user(name: &str) -> MessageTarget {
        MessageTarget::User(name.to_owned())
    }

    fn add(replay: &mut MessageReplay, id: u64, to: MessageTarget, now: Instant) {
        let (id, value) = (MessageId(id), MessageValue::of(&id));
        replay.add(&StoredMessage { id, to, value: value.clone() }, value.frame(id), now);
    }

    fn missed(replay: &MessageReplay, user: &str, connection: &str, after: u64) -> MissedMessages {
        replay.since(&RegistrationKey::new(user, connection).unwrap(), MessageId(after))
    }

    /// The ids that a connection receives.
    fn sent(replay: &MessageReplay, user: &str, connection: &str, after: u64) -> Vec<u64> {
        let frames = missed(replay, user, connection, after).frames;
        let id = |frame: crate::websocket::frame::Frame| {
            let json: serde_json::Value = serde_json::from_slice(&frame.payload()).unwrap();
            json["message"].as_u64().unwrap()
        };
        frames.into_iter().map(id).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn only_own_and_newer_messages_are_replayed_in_order() {
        let (mut replay, now) =
            (MessageReplay::new(StoreLimits::default(), MessageId(0)), Instant::now());
        let only = MessageTarget::Connection(RegistrationKey::new("a", "c2").unwrap());
        for (id, to) in [(1, user("a")), (2, user("b")), (3, only), (4, user("a"))] {
            add(&mut replay, id, to, now);
        }
        assert_eq!(sent(&replay, "a", "c1", 0), [1, 4]);
        assert_eq!(sent(&replay, "a", "c2", 1), [3, 4]);
        assert_eq!(sent(&replay, "a", "c2", 4), [0; 0]);
        assert_eq!(sent(&replay, "nobody", "c", 0), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_forgotten_after_their_time() {
        let mut replay = MessageReplay::new(StoreLimits::default(), MessageId(0));
        add(&mut replay, 1, user("a"), Instant::now());
        tokio::time::advance(Duration::from_secs(30)).await;
        add(&mut replay, 2, user("a"), Instant::now());
        tokio::time::advance(Duration::from_secs(30)).await;
        replay.forget(Instant::now());
        assert_eq!(sent(&replay, "a", "c", 0), [2]);
        tokio::time::advance(Duration::from_secs(30)).await;
        replay.forget(Instant::now());
        assert!(replay.users.is_empty() && replay.order.is_empty());
        assert_eq!((replay.messages, replay.bytes), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn at_a_limit_the_oldest_message_is_removed() {
        let limits = StoreLimits { messages: 2, messages_in_all: 3, ..StoreLimits::default() };
        let (mut replay, now) = (MessageReplay::new(limits, MessageId(0)), Instant::now());
        for id in 1..=3 {
            add(&mut replay, id, user("a"), now);
        }
        assert_eq!(sent(&replay, "a", "c", 0), [2, 3], "of one user");
        add(&mut replay, 4, user("b"), now);
        add(&mut replay, 5, user("b"), now);
        assert_eq!(sent(&replay, "a", "c", 0), [3], "of all");
        assert_eq!(sent(&replay, "b", "c", 0), [4, 5]);
        for id in 6..100 {
            add(&mut replay, id, user("b"), now);
        }
        assert!(replay.order.len() <= 6 && replay.messages <= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_bounded_too() {
        let limits = StoreLimits { bytes: 300, ..StoreLimits::default() };
        let (mut replay, now) = (MessageReplay::new(limits, MessageId(0)), Instant::now());
        for id in 1..=10 {
            add(&mut replay, id, user("a"), now);
        }
        assert!(replay.bytes <= 300 && replay.messages >= 2, "{replay:?}");
        assert_eq!(sent(&replay, "a", "c", 0).last(), Some(&10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_learns_that_messages_are_missing() {
        let limits = StoreLimits { messages: 2, ..StoreLimits::default() };
        let (mut replay, now) = (MessageReplay::new(limits, MessageId(10)), Instant::now());
        let incomplete =
            |replay: &MessageReplay, user, after| missed(replay, user, "c", after).incomplete;
        assert!(!incomplete(&replay, "a", 10));
        assert!(incomplete(&replay, "a", 9), "from before the start");
        let key = RegistrationKey::new("a", "c").unwrap();
        assert!(!replay.after(&key, MessageId(9)).incomplete, "its session received all before");
        for id in 11..=13 {
            add(&mut replay, id, user("a"), now);
        }
        assert!(incomplete(&replay, "a", 10) && replay.after(&key, MessageId(10)).incomplete);
        assert!(!incomplete(&replay, "a", 11) && !incomplete(&replay, "b", 10));
        replay.forget(now + Duration::from_secs(3600));
        assert!(incomplete(&replay, "a", 12) && !incomplete(&replay, "a", 13));
    }

    #[test]
    fn removed_messages_of_many_users_are_remembered_together() {
        let mut removed = RemovedMessages::default();
        for id in 1..=MAX_REMOVED as u64 + 1 {
            removed.add(&id.to_string(), MessageId(id));
        }
        assert_eq!((removed.users.len(), removed.others), (1, MessageId(MAX_REMOVED as u64)));
        assert_eq!(removed.last("1"), MessageId(MAX_REMOVED as u64));
    }

    #[tokio::test(start_paused = true)]
    async fn everything_that_may_wait_in_the_hub_is_replayed() {
        let (mut replay, now) =
            (MessageReplay::new(StoreLimits::default(), MessageId(0)), Instant::now());
        // Ten of 90 kB over a slow line, then small ones at once.
        let long = MessageValue::text(&"x".repeat(90_000));
        for id in 1..=10 {
            let stored = StoredMessage { id: MessageId(id), to: user("a"), value: long.clone() };
            replay.add(&stored, long.frame(MessageId(id)), now);
        }
        for id in 11..=20_000 {
            add(&mut replay, id, user("a"), now);
        }
        let missed = missed(&replay, "a", "c", 0);
        assert_eq!((missed.frames.len(), missed.incomplete), (20_000, false));
    }
}

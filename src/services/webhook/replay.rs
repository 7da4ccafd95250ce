//! Recent messages for clients that reconnect: a bounded buffer in every replica.

use super::{
    message_id::MessageId,
    store::{StoreLimits, StoredMessage},
};
use crate::websocket::frame::Frame;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

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
        self.frame.bytes().len()
    }
}

impl MessageReplay {
    /// Creates an empty buffer.
    pub fn new(limits: StoreLimits) -> Self {
        let (users, order) = (HashMap::new(), VecDeque::new());
        Self { limits, users, order, messages: 0, bytes: 0 }
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

    /// Messages after `after` for this connection.
    pub fn since(&self, user: &str, connection: &str, after: MessageId) -> Vec<Frame> {
        let messages = self.users.get(user).into_iter().flat_map(|waiting| &waiting.messages);
        let missed = messages.filter(|held| {
            held.id > after && held.connection.as_deref().is_none_or(|only| only == connection)
        });
        missed.map(|held| held.frame.clone()).collect()
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
        }
        if waiting.messages.is_empty() {
            self.users.remove(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MessageId, MessageReplay, StoreLimits, StoredMessage};
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

    /// The ids that a connection receives.
    fn sent(replay: &MessageReplay, user: &str, connection: &str, after: u64) -> Vec<u64> {
        let frames = replay.since(user, connection, MessageId(after));
        let id = |frame: crate::websocket::frame::Frame| {
            let json: serde_json::Value = serde_json::from_slice(&frame.payload()).unwrap();
            json["message"].as_u64().unwrap()
        };
        frames.into_iter().map(id).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn only_own_and_newer_messages_are_replayed_in_order() {
        let (mut replay, now) = (MessageReplay::new(StoreLimits::default()), Instant::now());
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
        let mut replay = MessageReplay::new(StoreLimits::default());
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
        let (mut replay, now) = (MessageReplay::new(limits), Instant::now());
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
        let limits = StoreLimits { bytes: 100, ..StoreLimits::default() };
        let (mut replay, now) = (MessageReplay::new(limits), Instant::now());
        for id in 1..=10 {
            add(&mut replay, id, user("a"), now);
        }
        assert!(replay.bytes <= 100 && replay.messages >= 2, "{replay:?}");
        assert_eq!(sent(&replay, "a", "c", 0).last(), Some(&10));
    }
}

//! One simulated client and its guarantees: it panics as soon as one is broken.

use super::wire::{SentFrameReader, SimulatedSocket};
use crate::push::session::Millis;
use std::rc::Rc;

/// A half-open connection is detected within this time.
const SILENCE: Millis = 45_000;
/// No client is pinged more often.
const BETWEEN_PINGS: Millis = 30_000;

/// A change that the client hasn't been notified of.
#[derive(Debug)]
struct ExpectedNotice {
    id: Option<i64>,
    by: Millis,
}

/// One kind of change as the client sees it.
#[derive(Debug, Default)]
struct TopicExpectations {
    expected: Vec<ExpectedNotice>,
    notified_at: Option<Millis>,
    /// A change that waited while the socket was full may wait until then, although an older message
    /// that was on its way seems to be the one for it.
    waits_until: Millis,
    changes: usize,
    notified: usize,
}

/// A client from its login to its end.
#[derive(Debug)]
pub(super) struct SimulatedClient {
    pub(super) socket: SimulatedSocket,
    /// Number of its recipient.
    pub(super) name: usize,
    /// The socket is full.
    pub(super) stalled: bool,
    /// It answers no ping.
    pub(super) silent: bool,
    /// Its session was closed on purpose.
    pub(super) close_expected: bool,
    /// It received a close frame.
    pub(super) closed: bool,
    /// It didn't read for a while, and may be closed for that.
    slow: bool,
    sent_at: Millis,
    pinged_at: Option<Millis>,
    next_message: u64,
    welcome: bool,
    subjects: [TopicExpectations; 3],
    reader: SentFrameReader,
}

/// What a client does when it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientReaction {
    Nothing,
    Pong,
    HangUp,
}

impl SimulatedClient {
    pub(super) fn new(
        socket: SimulatedSocket,
        name: usize,
        next_message: u64,
        now: Millis,
    ) -> Self {
        Self {
            socket,
            name,
            stalled: false,
            silent: false,
            close_expected: false,
            closed: false,
            slow: false,
            sent_at: now,
            pinged_at: None,
            next_message,
            welcome: false,
            subjects: Default::default(),
            reader: SentFrameReader::default(),
        }
    }

    /// Something changed: the client must be notified by `by`, or after the topic's `rest`.
    pub(super) fn expect(&mut self, topic: usize, id: Option<i64>, by: Millis, rest: Millis) {
        let subject = &mut self.subjects[topic];
        let rested = subject.notified_at.map_or(0, |at| at + rest);
        let waiting = subject
            .expected
            .iter()
            .map(|expected| expected.by)
            .max()
            .unwrap_or(subject.waits_until);
        subject.expected.push(ExpectedNotice { id, by: by.max(rested).max(waiting) });
        subject.changes += 1;
    }

    /// The socket accepts so many bytes and then no more.
    pub(super) fn stall(&mut self, room: usize) {
        (self.stalled, self.slow) = (true, true);
        self.socket.0.borrow_mut().room = Some(room);
    }

    /// The socket accepts everything again; the time while it was full doesn't count.
    pub(super) fn resume(&mut self, now: Millis) {
        self.stalled = false;
        self.socket.0.borrow_mut().room = None;
        for subject in &mut self.subjects {
            for expected in &mut subject.expected {
                expected.by = expected.by.max(now);
                subject.waits_until = subject.waits_until.max(expected.by);
            }
        }
    }

    /// Sends bytes; the caller must mark the socket as readable.
    pub(super) fn send(&mut self, bytes: &[u8], now: Millis) {
        self.sent_at = now;
        self.socket.0.borrow_mut().inbound.extend_from_slice(bytes);
    }

    /// Whether the shard has removed it; panics if it had no reason to.
    pub(super) fn has_left(&self, now: Millis) -> bool {
        let left = Rc::strong_count(&self.socket.0) == 1;
        if left {
            let may_go = self.closed || self.close_expected || self.slow || self.silent;
            assert!(may_go, "a client that reads and answers was dropped: {self:#?}");
        } else {
            assert!(now <= self.sent_at + SILENCE, "still here at {now}: {self:#?}");
        }
        left
    }

    /// Reads what has arrived.
    pub(super) fn read(&mut self, now: Millis) -> ClientReaction {
        let mut reaction = ClientReaction::Nothing;
        for message in self.reader.receive(&self.socket) {
            assert!(!self.closed, "{message:?} after the close frame: {self:#?}");
            assert_eq!(message == "hello", !std::mem::replace(&mut self.welcome, true));
            match self.understand(&message, now) {
                ClientReaction::Nothing => {}
                other => reaction = other,
            }
        }
        reaction
    }

    /// Panics if a notice is overdue.
    pub(super) fn check(&self, now: Millis, messages: u64) {
        if self.stalled || self.closed || self.close_expected {
            return;
        }
        for subject in &self.subjects {
            let late = subject.expected.iter().find(|expected| expected.by < now);
            assert!(late.is_none(), "{late:?} is not notified at {now}: {self:#?}");
        }
        assert_eq!(self.next_message, messages, "a message is lost: {self:#?}");
    }

    fn understand(&mut self, message: &str, now: Millis) -> ClientReaction {
        if message == "ping" {
            return self.pinged(now);
        }
        if message.starts_with("close ") {
            let may_go = self.close_expected || self.slow;
            assert!(may_go, "{message}: a client that reads was closed: {self:#?}");
            self.closed = true;
            return ClientReaction::HangUp;
        }
        if let Some(opaque) = message.strip_prefix('m') {
            assert_eq!(opaque, format!("{} {}", self.name, self.next_message), "{self:#?}");
            self.next_message += 1;
        } else if let Some(change) = message.strip_prefix('t') {
            let (topic, ids) = change.split_at(1);
            self.notified(topic.parse().unwrap(), ids, now);
        }
        ClientReaction::Nothing
    }

    fn pinged(&mut self, now: Millis) -> ClientReaction {
        let last = self.pinged_at.replace(now);
        let soon = last.is_some_and(|last| now < last + BETWEEN_PINGS);
        assert!(!soon || self.slow, "pinged at {last:?} and {now}");
        if self.silent { ClientReaction::Nothing } else { ClientReaction::Pong }
    }

    fn notified(&mut self, topic: usize, ids: &str, now: Millis) {
        let subject = &mut self.subjects[topic];
        subject.notified += 1;
        subject.notified_at = Some(now);
        assert!(subject.notified <= subject.changes, "notified of what did not happen: {self:#?}");
        let Some(ids) = ids.strip_prefix(" [").and_then(|ids| ids.strip_suffix(']')) else {
            return subject.expected.clear();
        };
        for id in ids.split(", ").map(|id| id.parse::<i64>().unwrap()) {
            assert_eq!(usize::try_from(id).unwrap() % 1000, self.name, "not its own");
            subject.expected.retain(|expected| expected.id != Some(id));
        }
    }
}

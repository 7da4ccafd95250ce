//! One simulated client and what it was promised: fails as soon as a promise is broken.

use super::wire::{Ear, Socket};
use crate::push::session::Millis;
use std::rc::Rc;

/// A half-open connection is gone after this long.
const SILENCE: Millis = 45_000;
/// Nobody is pinged more often.
const BETWEEN_PINGS: Millis = 30_000;

/// Something that changed and has not been told.
#[derive(Debug)]
struct Owed {
    id: Option<i64>,
    by: Millis,
}

/// What the client is told of one kind of change.
#[derive(Debug, Default)]
struct Subject {
    owed: Vec<Owed>,
    told_at: Option<Millis>,
    /// What waited when the socket was full waits until then, although an older message that was on
    /// its way seems to tell of it.
    waits_until: Millis,
    changes: usize,
    told: usize,
}

/// A client from its log-in to its end.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: Socket,
    /// Number of its recipient.
    pub(super) name: usize,
    /// Its socket is full.
    pub(super) stalled: bool,
    /// It answers no ping.
    pub(super) silent: bool,
    /// Somebody asked for its end.
    pub(super) dismissed: bool,
    /// It was told the end.
    pub(super) closed: bool,
    /// It didn't read for a while: it may be closed for that.
    slow: bool,
    said_at: Millis,
    pinged_at: Option<Millis>,
    next_message: u64,
    welcome: bool,
    subjects: [Subject; 3],
    ear: Ear,
}

/// What a client does when it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    Nothing,
    Pong,
    HangUp,
}

impl Listener {
    pub(super) fn new(socket: Socket, name: usize, next_message: u64, now: Millis) -> Self {
        Self {
            socket,
            name,
            stalled: false,
            silent: false,
            dismissed: false,
            closed: false,
            slow: false,
            said_at: now,
            pinged_at: None,
            next_message,
            welcome: false,
            subjects: Default::default(),
            ear: Ear::default(),
        }
    }

    /// Something changed, to be told `by` then; `rest`: how long a topic may rest once told.
    pub(super) fn owes(&mut self, topic: usize, id: Option<i64>, by: Millis, rest: Millis) {
        let subject = &mut self.subjects[topic];
        let rested = subject.told_at.map_or(0, |at| at + rest);
        let waiting = subject.owed.iter().map(|owed| owed.by).max().unwrap_or(subject.waits_until);
        subject.owed.push(Owed { id, by: by.max(rested).max(waiting) });
        subject.changes += 1;
    }

    /// The socket takes so many bytes and then no more.
    pub(super) fn stall(&mut self, room: usize) {
        (self.stalled, self.slow) = (true, true);
        self.socket.0.borrow_mut().room = Some(room);
    }

    /// The socket takes everything again; the time it was full doesn't count.
    pub(super) fn resume(&mut self, now: Millis) {
        self.stalled = false;
        self.socket.0.borrow_mut().room = None;
        for subject in &mut self.subjects {
            for owed in &mut subject.owed {
                owed.by = owed.by.max(now);
                subject.waits_until = subject.waits_until.max(owed.by);
            }
        }
    }

    /// Sends bytes; the shard has to be told that there is something to read.
    pub(super) fn say(&mut self, bytes: &[u8], now: Millis) {
        self.said_at = now;
        self.socket.0.borrow_mut().inbound.extend_from_slice(bytes);
    }

    /// Whether the shard has forgotten it; panics if it had no right to.
    pub(super) fn has_left(&self, now: Millis) -> bool {
        let left = Rc::strong_count(&self.socket.0) == 1;
        if left {
            let may_go = self.closed || self.dismissed || self.slow || self.silent;
            assert!(may_go, "a client that reads and answers was dropped: {self:#?}");
        } else {
            assert!(now <= self.said_at + SILENCE, "still here at {now}: {self:#?}");
        }
        left
    }

    /// Reads what has come.
    pub(super) fn read(&mut self, now: Millis) -> Reaction {
        let mut reaction = Reaction::Nothing;
        for message in self.ear.hear(&self.socket) {
            assert!(!self.closed, "{message:?} after the close frame: {self:#?}");
            assert_eq!(message == "hello", !std::mem::replace(&mut self.welcome, true));
            match self.understand(&message, now) {
                Reaction::Nothing => {}
                other => reaction = other,
            }
        }
        reaction
    }

    /// Panics if something should have been told by now.
    pub(super) fn check(&self, now: Millis, messages: u64) {
        if self.stalled || self.closed || self.dismissed {
            return;
        }
        for subject in &self.subjects {
            let late = subject.owed.iter().find(|owed| owed.by < now);
            assert!(late.is_none(), "{late:?} is not told at {now}: {self:#?}");
        }
        assert_eq!(self.next_message, messages, "a message is lost: {self:#?}");
    }

    fn understand(&mut self, message: &str, now: Millis) -> Reaction {
        if message == "ping" {
            return self.pinged(now);
        }
        if message.starts_with("close ") {
            let may_go = self.dismissed || self.slow;
            assert!(may_go, "{message}: a client that reads was sent away: {self:#?}");
            self.closed = true;
            return Reaction::HangUp;
        }
        if let Some(opaque) = message.strip_prefix('m') {
            assert_eq!(opaque, format!("{} {}", self.name, self.next_message), "{self:#?}");
            self.next_message += 1;
        } else if let Some(change) = message.strip_prefix('t') {
            let (topic, ids) = change.split_at(1);
            self.told(topic.parse().unwrap(), ids, now);
        }
        Reaction::Nothing
    }

    fn pinged(&mut self, now: Millis) -> Reaction {
        let last = self.pinged_at.replace(now);
        let soon = last.is_some_and(|last| now < last + BETWEEN_PINGS);
        assert!(!soon || self.slow, "pinged at {last:?} and {now}");
        if self.silent { Reaction::Nothing } else { Reaction::Pong }
    }

    fn told(&mut self, topic: usize, ids: &str, now: Millis) {
        let subject = &mut self.subjects[topic];
        subject.told += 1;
        subject.told_at = Some(now);
        assert!(subject.told <= subject.changes, "told of what did not happen: {self:#?}");
        let Some(ids) = ids.strip_prefix(" [").and_then(|ids| ids.strip_suffix(']')) else {
            return subject.owed.clear();
        };
        for id in ids.split(", ").map(|id| id.parse::<i64>().unwrap()) {
            assert_eq!(usize::try_from(id).unwrap() % 1000, self.name, "not its own");
            subject.owed.retain(|owed| owed.id != Some(id));
        }
    }
}

//! What clients are notified of: changes, which merge, and opaque messages, which don't.

use super::recipient::Recipient;
use crate::websocket::frame::Frame;
use smallvec::SmallVec;
use std::sync::Arc;

/// How many topics a service may have; each costs every idle session a few bytes.
pub const TOPICS: usize = 3;

/// With more changed ids than this a client is notified that anything may have changed: from there on a
/// full refresh is cheaper for it, and a session's memory stays bounded.
pub const MAX_IDS: usize = 256;

/// A kind of change: an index into its service's list of topics (`0..TOPICS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId(pub u8);

impl TopicId {
    /// The position in an array with one slot per topic.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Which things changed: a lattice with [`ChangedIds::Unknown`] on top.
///
/// Merging is idempotent and loses nothing; the order of first appearance is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedIds {
    /// Exactly these, each once, in order of first appearance.
    Known(SmallVec<[i64; 2]>),
    /// Anything may have changed.
    Unknown,
}

impl ChangedIds {
    /// A single known id.
    pub fn one(id: i64) -> Self {
        Self::Known(SmallVec::from_slice(&[id]))
    }

    /// Adds the ids of `other`. Unknown absorbs known, and so do more than [`MAX_IDS`] ids.
    pub fn merge(&mut self, other: &ChangedIds) {
        let (Self::Known(mine), Self::Known(more)) = (&mut *self, other) else {
            *self = Self::Unknown;
            return;
        };
        for id in more {
            if !mine.contains(id) {
                mine.push(*id);
            }
        }
        if mine.len() > MAX_IDS {
            *self = Self::Unknown;
        }
    }
}

/// Something that one or more clients are notified of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something of this topic changed: sent at the topic's pace, merged with what still waits.
    Change {
        /// The kind of change.
        topic: TopicId,
        /// Which things changed.
        ids: ChangedIds,
    },
    /// A message that is passed on unchanged, at once and in order.
    Opaque(Frame),
}

/// The clients that a notice is for.
#[derive(Debug, Clone)]
pub enum NoticeAudience {
    /// The clients of one recipient.
    One(Recipient),
    /// The clients of all of these; a client that listens as several of them is notified once.
    Many(Arc<[Recipient]>),
    /// Every client of the service.
    Everyone,
}

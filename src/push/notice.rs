//! What a client is notified: changes, which merge, and opaque messages, which do not.

use crate::websocket::frame::Frame;
use smallvec::SmallVec;

/// How many topics a host may have; each costs every idle session a few bytes.
pub const TOPICS: usize = 3;

/// More changed ids than this are notified as "something changed": a full look is cheaper for the
/// client by then, and a session's memory stays bounded.
pub const MAX_IDS: usize = 256;

/// Index of a kind of change in its host's list of topics (`0..TOPICS`).
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
/// Merging is idempotent and never forgets; the order of first appearance is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedIds {
    /// Exactly these, each once, in order of first appearance.
    Known(SmallVec<[i64; 2]>),
    /// Anything may have changed.
    Unknown,
}

impl ChangedIds {
    /// One known id.
    pub fn one(id: i64) -> Self {
        Self::Known(SmallVec::from_slice(&[id]))
    }

    /// Takes in what `other` says. Unknown absorbs known, and so do more than [`MAX_IDS`] ids.
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

/// What one or more clients are notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something of this topic changed; notified at the topic's pace, merged with what still waits.
    Change {
        /// What kind of thing.
        topic: TopicId,
        /// Which ones.
        ids: ChangedIds,
    },
    /// A text passed on as it is, at once and in order.
    Opaque(Frame),
}

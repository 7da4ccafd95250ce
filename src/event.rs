//! What a message from a source says, once its host has understood it.

use crate::{notice::Notice, recipient::Recipient};
use smallvec::SmallVec;

/// A place in a host's storage: who sees it is looked up (`recipients`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The storage's id, 64-bit as in the database.
    pub storage: i64,
    /// The path inside that storage, without a leading slash; segments are separated by `/`.
    pub path: Box<str>,
}

/// Whom an event concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// These recipients and nobody else.
    Named(SmallVec<[Recipient; 1]>),
    /// Every recipient who sees the place.
    Sees(Place),
    /// Everybody connected to this host.
    Everyone,
}

/// An understood message. `Order` is what only the host itself can carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<Order> {
    /// Tell the audience.
    Tell {
        /// Whom.
        audience: Audience,
        /// What.
        notice: Notice,
        /// What this recipient sees may have changed, or will in a moment: look again.
        access_changed: bool,
    },
    /// Close every session of this recipient, or everyone's.
    Disconnect(Option<Recipient>),
    /// Something for the host alone.
    Order(Order),
}

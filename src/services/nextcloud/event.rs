//! What a message from a source says, once its host has understood it.

use crate::push::{
    notice::{ChangedIds, Notice},
    recipient::Recipient,
    session::CloseReason,
};

/// A place in a host's storage: who sees it is looked up (`recipients`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoragePath {
    /// The storage's id, 64-bit as in the database.
    pub storage: i64,
    /// The path inside that storage, without a leading slash; segments are separated by `/`.
    pub path: Box<str>,
}

/// Whom a notice is for, where the message itself says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeTarget {
    /// This recipient.
    One(Recipient),
    /// Everybody connected to this host.
    Everyone,
}

/// What a message says of what its recipient can see from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChange {
    /// Nothing.
    Same,
    /// It may have changed: a notification often goes with a share.
    Possible,
    /// It has changed, or will in a moment.
    Changed,
}

/// An understood message. `Order` is what only the host itself can carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceEvent<Order> {
    /// Things in this place changed: everyone who sees it is concerned.
    Changed(StoragePath, ChangedIds),
    /// Notify somebody something.
    Notify {
        /// Whom.
        to: NoticeTarget,
        /// What.
        notice: Notice,
        /// What it says of the recipient's access.
        access: AccessChange,
    },
    /// Close every session of this recipient, or everyone's.
    Disconnect(Option<Recipient>, CloseReason),
    /// Something for the host alone.
    Order(Order),
}

//! What a message on one of Nextcloud's Redis channels means for the hub and for the daemon.

use super::channels::NextcloudCommand;
use crate::push::{
    notice::{ChangedIds, Notice},
    recipient::Recipient,
    session::CloseReason,
};

/// A path inside a storage; the audience of a change there is looked up (`audience`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoragePath {
    /// The storage's id, 64-bit as in the database.
    pub storage: i64,
    /// The path inside that storage, without a leading slash; segments are separated by `/`.
    pub path: Box<str>,
}

/// A decoded message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextcloudEvent {
    /// Files below this path changed: every user with a mount that covers it is notified.
    StorageChanged(StoragePath, ChangedIds),
    /// One recipient is notified.
    Notify(Recipient, Notice),
    /// Every session of this recipient is closed, or every session at all.
    Disconnect(Option<Recipient>, CloseReason),
    /// The daemon itself has something to do.
    Command(NextcloudCommand),
}

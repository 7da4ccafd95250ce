//! Which recipients have clients, for the part that looks up audiences: a board instead of a queue, so
//! that neither side can hold up the other.

use crate::push::recipient::Recipient;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio::sync::Notify;

/// Arrivals and departures since they were last read; at most one entry for each recipient.
#[derive(Debug, Default)]
pub struct PresenceTracker {
    changed: Mutex<HashMap<Recipient, bool>>,
    notify: Notify,
    /// Whether anything reads the entries, which would pile up otherwise.
    watched: AtomicBool,
}

impl PresenceTracker {
    /// Records changes from now on.
    pub fn watch(&self) {
        self.watched.store(true, Relaxed);
    }

    /// The recipient's first client has joined (`true`) or its last has left (`false`).
    pub fn note(&self, recipient: Recipient, here: bool) {
        if !self.watched.load(Relaxed) {
            return;
        }
        self.changed.lock().insert(recipient, here);
        self.notify.notify_one();
    }

    /// Takes the recorded changes.
    pub fn take(&self) -> HashMap<Recipient, bool> {
        std::mem::take(&mut *self.changed.lock())
    }

    /// Resolves when there are changes to take.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}

//! Who is connected, for the part that looks up audiences: a board, not a queue, so that neither
//! side can hold up the other.

use crate::push::recipient::Recipient;
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::Notify;

/// Arrivals and departures since they were last read; one entry for each recipient at most.
#[derive(Debug, Default)]
pub struct PresenceTracker {
    changed: Mutex<HashMap<Recipient, bool>>,
    notify: Notify,
    /// Whether anybody reads it: what nobody takes would only pile up.
    watched: AtomicBool,
}

impl PresenceTracker {
    /// From now on somebody takes what has changed.
    pub fn watch(&self) {
        self.watched.store(true, Relaxed);
    }

    /// The recipient's first client is here (`true`) or its last has left (`false`).
    pub fn note(&self, recipient: Recipient, here: bool) {
        if !self.watched.load(Relaxed) {
            return;
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(recipient, here);
        drop(changed);
        self.notify.notify_one();
    }

    /// Takes what has changed.
    pub fn take(&self) -> HashMap<Recipient, bool> {
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when there is something to take.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}

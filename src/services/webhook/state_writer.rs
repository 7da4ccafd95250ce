//! Writes session states to the store in the background, so that no client waits for it.

use super::{
    registration_key::RegistrationKey,
    store::{ExpiredRegistration, RegistrationRenewal, RegistrationStore},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// States written at once.
const BATCH: usize = 256;
/// Sessions whose state waits to be written; beyond that, a client may receive messages twice.
const MAX_QUEUED: usize = 65_536;
/// Delay after a failed write.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Time limit for the last write.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Latest state of each pair that waits to be written.
struct StateWriter {
    store: Arc<dyn RegistrationStore>,
    states: HashMap<RegistrationKey, RegistrationRenewal>,
    expired: mpsc::Sender<ExpiredRegistration>,
}

/// Creates the queue of states. When it is full, states are dropped.
pub fn notes() -> (mpsc::Sender<RegistrationRenewal>, mpsc::Receiver<RegistrationRenewal>) {
    mpsc::channel(MAX_QUEUED)
}

/// Runs until the queue is closed and written. Sessions that have lost their registration are sent
/// to `expired`.
pub async fn run(
    store: Arc<dyn RegistrationStore>,
    mut noted: mpsc::Receiver<RegistrationRenewal>,
    expired: mpsc::Sender<ExpiredRegistration>,
) {
    let mut waiting = StateWriter { store, states: HashMap::new(), expired };
    let mut batch = Vec::with_capacity(BATCH);
    while noted.recv_many(&mut batch, BATCH).await > 0 {
        waiting.take(&mut batch);
        while !waiting.write().await && !noted.is_closed() {
            sleep(RETRY_DELAY).await;
            // Newer states replace those that wait.
            while let Ok(kept) = noted.try_recv() {
                batch.push(kept);
            }
            waiting.take(&mut batch);
        }
    }
    if timeout(LAST_WRITE_TIMEOUT, waiting.write()).await != Ok(true) {
        tracing::debug!(sessions = waiting.states.len(), "session states not saved at shutdown");
    }
}

impl StateWriter {
    fn take(&mut self, batch: &mut Vec<RegistrationRenewal>) {
        for kept in batch.drain(..) {
            if self.states.len() < MAX_QUEUED || self.states.contains_key(&kept.claim) {
                self.states.insert(kept.claim.clone(), kept);
            }
        }
    }

    /// Writes all states; false if some remain.
    async fn write(&mut self) -> bool {
        while !self.states.is_empty() {
            let some: Vec<RegistrationRenewal> =
                self.states.values().take(BATCH).cloned().collect();
            let expired = match self.store.keep(&some).await {
                Ok(expired) => expired,
                Err(error) => {
                    tracing::debug!("session states not saved: {error}");
                    return false;
                }
            };
            for expired in expired {
                // At shutdown the receiver is gone, and the session ends anyway.
                let _ = self.expired.send(expired).await;
            }
            for kept in some {
                if self.states.get(&kept.claim) == Some(&kept) {
                    self.states.remove(&kept.claim);
                }
            }
        }
        true
    }
}

//! Writes into the store how sessions are, behind the dispatcher's back: no client waits for it.

use super::{
    registration_key::RegistrationKey,
    store::{ExpiredRegistration, RegistrationRenewal, RegistrationStore},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Written in one go.
const BATCH: usize = 256;
/// Sessions whose state waits to be written; of more, a client may be sent messages twice.
const WAITING: usize = 65_536;
/// How long to wait after the store could not be written.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end what is left is written within this time, or not at all.
const LAST: Duration = Duration::from_secs(2);

/// What waits to be written: the latest state of each pair.
struct StateWriter {
    store: Arc<dyn RegistrationStore>,
    states: HashMap<RegistrationKey, RegistrationRenewal>,
    expired: mpsc::Sender<ExpiredRegistration>,
}

/// The two ends of what is noted. Past what waits at most, notes are lost.
pub fn notes() -> (mpsc::Sender<RegistrationRenewal>, mpsc::Receiver<RegistrationRenewal>) {
    mpsc::channel(WAITING)
}

/// Runs until nobody notes anything any more and the rest is written. Sessions that turn out to have
/// lost their registration are named to `expired`.
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
            sleep(PAUSE).await;
            // What has come meanwhile replaces what waits.
            while let Ok(kept) = noted.try_recv() {
                batch.push(kept);
            }
            waiting.take(&mut batch);
        }
    }
    if timeout(LAST, waiting.write()).await != Ok(true) {
        tracing::debug!(sessions = waiting.states.len(), "what they were told isn't known");
    }
}

impl StateWriter {
    fn take(&mut self, batch: &mut Vec<RegistrationRenewal>) {
        for kept in batch.drain(..) {
            if self.states.len() < WAITING || self.states.contains_key(&kept.claim) {
                self.states.insert(kept.claim.clone(), kept);
            }
        }
    }

    /// Writes all of it; false: the rest waits.
    async fn write(&mut self) -> bool {
        while !self.states.is_empty() {
            let some: Vec<RegistrationRenewal> =
                self.states.values().take(BATCH).cloned().collect();
            let expired = match self.store.keep(&some).await {
                Ok(expired) => expired,
                Err(error) => {
                    tracing::debug!("how sessions are isn't noted: {error}");
                    return false;
                }
            };
            for expired in expired {
                // At the end there is nobody who wants to know: its session ends anyway.
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

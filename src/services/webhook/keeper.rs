//! Writes into the book how sessions are, behind the teller's back: no client waits for it.

use super::{
    book::{Book, Kept, Lapsed},
    claim::Claim,
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
/// How long to wait after the book could not be written.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end what is left is written within this time, or not at all.
const LAST: Duration = Duration::from_secs(2);

/// What waits to be written: the latest state of each pair.
struct Waiting {
    book: Arc<dyn Book>,
    states: HashMap<Claim, Kept>,
    lapsed: mpsc::Sender<Lapsed>,
}

/// The two ends of what is noted. Past what waits at most, notes are lost.
pub fn notes() -> (mpsc::Sender<Kept>, mpsc::Receiver<Kept>) {
    mpsc::channel(WAITING)
}

/// Runs until nobody notes anything any more and the rest is written. Sessions that turn out to have
/// lost their registration are named to `lapsed`.
pub async fn run(
    book: Arc<dyn Book>,
    mut noted: mpsc::Receiver<Kept>,
    lapsed: mpsc::Sender<Lapsed>,
) {
    let mut waiting = Waiting { book, states: HashMap::new(), lapsed };
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

impl Waiting {
    fn take(&mut self, batch: &mut Vec<Kept>) {
        for kept in batch.drain(..) {
            if self.states.len() < WAITING || self.states.contains_key(&kept.claim) {
                self.states.insert(kept.claim.clone(), kept);
            }
        }
    }

    /// Writes all of it; false: the rest waits.
    async fn write(&mut self) -> bool {
        while !self.states.is_empty() {
            let some: Vec<Kept> = self.states.values().take(BATCH).cloned().collect();
            let lapsed = match self.book.keep(&some).await {
                Ok(lapsed) => lapsed,
                Err(error) => {
                    tracing::debug!("how sessions are isn't noted: {error}");
                    return false;
                }
            };
            for lapsed in lapsed {
                // At the end there is nobody who wants to know: its session ends anyway.
                let _ = self.lapsed.send(lapsed).await;
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

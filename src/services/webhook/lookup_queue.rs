//! The queue of registration lookups. Clients that haven't been admitted share it, so it is bounded and
//! separate from what back ends need; a network can't fill it alone.

use crate::server::client_address::ClientNetwork;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Lookups at once.
const CONCURRENT_LOOKUPS: usize = 16;
/// Lookups that wait or run, of all networks.
const MAX_LOOKUPS: usize = 2048;
/// Lookups that wait or run, of one network.
const MAX_LOOKUPS_PER_NETWORK: usize = 1024;
/// Maximum wait for a lookup's turn.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Grants lookups in order of arrival.
#[derive(Debug)]
pub struct PairLookupQueue {
    permits: Semaphore,
    counts: Arc<Mutex<LookupCounts>>,
}

#[derive(Debug, Default)]
struct LookupCounts {
    total: usize,
    /// Bounded by `total`: a network without lookups has no entry.
    networks: HashMap<ClientNetwork, usize>,
}

/// Counts one lookup until dropped.
#[derive(Debug)]
struct LookupPlace {
    network: ClientNetwork,
    counts: Arc<Mutex<LookupCounts>>,
}

/// The right to look up one pair.
#[derive(Debug)]
pub struct LookupPermit<'a> {
    _permit: SemaphorePermit<'a>,
    _place: LookupPlace,
}

impl Default for PairLookupQueue {
    fn default() -> Self {
        Self { permits: Semaphore::new(CONCURRENT_LOOKUPS), counts: Arc::default() }
    }
}

impl PairLookupQueue {
    /// Waits for a lookup's turn; none if too many wait or it takes too long.
    pub async fn acquire(&self, network: ClientNetwork) -> Option<LookupPermit<'_>> {
        let place = self.place(network)?;
        let permit = timeout(MAX_WAIT, self.permits.acquire()).await.ok()?.ok()?;
        Some(LookupPermit { _permit: permit, _place: place })
    }

    fn place(&self, network: ClientNetwork) -> Option<LookupPlace> {
        let mut counts = self.counts.lock();
        let of_network = counts.networks.get(&network).copied().unwrap_or_default();
        if counts.total >= MAX_LOOKUPS || of_network >= MAX_LOOKUPS_PER_NETWORK {
            return None;
        }
        counts.total += 1;
        counts.networks.insert(network, of_network + 1);
        Some(LookupPlace { network, counts: Arc::clone(&self.counts) })
    }
}

impl Drop for LookupPlace {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.total -= 1;
        match counts.networks.get_mut(&self.network) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.networks.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONCURRENT_LOOKUPS, ClientNetwork, MAX_LOOKUPS_PER_NETWORK, PairLookupQueue};
    use futures_util::{FutureExt, future::join_all};

    fn network(last: u8) -> ClientNetwork {
        ClientNetwork::Network([192, 0, 2, last].into())
    }

    #[tokio::test]
    async fn one_network_cannot_fill_the_queue() {
        let queue = PairLookupQueue::default();
        let mut flood =
            Box::pin(join_all((0..2 * MAX_LOOKUPS_PER_NETWORK).map(|_| queue.acquire(network(1)))));
        assert!(flood.as_mut().now_or_never().is_none());
        assert_eq!(queue.counts.lock().total, MAX_LOOKUPS_PER_NETWORK);
        assert!(queue.acquire(network(1)).await.is_none());
        let mut other = Box::pin(queue.acquire(network(2)));
        assert!(other.as_mut().now_or_never().is_none(), "it waits for its turn");
        drop(flood);
        assert!(other.await.is_some());
        assert!(queue.counts.lock().networks.is_empty() && queue.counts.lock().total == 0);
        let held: Vec<_> =
            join_all((0..CONCURRENT_LOOKUPS).map(|_| queue.acquire(network(1)))).await;
        assert!(held.iter().all(Option::is_some));
        assert!(queue.acquire(network(2)).now_or_never().is_none());
    }
}

//! The limit on the browsers of one address.

use crate::server::{
    client_address::{ClientAddressResolver, ClientNetwork},
    peer::ConnectionPeer,
};
use ipnet::IpNet;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Limits how many browsers one address may have connected. Cheap to clone; all clones share the count.
///
/// Connections whose client is unknown aren't counted: those of unix sockets, and of loopback and trusted
/// proxies that forward no address. `MAX_CONNECTIONS` limits them.
#[derive(Clone)]
pub struct AddressLimit(Arc<AddressLimitState>);

struct AddressLimitState {
    addresses: ClientAddressResolver,
    maximum: AtomicUsize,
    /// Bounded by the connected browsers: a network without any has no entry.
    counts: Mutex<HashMap<ClientNetwork, usize>>,
}

/// Counts one browser until it is dropped.
pub struct AddressPermit {
    limit: AddressLimit,
    network: ClientNetwork,
}

impl AddressLimit {
    /// Admits `maximum` browsers of each address, which is looked up behind trusted proxies.
    pub fn new(maximum: usize, trusted: &[IpNet]) -> Self {
        Self(Arc::new(AddressLimitState {
            addresses: ClientAddressResolver::new(trusted.to_vec()),
            maximum: AtomicUsize::new(maximum),
            counts: Mutex::default(),
        }))
    }

    /// Changes limit and trusted proxies; connected browsers stay.
    pub fn apply(&self, maximum: usize, trusted: &[IpNet]) {
        self.0.maximum.store(maximum, Relaxed);
        self.0.addresses.trust(trusted.to_vec());
    }

    /// A permit for one more browser; None while its address has as many as allowed.
    pub fn acquire(&self, peer: &ConnectionPeer) -> Option<AddressPermit> {
        let network = self.0.addresses.of(peer);
        if network != ClientNetwork::Local {
            let mut counts = self.0.counts.lock();
            let count = counts.get(&network).copied().unwrap_or_default();
            if count >= self.0.maximum.load(Relaxed) {
                return None;
            }
            counts.insert(network, count + 1);
        }
        Some(AddressPermit { limit: self.clone(), network })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut counts = self.limit.0.counts.lock();
        match counts.get_mut(&self.network) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AddressLimit;
    use crate::server::peer::ConnectionPeer;

    fn peer(address: &str, forwarded: &[&str]) -> ConnectionPeer {
        ConnectionPeer {
            address: Some(address.parse().unwrap()),
            forwarded: forwarded.iter().map(|&element| element.to_owned()).collect(),
        }
    }

    #[test]
    fn each_address_has_its_own_limit() {
        let limit = AddressLimit::new(2, &[]);
        let (one, other) = (peer("192.0.2.1:1", &[]), peer("192.0.2.2:1", &[]));
        let first = limit.acquire(&one).unwrap();
        let _second = limit.acquire(&one).unwrap();
        assert!(limit.acquire(&one).is_none());
        let third = limit.acquire(&other).unwrap();
        drop(first);
        assert!(limit.acquire(&one).is_some());
        drop(third);
        assert_eq!(limit.0.counts.lock().len(), 1);
    }

    #[test]
    fn behind_a_trusted_proxy_the_forwarded_address_counts() {
        let limit = AddressLimit::new(1, &["10.0.0.0/8".parse().unwrap()]);
        let through = |client: &str| peer("10.0.0.1:1", &[client]);
        let _first = limit.acquire(&through("192.0.2.1")).unwrap();
        assert!(limit.acquire(&through("192.0.2.1")).is_none());
        assert!(limit.acquire(&through("192.0.2.2")).is_some());
        // A proxy that forwards no address: its browsers can't be told apart.
        let hidden: Vec<_> = (0..5).map(|_| limit.acquire(&peer("10.0.0.1:1", &[]))).collect();
        assert!(hidden.iter().all(Option::is_some));
        limit.apply(2, &[]);
        assert!(limit.acquire(&through("192.0.2.1")).is_some(), "now the proxy counts itself");
    }
}

//! Limits of connections that haven't logged in: in all, and from one address.

use super::{ConnectionObserver, PreAuthLimits, RefusalReason};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio_util::sync::CancellationToken;

/// Counts connections that haven't logged in. Cheap to clone: all listeners share one.
///
/// At the limit the connection that has been silent longest is evicted, not the new one: a client that
/// wants to log in does so at once.
#[derive(Clone)]
pub struct PreAuthLimiter {
    shared: Arc<PreAuthShared>,
}

struct PreAuthShared {
    /// Addresses that many clients share: loopback, trusted proxies.
    exempt: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    observer: Arc<dyn ConnectionObserver>,
    count: Mutex<PreAuthCounts>,
}

struct PreAuthCounts {
    limits: PreAuthLimits,
    total: usize,
    /// Bounded by `total`: an address without such connections has no entry.
    by_address: HashMap<IpAddr, usize>,
    /// Connections that haven't sent credentials, in order of arrival.
    evictable: BTreeMap<u64, CancellationToken>,
    next_arrival: u64,
}

/// One connection that has not logged in. Clones are the same connection; it stops counting when
/// the last one is dropped: the connection ended or its client logged in.
#[derive(Clone)]
pub struct PreAuthConnection(Arc<PreAuthSlot>);

struct PreAuthSlot {
    pre_auth: PreAuthLimiter,
    address: Option<IpAddr>,
    arrival: u64,
    evicted: CancellationToken,
    /// Whether it no longer counts although its connection continues.
    joined: AtomicBool,
}

impl PreAuthLimiter {
    /// Addresses that are `exempt` have no limit of their own.
    pub fn new(
        limits: PreAuthLimits,
        exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
        observer: Arc<dyn ConnectionObserver>,
    ) -> Self {
        let count = PreAuthCounts {
            limits,
            total: 0,
            by_address: HashMap::new(),
            evictable: BTreeMap::new(),
            next_arrival: 0,
        };
        let (exempt, count) = (Box::new(exempt), Mutex::new(count));
        Self { shared: Arc::new(PreAuthShared { exempt, observer, count }) }
    }

    /// Applies other limits. Open connections stay.
    pub fn apply(&self, limits: PreAuthLimits) {
        self.lock().limits = limits;
    }

    /// Admits a connection from `address` (`None`: a unix socket), or returns the reason of the refusal.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<PreAuthConnection, RefusalReason> {
        let address = address.filter(|address| !(self.shared.exempt)(*address)).map(address_prefix);
        let mut count = self.lock();
        let here = address.and_then(|address| count.by_address.get(&address)).map_or(0, |n| *n);
        if address.is_some() && here >= count.limits.per_address {
            return Err(RefusalReason::PerAddressLimit);
        }
        if count.total >= count.limits.total {
            if !count.evict() {
                return Err(RefusalReason::TotalLimit);
            }
            self.shared.observer.refused(RefusalReason::Evicted);
        }
        if let Some(address) = address {
            count.by_address.insert(address, here + 1);
        }
        let (arrival, evicted) = (count.next_arrival, CancellationToken::new());
        count.next_arrival += 1;
        count.total += 1;
        count.evictable.insert(arrival, evicted.clone());
        self.shared.observer.pre_auth_connection(true);
        let (pre_auth, joined) = (self.clone(), AtomicBool::new(false));
        Ok(PreAuthConnection(Arc::new(PreAuthSlot { pre_auth, address, arrival, evicted, joined })))
    }

    /// The number of counted connections.
    pub fn count(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, PreAuthCounts> {
        self.shared.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PreAuthCounts {
    /// Evicts the connection that has been silent longest.
    fn evict(&mut self) -> bool {
        let Some((_, oldest)) = self.evictable.pop_first() else { return false };
        oldest.cancel();
        self.total -= 1;
        true
    }
}

impl PreAuthConnection {
    /// It has sent its credentials and waits for our decision, so it is no longer evicted: otherwise clients
    /// that reconnect after a restart would evict those whose turn is next.
    pub fn protect_from_eviction(&self) {
        self.0.pre_auth.lock().evictable.remove(&self.0.arrival);
    }

    /// Its credentials were refused: it may be evicted again.
    pub fn allow_eviction(&self) {
        let mut count = self.0.pre_auth.lock();
        if !self.0.evicted.is_cancelled() && !self.is_joined() {
            count.evictable.insert(self.0.arrival, self.0.evicted.clone());
        }
    }

    /// It belongs to a session that the hub counts, so it no longer counts here, although its connection
    /// stays HTTP: an event stream, or polling.
    pub fn mark_joined(&self) {
        if !self.0.joined.swap(true, Relaxed) {
            self.0.release();
        }
    }

    /// Admits one more connection from the same address.
    pub(super) fn another(&self) -> Result<Self, RefusalReason> {
        self.0.pre_auth.admit(self.0.address)
    }

    /// Whether [`PreAuthConnection::mark_joined`] was called.
    pub fn is_joined(&self) -> bool {
        self.0.joined.load(Relaxed)
    }

    /// Cancelled when it is evicted; never after its client logged in.
    pub fn eviction(&self) -> CancellationToken {
        self.0.evicted.clone()
    }
}

impl Drop for PreAuthSlot {
    fn drop(&mut self) {
        if !*self.joined.get_mut() {
            self.release();
        }
    }
}

impl PreAuthSlot {
    fn release(&self) {
        self.pre_auth.shared.observer.pre_auth_connection(false);
        let mut count = self.pre_auth.lock();
        count.evictable.remove(&self.arrival);
        if !self.evicted.is_cancelled() {
            count.total -= 1;
        }
        let Some(address) = self.address else { return };
        match count.by_address.get_mut(&address) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                count.by_address.remove(&address);
            }
        }
    }
}

/// The prefix that counts as one client: an IPv4 address, or the /56 that one IPv6 customer usually has.
fn address_prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 72 << 72).into(),
    }
}

impl fmt::Debug for PreAuthConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreAuthConnection").field(&self.0.arrival).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{PreAuthConnection, PreAuthLimiter, PreAuthLimits, RefusalReason};
    use crate::server::NoopConnectionObserver;
    use std::{net::IpAddr, sync::Arc};

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn pre_auth(total: usize, per_address: usize) -> PreAuthLimiter {
        let limits = PreAuthLimits { total, per_address };
        PreAuthLimiter::new(limits, |ip| ip.is_loopback(), Arc::new(NoopConnectionObserver))
    }

    fn is_evicted(pre_auth_connection: &PreAuthConnection) -> bool {
        pre_auth_connection.0.evicted.is_cancelled()
    }

    #[test]
    fn one_address_has_its_share_and_others_theirs() {
        let pre_auth = pre_auth(10, 2);
        let _first = pre_auth.admit(address(1)).unwrap();
        let second = pre_auth.admit(address(1)).unwrap();
        assert_eq!(pre_auth.admit(address(1)).err(), Some(RefusalReason::PerAddressLimit));
        assert!(pre_auth.admit(address(2)).is_ok());
        drop(second);
        assert!(pre_auth.admit(address(1)).is_ok());
    }

    #[test]
    fn an_ipv6_prefix_is_one_address() {
        let pre_auth = pre_auth(10, 1);
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let _held = pre_auth.admit(ip("2001:db8:0:aa00::1")).unwrap();
        assert!(pre_auth.admit(ip("2001:db8:0:aaff:1:2:3:4")).is_err());
        assert!(pre_auth.admit(ip("2001:db8:0:ab00::1")).is_ok());
    }

    #[test]
    fn who_is_waited_for_longest_makes_room() {
        let pre_auth = pre_auth(2, 2);
        let (first, second) = (pre_auth.admit(None).unwrap(), pre_auth.admit(None).unwrap());
        let third = pre_auth.admit(None).unwrap();
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&third));
        assert_eq!(pre_auth.count(), 2);
        drop(first);
        assert_eq!(pre_auth.count(), 2);
        drop((second, third));
        assert_eq!(pre_auth.count(), 0);
    }

    #[test]
    fn who_has_said_who_it_is_stays() {
        let pre_auth = pre_auth(2, 2);
        let (first, second) = (pre_auth.admit(None).unwrap(), pre_auth.admit(None).unwrap());
        first.protect_from_eviction();
        let third = pre_auth.admit(None).unwrap();
        assert!(!is_evicted(&first) && is_evicted(&second));
        third.protect_from_eviction();
        assert_eq!(pre_auth.admit(None).err(), Some(RefusalReason::TotalLimit));
        drop(first);
        assert!(pre_auth.admit(None).is_ok());
    }

    #[test]
    fn a_refused_connection_is_evictable_again() {
        let pre_auth = pre_auth(2, 2);
        let (first, second) = (pre_auth.admit(None).unwrap(), pre_auth.admit(None).unwrap());
        first.protect_from_eviction();
        first.allow_eviction();
        let _third = pre_auth.admit(None).unwrap();
        assert!(is_evicted(&first) && !is_evicted(&second));
        second.mark_joined();
        second.allow_eviction();
        assert_eq!(pre_auth.lock().evictable.len(), 1, "a joined connection isn't evictable");
    }

    #[test]
    fn who_belongs_to_a_session_counts_no_more_while_its_connection_goes_on() {
        let pre_auth = pre_auth(1, 1);
        let polling = pre_auth.admit(address(1)).unwrap();
        polling.mark_joined();
        polling.mark_joined();
        let other = pre_auth.admit(address(1)).unwrap();
        assert!(polling.is_joined() && !is_evicted(&polling) && !other.is_joined());
        drop(polling);
        assert_eq!(pre_auth.count(), 1);
        drop(other);
        assert!(pre_auth.count() == 0 && pre_auth.lock().by_address.is_empty());
    }

    #[test]
    fn exempt_addresses_have_no_share_of_their_own() {
        let pre_auth = pre_auth(10, 1);
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        let held: Vec<_> = (0..5).map(|_| pre_auth.admit(loopback).unwrap()).collect();
        assert_eq!(pre_auth.count(), held.len());
    }

    #[test]
    fn a_connection_counts_until_its_last_clone_is_gone() {
        let pre_auth = pre_auth(1, 1);
        let pre_auth_connection = pre_auth.admit(address(1)).unwrap();
        let clone = pre_auth_connection.clone();
        drop(pre_auth_connection);
        assert_eq!(pre_auth.count(), 1);
        drop(clone);
        assert_eq!(pre_auth.count(), 0);
        let count = pre_auth.lock();
        assert!(count.by_address.is_empty() && count.evictable.is_empty());
    }
}

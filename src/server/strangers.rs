//! How many connections that have not logged in there may be, in all and from one address.

use super::{Observer, Refused, StrangerLimits};
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

/// Counts strangers. Cheap to clone: all listeners share one.
///
/// When there are too many in all, the one that has kept us waiting longest goes, not the one that
/// comes: who means to log in is quick about it, who sits and waits is not.
#[derive(Clone)]
pub struct Strangers {
    shared: Arc<Shared>,
}

struct Shared {
    /// Addresses behind which everybody looks alike: loopback, trusted proxies.
    exempt: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    observer: Arc<dyn Observer>,
    count: Mutex<Count>,
}

struct Count {
    limits: StrangerLimits,
    total: usize,
    /// Bounded by `total`: an address without strangers has no entry.
    by_address: HashMap<IpAddr, usize>,
    /// Those who have not said who they are, in order of arrival.
    waited_for: BTreeMap<u64, CancellationToken>,
    arrivals: u64,
}

/// One connection that has not logged in. Clones are the same connection; it stops counting when
/// the last one is dropped, because it ended or because it is a stranger no more.
#[derive(Clone)]
pub struct Stranger(Arc<Place>);

struct Place {
    strangers: Strangers,
    address: Option<IpAddr>,
    arrival: u64,
    evicted: CancellationToken,
    /// Whether it counts no more, though its connection goes on.
    joined: AtomicBool,
}

impl Strangers {
    /// `exempt` says which addresses are not counted each for itself.
    pub fn new(
        limits: StrangerLimits,
        exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let count = Count {
            limits,
            total: 0,
            by_address: HashMap::new(),
            waited_for: BTreeMap::new(),
            arrivals: 0,
        };
        let (exempt, count) = (Box::new(exempt), Mutex::new(count));
        Self { shared: Arc::new(Shared { exempt, observer, count }) }
    }

    /// Other limits from now on. Who is there already stays.
    pub fn adopt(&self, limits: StrangerLimits) {
        self.lock().limits = limits;
    }

    /// Lets one more in, from `address` (`None`: a unix socket), or says why not.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Stranger, Refused> {
        let address = address.filter(|address| !(self.shared.exempt)(*address)).map(household);
        let mut count = self.lock();
        let here = address.and_then(|address| count.by_address.get(&address)).map_or(0, |n| *n);
        if address.is_some() && here >= count.limits.per_address {
            return Err(Refused::Share);
        }
        if count.total >= count.limits.total {
            if !count.evict() {
                return Err(Refused::Full);
            }
            self.shared.observer.refused(Refused::Evicted);
        }
        if let Some(address) = address {
            count.by_address.insert(address, here + 1);
        }
        let (arrival, evicted) = (count.arrivals, CancellationToken::new());
        count.arrivals += 1;
        count.total += 1;
        count.waited_for.insert(arrival, evicted.clone());
        self.shared.observer.stranger(true);
        let (strangers, joined) = (self.clone(), AtomicBool::new(false));
        Ok(Stranger(Arc::new(Place { strangers, address, arrival, evicted, joined })))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.shared.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    /// Sends away who has been waited for longest, and counts it no more.
    fn evict(&mut self) -> bool {
        let Some((_, oldest)) = self.waited_for.pop_first() else { return false };
        oldest.cancel();
        self.total -= 1;
        true
    }
}

impl Stranger {
    /// It has said who it is, and it is up to us to decide: it is not sent away any more to make
    /// room. Otherwise who comes back after a restart would push out who is next in line.
    pub fn claims(&self) {
        self.0.strangers.lock().waited_for.remove(&self.0.arrival);
    }

    /// It belongs to a session that the hub counts: it is a stranger no more, though its connection
    /// stays HTTP, such as an event stream's or one that is polled over.
    pub fn joins(&self) {
        if !self.0.joined.swap(true, Relaxed) {
            self.0.leave();
        }
    }

    /// One more from the same address.
    pub(super) fn another(&self) -> Result<Self, Refused> {
        self.0.strangers.admit(self.0.address)
    }

    /// Whether [`Stranger::joins`] was called.
    pub fn has_joined(&self) -> bool {
        self.0.joined.load(Relaxed)
    }

    /// Cancelled when it must make room for somebody else; never once it is a stranger no more.
    pub fn eviction(&self) -> CancellationToken {
        self.0.evicted.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !*self.joined.get_mut() {
            self.leave();
        }
    }
}

impl Place {
    fn leave(&self) {
        self.strangers.shared.observer.stranger(false);
        let mut count = self.strangers.lock();
        count.waited_for.remove(&self.arrival);
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

/// Who counts as one: an IPv4 address, or what one IPv6 customer is usually given, a /56.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 72 << 72).into(),
    }
}

impl fmt::Debug for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stranger").field(&self.0.arrival).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, Stranger, StrangerLimits, Strangers};
    use crate::server::Unobserved;
    use std::{net::IpAddr, sync::Arc};

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn strangers(total: usize, per_address: usize) -> Strangers {
        let limits = StrangerLimits { total, per_address };
        Strangers::new(limits, |ip| ip.is_loopback(), Arc::new(Unobserved))
    }

    fn is_evicted(stranger: &Stranger) -> bool {
        stranger.0.evicted.is_cancelled()
    }

    #[test]
    fn one_address_has_its_share_and_others_theirs() {
        let strangers = strangers(10, 2);
        let _first = strangers.admit(address(1)).unwrap();
        let second = strangers.admit(address(1)).unwrap();
        assert_eq!(strangers.admit(address(1)).err(), Some(Refused::Share));
        assert!(strangers.admit(address(2)).is_ok());
        drop(second);
        assert!(strangers.admit(address(1)).is_ok());
    }

    #[test]
    fn an_ipv6_household_is_one_address() {
        let strangers = strangers(10, 1);
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let _held = strangers.admit(ip("2001:db8:0:aa00::1")).unwrap();
        assert!(strangers.admit(ip("2001:db8:0:aaff:1:2:3:4")).is_err());
        assert!(strangers.admit(ip("2001:db8:0:ab00::1")).is_ok());
    }

    #[test]
    fn who_is_waited_for_longest_makes_room() {
        let strangers = strangers(2, 2);
        let (first, second) = (strangers.admit(None).unwrap(), strangers.admit(None).unwrap());
        let third = strangers.admit(None).unwrap();
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&third));
        assert_eq!(strangers.count(), 2);
        drop(first);
        assert_eq!(strangers.count(), 2);
        drop((second, third));
        assert_eq!(strangers.count(), 0);
    }

    #[test]
    fn who_has_said_who_it_is_stays() {
        let strangers = strangers(2, 2);
        let (first, second) = (strangers.admit(None).unwrap(), strangers.admit(None).unwrap());
        first.claims();
        let third = strangers.admit(None).unwrap();
        assert!(!is_evicted(&first) && is_evicted(&second));
        third.claims();
        assert_eq!(strangers.admit(None).err(), Some(Refused::Full));
        drop(first);
        assert!(strangers.admit(None).is_ok());
    }

    #[test]
    fn who_belongs_to_a_session_counts_no_more_while_its_connection_goes_on() {
        let strangers = strangers(1, 1);
        let polling = strangers.admit(address(1)).unwrap();
        polling.joins();
        polling.joins();
        let other = strangers.admit(address(1)).unwrap();
        assert!(polling.has_joined() && !is_evicted(&polling) && !other.has_joined());
        drop(polling);
        assert_eq!(strangers.count(), 1);
        drop(other);
        assert!(strangers.count() == 0 && strangers.lock().by_address.is_empty());
    }

    #[test]
    fn exempt_addresses_have_no_share_of_their_own() {
        let strangers = strangers(10, 1);
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        let held: Vec<_> = (0..5).map(|_| strangers.admit(loopback).unwrap()).collect();
        assert_eq!(strangers.count(), held.len());
    }

    #[test]
    fn a_connection_counts_until_its_last_clone_is_gone() {
        let strangers = strangers(1, 1);
        let stranger = strangers.admit(address(1)).unwrap();
        let clone = stranger.clone();
        drop(stranger);
        assert_eq!(strangers.count(), 1);
        drop(clone);
        assert_eq!(strangers.count(), 0);
        let count = strangers.lock();
        assert!(count.by_address.is_empty() && count.waited_for.is_empty());
    }
}

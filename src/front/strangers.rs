//! How many connections that have not logged in there may be, in all and from one address.

use super::StrangerLimits;
use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts strangers. Cheap to clone: all listeners share one.
#[derive(Clone)]
pub struct Strangers {
    shared: Arc<Shared>,
}

struct Shared {
    limits: StrangerLimits,
    /// Addresses behind which everybody looks alike: loopback, trusted proxies.
    exempt: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    total: usize,
    /// Bounded by `total`: an address without strangers has no entry.
    by_address: HashMap<IpAddr, usize>,
}

/// One connection that has not logged in. Clones are the same connection; it stops counting when
/// the last one is dropped, because it ended or because it is a stranger no more.
#[derive(Clone)]
pub struct Stranger(#[expect(dead_code, reason = "held for its drop")] Arc<Place>);

struct Place {
    strangers: Strangers,
    address: Option<IpAddr>,
}

impl Strangers {
    /// `exempt` says which addresses are not counted each for itself.
    pub fn new(
        limits: StrangerLimits,
        exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared { limits, exempt: Box::new(exempt), count: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Lets one more in, from `address` (`None`: a unix socket). `None`: there are too many.
    pub fn admit(&self, address: Option<IpAddr>) -> Option<Stranger> {
        let limits = &self.shared.limits;
        let address = address.filter(|address| !(self.shared.exempt)(*address)).map(household);
        let mut count = self.lock();
        if count.total >= limits.total {
            return None;
        }
        if let Some(address) = address {
            let here = count.by_address.get(&address).copied().unwrap_or(0);
            if here >= limits.per_address {
                return None;
            }
            count.by_address.insert(address, here + 1);
        }
        count.total += 1;
        Some(Stranger(Arc::new(Place { strangers: self.clone(), address })))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.shared.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who counts as one: an IPv4 address, or what one IPv6 customer is usually given, a /56.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 72 << 72).into(),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = self.strangers.lock();
        count.total = count.total.saturating_sub(1);
        let Some(address) = self.address else { return };
        match count.by_address.get_mut(&address) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                count.by_address.remove(&address);
            }
        }
    }
}

impl fmt::Debug for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stranger")
    }
}

#[cfg(test)]
mod tests {
    use super::{StrangerLimits, Strangers};
    use std::net::IpAddr;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn strangers(total: usize, per_address: usize) -> Strangers {
        Strangers::new(StrangerLimits { total, per_address }, |ip| ip.is_loopback())
    }

    #[test]
    fn one_address_has_its_share_and_others_theirs() {
        let strangers = strangers(10, 2);
        let _first = strangers.admit(address(1)).unwrap();
        let second = strangers.admit(address(1)).unwrap();
        assert!(strangers.admit(address(1)).is_none());
        assert!(strangers.admit(address(2)).is_some());
        drop(second);
        assert!(strangers.admit(address(1)).is_some());
    }

    #[test]
    fn an_ipv6_household_is_one_address() {
        let strangers = strangers(10, 1);
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let _held = strangers.admit(ip("2001:db8:0:aa00::1")).unwrap();
        assert!(strangers.admit(ip("2001:db8:0:aaff:1:2:3:4")).is_none());
        assert!(strangers.admit(ip("2001:db8:0:ab00::1")).is_some());
    }

    #[test]
    fn the_total_holds_for_everybody() {
        let strangers = strangers(2, 2);
        let _held = (strangers.admit(None).unwrap(), strangers.admit(address(1)).unwrap());
        assert!(strangers.admit(None).is_none());
        assert!(strangers.admit(Some(IpAddr::from([127, 0, 0, 1]))).is_none());
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
        assert!(strangers.lock().by_address.is_empty());
    }
}

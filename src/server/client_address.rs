//! The address of a client behind trusted proxies, cut to a prefix.

use crate::server::peer::ConnectionPeer;
use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// Elements of a forwarded chain that are read, from the nearest proxy on. Longer chains of proxies are
/// not trusted.
pub const MAX_HOPS: usize = 32;

/// The longest element that can be an address.
const MAX_ELEMENT: usize = 128;

/// The network that a client's attempts count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientNetwork {
    /// Unknown: a unix socket, loopback, or a trusted proxy that names no client. All clients behind it
    /// look the same.
    Local,
    /// An address cut to its network: `192.0.2.7`, `2001:db8:0:1100::`.
    Network(IpAddr),
}

/// Whether attempts from a network are still allowed; asked again when a queued attempt's turn comes.
pub type StillAllowed = Arc<dyn Fn(ClientNetwork) -> bool + Send + Sync>;

/// Trusted proxies, and the prefix lengths that make one client. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct ClientAddressResolver(Arc<RwLock<TrustedProxyRules>>);

#[derive(Debug)]
struct TrustedProxyRules {
    trusted: Vec<IpNet>,
    v4_bits: u8,
    v6_bits: u8,
}

impl ClientAddressResolver {
    /// Trusts `proxies` and loopback. One client is an IPv4 address or an IPv6 /56, as for
    /// Nextcloud: `specs/nextcloud.md` section 7.
    pub fn new(proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(RwLock::new(TrustedProxyRules {
            trusted: proxies,
            v4_bits: 32,
            v6_bits: 56,
        })))
    }

    /// Other prefix lengths, in bits; longer ones than the address has mean all of it.
    pub fn with_prefixes(self, v4_bits: u8, v6_bits: u8) -> Self {
        {
            let mut rules = self.0.write().unwrap_or_else(PoisonError::into_inner);
            (rules.v4_bits, rules.v6_bits) = (v4_bits.min(32), v6_bits.min(128));
        }
        self
    }

    /// Replaces the trusted proxies.
    pub fn trust(&self, proxies: Vec<IpNet>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).trusted = proxies;
    }

    /// Whether this address is a trusted proxy.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.rules().trusts(ip)
    }

    /// The network of the last hop that is no trusted proxy.
    ///
    /// Walks the chain from the nearest proxy towards the client while hops are trusted. Behind trusted
    /// hops only, the farthest one counts (a client in a network that was declared trusted). An element
    /// that is no address ends the walk, and the hop that sent it counts.
    pub fn of(&self, peer: &ConnectionPeer) -> ClientNetwork {
        self.rules().of(peer)
    }

    /// The client's whole address, by the same rules; `None` where it can't be known.
    pub fn client_ip(&self, peer: &ConnectionPeer) -> Option<IpAddr> {
        self.rules().client_ip(peer)
    }

    fn rules(&self) -> RwLockReadGuard<'_, TrustedProxyRules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrustedProxyRules {
    fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || self.trusted.iter().any(|net| net.contains(&ip))
    }

    fn of(&self, peer: &ConnectionPeer) -> ClientNetwork {
        self.client_ip(peer).map_or(ClientNetwork::Local, |ip| self.network(ip))
    }

    fn client_ip(&self, peer: &ConnectionPeer) -> Option<IpAddr> {
        let mut client = peer.ip();
        let mut hops = peer.forwarded.iter().rev().take(MAX_HOPS);
        while client.is_none_or(|ip| self.trusts(ip)) {
            let Some(ip) = hops.next().and_then(|element| hop(element)) else { break };
            client = Some(ip);
        }
        client.filter(|ip| peer.ip() != Some(*ip) || !self.trusts(*ip))
    }

    fn network(&self, ip: IpAddr) -> ClientNetwork {
        ClientNetwork::Network(match ip {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - self.v4_bits)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - self.v6_bits)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        })
    }
}

/// The address in one element of a forwarded chain in any common form: bare, with a port, in brackets,
/// in quotes, with a zone, or as RFC 7239 `for=…`. `None` for anything else (`unknown`, obfuscated
/// names, garbage).
pub fn hop(element: &str) -> Option<IpAddr> {
    if element.len() > MAX_ELEMENT {
        return None;
    }
    let node = forwarded_for(element.trim())?.trim_matches(|c: char| c == '"' || c.is_whitespace());
    let host = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon separates the port of an IPv4 address; more belong to an IPv6 address.
        None if node.matches(':').count() == 1 => node.split_once(':')?.0,
        None => node,
    };
    let bare = host.split_once('%').map_or(host, |(ip, _zone)| ip);
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// RFC 7239 section 4: `for=192.0.2.43;proto=http`; text without `=` is returned unchanged.
fn forwarded_for(element: &str) -> Option<&str> {
    if !element.contains('=') {
        return Some(element);
    }
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::{ClientAddressResolver, ClientNetwork, hop};
    use crate::server::peer::ConnectionPeer;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn peer(address: &str, forwarded: &[&str]) -> ConnectionPeer {
        let address = (!address.is_empty()).then(|| (ip(address), 4711).into());
        ConnectionPeer { address, forwarded: forwarded.iter().map(ToString::to_string).collect() }
    }

    fn origin(address: &str, forwarded: &[&str]) -> ClientNetwork {
        ClientAddressResolver::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
            .of(&peer(address, forwarded))
    }

    fn network(text: &str) -> ClientNetwork {
        ClientNetwork::Network(ip(text))
    }

    #[test]
    fn elements_as_found_in_the_wild() {
        for (element, address) in [
            ("192.0.2.7", Some("192.0.2.7")),
            (" 192.0.2.7 ", Some("192.0.2.7")),
            ("1.2.3.4:5678", Some("1.2.3.4")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("\"[2001:db8::1]:443\"", Some("2001:db8::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("for=192.0.2.43;proto=http", Some("192.0.2.43")),
            ("proto=https;For=\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
            ("proto=https;by=203.0.113.43", None),
            ("for=_hidden", None),
            ("unknown", None),
            ("", None),
            ("[", None),
            ("[2001:db8::1", None),
            ("1.2.3", None),
            ("1.2.3.4.5", None),
            ("<script>", None),
        ] {
            assert_eq!(hop(element), address.map(ip), "{element:?}");
        }
        assert_eq!(hop(&format!("1.2.3.4{}", " ".repeat(200))), None);
    }

    #[test]
    fn an_untrusted_peer_counts_by_its_own_address() {
        assert_eq!(origin("203.0.113.5", &["1.1.1.1", "10.0.0.1"]), network("203.0.113.5"));
        assert_eq!(origin("2001:db8:0:11ff::9", &[]), network("2001:db8:0:1100::"));
    }

    #[test]
    fn behind_trusted_proxies_the_last_untrusted_hop_counts() {
        assert_eq!(origin("127.0.0.1", &["1.1.1.1", "203.0.113.5"]), network("203.0.113.5"));
        assert_eq!(
            origin("10.1.1.1", &["6.6.6.6", "203.0.113.5", "10.2.2.2"]),
            network("203.0.113.5")
        );
        assert_eq!(origin("", &["203.0.113.5"]), network("203.0.113.5"));
        assert_eq!(origin("::ffff:127.0.0.1", &["203.0.113.5"]), network("203.0.113.5"));
    }

    #[test]
    fn nothing_but_trusted_hops_counts_by_the_farthest() {
        assert_eq!(origin("127.0.0.1", &["10.0.0.5", "10.0.0.1"]), network("10.0.0.5"));
    }

    #[test]
    fn who_names_no_client_is_local() {
        assert_eq!(origin("", &[]), ClientNetwork::Local);
        assert_eq!(origin("::1", &[]), ClientNetwork::Local);
        assert_eq!(origin("10.0.0.1", &[]), ClientNetwork::Local);
        assert_eq!(origin("10.0.0.1", &["unknown"]), ClientNetwork::Local);
    }

    #[test]
    fn garbage_ends_the_walk_at_the_hop_that_said_it() {
        assert_eq!(origin("127.0.0.1", &["6.6.6.6", "garbage", "10.0.0.9"]), network("10.0.0.9"));
    }

    #[test]
    fn a_proxy_that_is_trusted_later_is_believed_from_then_on_by_all_clones() {
        let origins = ClientAddressResolver::new(Vec::new());
        let (clone, peer) = (origins.clone(), peer("10.0.0.1", &["203.0.113.5"]));
        assert_eq!(clone.of(&peer), network("10.0.0.1"));
        origins.trust(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(clone.of(&peer), network("203.0.113.5"));
    }

    #[test]
    fn prefixes_are_settable_to_the_extremes() {
        let at = |v4, v6, address| {
            ClientAddressResolver::new(vec![]).with_prefixes(v4, v6).of(&peer(address, &[]))
        };
        assert_eq!(at(24, 64, "192.0.2.7"), network("192.0.2.0"));
        assert_eq!(at(0, 0, "192.0.2.7"), network("0.0.0.0"));
        assert_eq!(at(0, 0, "2001:db8::1"), network("::"));
        assert_eq!(at(200, 200, "2001:db8::1"), network("2001:db8::1"));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_harm(element in ".{0,200}", chain in prop::collection::vec(".{0,40}", 0..40)) {
            let _ = hop(&element);
            let chain: Vec<_> = chain.iter().map(String::as_str).collect();
            prop_assert_eq!(origin("203.0.113.5", &chain), network("203.0.113.5"));
        }

        #[test]
        fn a_forged_chain_never_changes_the_address(forged in prop::collection::vec("[0-9a-f.:\\[\\]]{0,20}", 0..40)) {
            let mut chain: Vec<_> = forged.iter().map(String::as_str).collect();
            chain.push("203.0.113.5");
            prop_assert_eq!(origin("127.0.0.1", &chain), network("203.0.113.5"));
        }

        #[test]
        fn written_addresses_are_read_again(bits: u128, port: u16) {
            let v6 = IpAddr::V6(std::net::Ipv6Addr::from_bits(bits));
            let plain = hop(&format!("{v6}"));
            let bracketed = hop(&format!("[{v6}]:{port}"));
            prop_assert_eq!(plain, Some(v6.to_canonical()));
            prop_assert_eq!(bracketed, Some(v6.to_canonical()));
        }
    }
}

//! Who may control the daemon: a program on this machine that speaks to us itself.

use crate::front::Origin;
use http::{HeaderMap, Version, header::HOST};
use std::net::{IpAddr, SocketAddr};

/// Headers that say that somebody else is asking through whoever is connected: a proxy, which may
/// well run on this machine, or a web page in the browser of somebody who sits at it.
const ON_BEHALF: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "origin",
    "sec-fetch-site",
];

/// Whether a request may control the daemon. Over TCP it must come from and be meant for loopback;
/// a unix socket is guarded by its permissions. HTTP/1.0 is what nginx speaks to its upstreams
/// unless told otherwise.
pub(super) fn may_control(origin: &Origin, headers: &HeaderMap) -> bool {
    let direct = !ON_BEHALF.iter().any(|name| headers.contains_key(*name));
    let near = origin.address.is_none_or(|peer| is_loopback(peer.ip()) && for_loopback(headers));
    direct && near && origin.version >= Version::HTTP_11
}

// A web page whose name resolves to 127.0.0.1 (DNS rebinding) is same-origin to the browser; the
// name is still in the `Host` header.
fn for_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse().map(|address: SocketAddr| address.ip()).or_else(|_| bare.parse());
    match address {
        Ok(address) => is_loopback(address),
        Err(_) => host.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("localhost")),
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::{ON_BEHALF, for_loopback, may_control};
    use crate::front::{Origin, StrangerLimits, Strangers, Unobserved};
    use http::{HeaderMap, HeaderName, Version, header::HOST};
    use std::sync::Arc;

    fn origin(address: Option<&str>, version: Version) -> Origin {
        let limits = StrangerLimits { total: 1, per_address: 1 };
        let strangers = Strangers::new(limits, |_| true, Arc::new(Unobserved)).admit(None);
        let address = address.map(|address| address.parse().unwrap());
        Origin { address, version, stranger: strangers.unwrap() }
    }

    fn host(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(HOST, host.parse().unwrap())])
    }

    #[test]
    fn loopback_and_unix_sockets_may() {
        for address in [Some("127.0.0.1:5"), Some("[::1]:5"), Some("[::ffff:127.0.0.1]:5"), None] {
            let origin = origin(address, Version::HTTP_11);
            assert!(may_control(&origin, &host("localhost:9867")), "{address:?}");
        }
    }

    #[test]
    fn other_addresses_may_not() {
        for address in ["192.0.2.1:5", "[2001:db8::1]:5", "[::ffff:192.0.2.1]:5", "0.0.0.0:5"] {
            let origin = origin(Some(address), Version::HTTP_11);
            assert!(!may_control(&origin, &host("localhost")), "{address}");
        }
    }

    #[test]
    fn whoever_speaks_for_somebody_else_may_not_even_over_a_unix_socket() {
        for address in [Some("127.0.0.1:5"), None] {
            assert!(!may_control(&origin(address, Version::HTTP_10), &host("localhost")));
            for name in ON_BEHALF {
                let mut headers = host("localhost");
                headers.insert(HeaderName::from_static(name), "x".parse().unwrap());
                assert!(!may_control(&origin(address, Version::HTTP_11), &headers), "{name}");
            }
        }
    }

    #[test]
    fn a_name_that_resolves_to_loopback_is_not_loopback() {
        for near in
            ["localhost", "LOCALHOST:9867", "127.0.0.1", "127.0.0.1:9867", "[::1]", "[::1]:1"]
        {
            assert!(for_loopback(&host(near)), "{near}");
        }
        for far in ["evil.example", "evil.example:9867", "192.0.2.1:9867", "localhost.evil", ""] {
            assert!(!for_loopback(&host(far)), "{far}");
        }
        assert!(!for_loopback(&HeaderMap::new()));
    }
}

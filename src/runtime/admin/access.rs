//! Access to the admin listener: programs on this machine that connect directly.

use crate::server::RequestOrigin;
use http::{HeaderMap, Version, header::HOST};
use std::net::{IpAddr, SocketAddr};

/// Headers that show that the peer forwards a request: a proxy, which may run on this machine, or a web
/// page in a browser on this machine.
const FORWARDING_HEADERS: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "origin",
    "sec-fetch-site",
];

/// The headers among them that a browser adds itself.
const BROWSER_HEADERS: [&str; 2] = ["origin", "sec-fetch-site"];

/// Whether a request may view the page: it is local and not forwarded. A link may have led there.
pub(super) fn may_view(origin: &RequestOrigin, headers: &HeaderMap) -> bool {
    let passed_on = FORWARDING_HEADERS.iter().filter(|name| !BROWSER_HEADERS.contains(name));
    let direct = !passed_on.into_iter().any(|name| headers.contains_key(*name));
    direct && is_local(origin, headers) && origin.version >= Version::HTTP_11
}

/// Whether our own page in a browser on this machine sent the request. The browser states it
/// (`Sec-Fetch-Site`, W3C Fetch Metadata section 2.4), and a page of another port, scheme or name can't
/// forge it. If the origin is given, it is ours.
pub(super) fn is_from_page(origin: &RequestOrigin, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.as_bytes());
    let host = headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
    let ours = |page: &[u8]| page.strip_prefix(b"http://").is_some_and(|page| page == host);
    may_view(origin, headers)
        && text("sec-fetch-site") == Some(b"same-origin")
        && text("origin").is_none_or(ours)
}

fn is_local(origin: &RequestOrigin, headers: &HeaderMap) -> bool {
    origin.address.is_none_or(|peer| is_loopback(peer.ip()) && targets_loopback(headers))
}

/// Whether a request may control the daemon. Over TCP it must come from loopback and name loopback; a
/// unix socket is protected by its permissions. HTTP/1.0 is what nginx sends to its upstreams by
/// default.
pub(super) fn may_control(origin: &RequestOrigin, headers: &HeaderMap) -> bool {
    let direct = !FORWARDING_HEADERS.iter().any(|name| headers.contains_key(*name));
    direct && is_local(origin, headers) && origin.version >= Version::HTTP_11
}

// A web page whose name resolves to 127.0.0.1 (DNS rebinding) is same-origin to the browser; the
// name is still in the `Host` header.
fn targets_loopback(headers: &HeaderMap) -> bool {
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
    use super::{FORWARDING_HEADERS, is_from_page, may_control, may_view, targets_loopback};
    use crate::server::{NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, RequestOrigin};
    use http::{HeaderMap, HeaderName, Version, header::HOST};
    use std::sync::Arc;

    fn origin(address: Option<&str>, version: Version) -> RequestOrigin {
        let limits = PreAuthLimits { total: 1, per_address: 1 };
        let pre_auth =
            PreAuthLimiter::new(limits, |_| true, Arc::new(NoopConnectionObserver)).admit(None);
        let address = address.map(|address| address.parse().unwrap());
        RequestOrigin { address, version, pre_auth_connection: pre_auth.unwrap() }
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
    fn a_forwarded_request_is_rejected_even_over_a_unix_socket() {
        for address in [Some("127.0.0.1:5"), None] {
            assert!(!may_control(&origin(address, Version::HTTP_10), &host("localhost")));
            for name in FORWARDING_HEADERS {
                let mut headers = host("localhost");
                headers.insert(HeaderName::from_static(name), "x".parse().unwrap());
                assert!(!may_control(&origin(address, Version::HTTP_11), &headers), "{name}");
            }
        }
    }

    #[test]
    fn our_own_page_differs_from_every_other() {
        let near = || origin(Some("127.0.0.1:5"), Version::HTTP_11);
        let asked = |pairs: &[(&'static str, &str)]| {
            let mut headers = host("localhost:9867");
            for (name, value) in pairs {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
            headers
        };
        let ours = ("sec-fetch-site", "same-origin");
        assert!(is_from_page(&near(), &asked(&[ours])));
        assert!(is_from_page(&near(), &asked(&[ours, ("origin", "http://localhost:9867")])));
        for others in [
            &[][..],
            &[("origin", "http://localhost:9867")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[ours, ("origin", "http://localhost:3000")],
            &[ours, ("origin", "https://localhost:9867")],
            &[ours, ("origin", "null")],
            &[ours, ("x-forwarded-for", "127.0.0.1")],
            &[ours, ("host", "evil.example:9867")],
        ] {
            assert!(!is_from_page(&near(), &asked(others)), "{others:?}");
        }
        let far = origin(Some("192.0.2.1:5"), Version::HTTP_11);
        assert!(!is_from_page(&far, &asked(&[ours])) && !may_view(&far, &asked(&[ours])));
        assert!(may_view(&near(), &asked(&[("sec-fetch-site", "cross-site")])), "a link");
        assert!(!may_view(&near(), &asked(&[("via", "1.1 proxy")])));
    }

    #[test]
    fn a_name_that_resolves_to_loopback_is_not_loopback() {
        for near in
            ["localhost", "LOCALHOST:9867", "127.0.0.1", "127.0.0.1:9867", "[::1]", "[::1]:1"]
        {
            assert!(targets_loopback(&host(near)), "{near}");
        }
        for far in ["evil.example", "evil.example:9867", "192.0.2.1:9867", "localhost.evil", ""] {
            assert!(!targets_loopback(&host(far)), "{far}");
        }
        assert!(!targets_loopback(&HeaderMap::new()));
    }
}

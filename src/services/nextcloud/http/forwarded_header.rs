//! The header `X-Forwarded-For` for Nextcloud, so that it throttles the client and not the daemon.

use crate::server::peer::ConnectionPeer;

/// The longest header value; a longer chain loses its far end, which clients can forge.
const MAX_LENGTH: usize = 2048;

/// `X-Forwarded-For: <chain as received>, <peer>`; `None` when both are empty.
pub(super) fn chain(peer: &ConnectionPeer) -> Option<String> {
    let own = peer.ip().map(|ip| ip.to_string());
    let hops = peer.forwarded.iter().map(|hop| sendable(hop)).chain(own.as_deref());
    let hops: Vec<&str> = hops.collect();
    let mut length = 0;
    let near = hops.iter().rev().take_while(|hop| {
        length += hop.len() + 2;
        length <= MAX_LENGTH
    });
    let kept = near.count();
    (kept > 0).then(|| hops[hops.len() - kept..].join(", "))
}

/// An element as received, or `unknown` if a header can't hold it.
fn sendable(hop: &str) -> &str {
    let fits =
        !hop.is_empty() && hop.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b',');
    if fits { hop } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LENGTH, chain};
    use crate::server::peer::ConnectionPeer;
    use proptest::prelude::*;

    fn peer(address: Option<&str>, forwarded: &[&str]) -> ConnectionPeer {
        ConnectionPeer {
            address: address.map(|address| address.parse().unwrap()),
            forwarded: forwarded.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_peer_stands_behind_the_chain_as_received() {
        let far = peer(Some("[::ffff:127.0.0.1]:80"), &["6.6.6.6", "203.0.113.5:4711"]);
        assert_eq!(chain(&far).as_deref(), Some("6.6.6.6, 203.0.113.5:4711, 127.0.0.1"));
        assert_eq!(chain(&peer(Some("[2001:db8::1]:80"), &[])).as_deref(), Some("2001:db8::1"));
        assert_eq!(chain(&peer(None, &["203.0.113.5"])).as_deref(), Some("203.0.113.5"));
        assert_eq!(chain(&peer(None, &[])), None);
    }

    #[test]
    fn elements_that_no_header_can_hold_become_unknown() {
        let forged = peer(Some("127.0.0.1:80"), &["a\r\nX-Evil: 1", "", "ü", "1.1.1.1, 2.2.2.2"]);
        let sent = chain(&forged).unwrap();
        assert_eq!(sent, "unknown, unknown, unknown, unknown, 127.0.0.1");
    }

    #[test]
    fn a_long_chain_loses_its_far_end() {
        let hops: Vec<String> = (0..1000).map(|n| format!("hop-{n}")).collect();
        let hops: Vec<&str> = hops.iter().map(String::as_str).collect();
        let sent = chain(&peer(Some("127.0.0.1:80"), &hops)).unwrap();
        assert!(sent.len() <= MAX_LENGTH && sent.len() > MAX_LENGTH - 20, "{}", sent.len());
        assert!(sent.ends_with("hop-999, 127.0.0.1"));
    }

    proptest! {
        #[test]
        fn forged_chains_make_one_header_that_ends_with_the_peer(
            hops in prop::collection::vec(".{0,100}", 0..60),
        ) {
            let hops: Vec<&str> = hops.iter().map(String::as_str).collect();
            let sent = chain(&peer(Some("192.0.2.1:80"), &hops)).unwrap();
            prop_assert!(http::HeaderValue::from_str(&sent).is_ok());
            prop_assert!(sent.len() <= MAX_LENGTH);
            prop_assert_eq!(sent.rsplit(", ").next(), Some("192.0.2.1"));
        }
    }
}

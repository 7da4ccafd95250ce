//! The forwarded chain as Nextcloud is told it, so that it throttles the client and not us.

use crate::server::peer::ConnectionPeer;

/// The longest header value; of a longer chain the far end, which anybody can write, is left out.
const MAX_LENGTH: usize = 2048;

/// `X-Forwarded-For: <chain as received>, <peer>`; `None` when there is nothing to tell.
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

/// An element as it was received, unless it can't be in a header.
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
    fn what_cannot_be_in_a_header_becomes_unknown() {
        let forged = peer(Some("127.0.0.1:80"), &["a\r\nX-Evil: 1", "", "ü", "1.1.1.1, 2.2.2.2"]);
        let told = chain(&forged).unwrap();
        assert_eq!(told, "unknown, unknown, unknown, unknown, 127.0.0.1");
    }

    #[test]
    fn a_long_chain_loses_its_far_end() {
        let hops: Vec<String> = (0..1000).map(|n| format!("hop-{n}")).collect();
        let hops: Vec<&str> = hops.iter().map(String::as_str).collect();
        let told = chain(&peer(Some("127.0.0.1:80"), &hops)).unwrap();
        assert!(told.len() <= MAX_LENGTH && told.len() > MAX_LENGTH - 20, "{}", told.len());
        assert!(told.ends_with("hop-999, 127.0.0.1"));
    }

    proptest! {
        #[test]
        fn whatever_clients_forge_makes_one_header_that_ends_with_the_peer(
            hops in prop::collection::vec(".{0,100}", 0..60),
        ) {
            let hops: Vec<&str> = hops.iter().map(String::as_str).collect();
            let told = chain(&peer(Some("192.0.2.1:80"), &hops)).unwrap();
            prop_assert!(http::HeaderValue::from_str(&told).is_ok());
            prop_assert!(told.len() <= MAX_LENGTH);
            prop_assert_eq!(told.rsplit(", ").next(), Some("192.0.2.1"));
        }
    }
}

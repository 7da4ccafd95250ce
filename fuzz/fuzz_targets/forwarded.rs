//! Forwarded headers: whatever they say, nobody outside the trusted proxies passes for local, and
//! what an untrusted peer says of others changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use {notify_push::server::client_address::ClientNetwork, notify_push::server::client_address::ClientAddressResolver, notify_push::server::client_address::hop, notify_push::server::peer::ConnectionPeer};
use std::net::SocketAddr;

fuzz_target!(|input: (bool, &str)| {
    let (trusted, header) = input;
    let forwarded: Vec<String> = header.split(',').map(str::to_owned).collect();
    for element in &forwarded {
        if let Some(ip) = hop(element) {
            assert_eq!(hop(&ip.to_string()), Some(ip));
        }
    }
    let origins = ClientAddressResolver::new(vec!["10.0.0.0/8".parse().expect("a network")]);
    let peer = if trusted { "10.1.2.3:4" } else { "192.0.2.7:4" };
    let address: Option<SocketAddr> = peer.parse().ok();
    let bare = origins.of(&ConnectionPeer { address, forwarded: Vec::new() });
    let found = origins.of(&ConnectionPeer { address, forwarded });
    if !trusted {
        assert!(found == bare && matches!(found, ClientNetwork::Network(_)));
    }
});

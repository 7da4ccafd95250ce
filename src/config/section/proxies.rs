//! Whose word on client addresses is taken.

use http::HeaderName;
use ipnet::IpNet;
use std::net::IpAddr;

/// The proxies in front of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// Networks whose forwarded headers are believed.
    pub trusted: Vec<IpNet>,
    /// Headers that hold the forwarded chain, in the order in which they are looked for.
    pub headers: Vec<HeaderName>,
}

impl ProxySettings {
    /// Whether this address is a proxy to be believed (IPv4-mapped IPv6 counts as IPv4).
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

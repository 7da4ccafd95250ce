//! The peer of a connection: its address and the forwarded chain.

use std::net::{IpAddr, SocketAddr};

/// The peer of an accepted connection.
///
/// `forwarded` comes from the proxies in front (`X-Forwarded-For`, in the order received, elements
/// trimmed, otherwise untouched: they may be forged and need not be addresses).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionPeer {
    /// The socket's remote address; `None` for a unix socket.
    pub address: Option<SocketAddr>,
    /// The elements of the forwarded chain, client first, nearest proxy last.
    pub forwarded: Vec<String>,
}

impl ConnectionPeer {
    /// The address of the socket itself, without its port, IPv4-mapped IPv6 unwrapped.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip().to_canonical())
    }
}

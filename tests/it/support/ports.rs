//! Free ports, chosen where the kernel does not choose.

use std::{
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    ops::Range,
};

/// Below Linux's range for outgoing connections (32768 and up), so that no connection of another test
/// takes the port while its server restarts.
const RANGE: Range<u16> = 10_240..32_768;

/// A machine on which so many are taken is not one to test on.
const ATTEMPTS: usize = 1_000;

/// A TCP port that nothing listens on, on IPv4 and, where this machine has it, IPv6. Another process may
/// still be quicker: start servers with another port when they can't bind.
pub(crate) fn free_port() -> u16 {
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let is_free = |port| {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
            && (!ipv6 || TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok())
    };
    for _ in 0..ATTEMPTS {
        let port = fastrand::u16(RANGE);
        if is_free(port) {
            return port;
        }
    }
    panic!("no free port among {ATTEMPTS} of {RANGE:?}");
}

//! Free ports, chosen where the kernel does not choose.

use std::{
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    ops::Range,
};

/// Below Linux's range for outgoing connections (32768 and up), so that no connection of another test
/// takes the port while its server restarts.
const RANGE: Range<u16> = 10_240..32_768;

/// A TCP port nobody listens on, on IPv4 and IPv6. Somebody may still be quicker: start servers with
/// another port when they can't bind.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(RANGE);
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
            && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
        {
            return port;
        }
    }
}

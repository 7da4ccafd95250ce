//! TCP listeners: dual stack where there is IPv6, and options every accepted socket inherits.

use super::{BACKLOG, ListenError, SEND_BUFFER, USER_TIMEOUT};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

/// No address means all of them: `::` with IPv4 included, or `0.0.0.0` on machines without IPv6.
pub(super) fn bind(address: Option<IpAddr>, port: u16) -> Result<TcpListener, ListenError> {
    let wanted = SocketAddr::new(address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()), port);
    match open(wanted) {
        Err(error) if address.is_none() && lacks_ipv6(&error) => {
            let fallback = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
            tracing::info!(%error, "IPv6 is not available; listening on IPv4 only");
            open(fallback).map_err(|source| ListenError::Tcp { address: fallback, source })
        }
        bound => bound.map_err(|source| ListenError::Tcp { address: wanted, source }),
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Only the unspecified address accepts IPv4 clients; the system's default may differ.
        socket.set_only_v6(false)?;
    }
    // Closing connections of an earlier run don't block the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    prepare(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Options that accepted sockets inherit, which saves three system calls per client.
pub(super) fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let codes = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT];
    codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

//! Listeners over real sockets and files.

use super::{BoundListener, LocalAddress, SEND_BUFFER};
use crate::server::BindAddress;
use socket2::SockRef;
use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
};

fn unix(path: &Path) -> BindAddress {
    BindAddress::Unix { path: path.into(), permissions: 0o660 }
}

fn port(listener: &BoundListener) -> u16 {
    match listener.local().unwrap() {
        LocalAddress::Tcp(address) => address.port(),
        LocalAddress::Unix(path) => panic!("{path:?} is no port"),
    }
}

#[test]
fn without_an_address_ipv4_and_ipv6_are_served() {
    let listener = BoundListener::bind(&BindAddress::Tcp { address: None, port: 0 }).unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port(&listener))).unwrap();
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, port(&listener))).unwrap();
    }
}

#[test]
fn an_address_is_the_only_one_served() {
    let address = Some(Ipv4Addr::new(127, 0, 0, 2).into());
    let listener = BoundListener::bind(&BindAddress::Tcp { address, port: 0 }).unwrap();
    TcpStream::connect(("127.0.0.2", port(&listener))).unwrap();
    assert!(TcpStream::connect(("127.0.0.3", port(&listener))).is_err());
}

#[test]
fn a_port_in_use_is_reported_with_its_address_and_remedy() {
    let taken = BoundListener::bind(&BindAddress::Tcp { address: None, port: 0 }).unwrap();
    let bind = BindAddress::Tcp { address: None, port: port(&taken) };
    let error = BoundListener::bind(&bind).unwrap_err().to_string();
    assert!(error.contains(&port(&taken).to_string()), "{error}");
    assert!(error.contains("choose another port"), "{error}");
}

#[test]
fn accepted_sockets_inherit_their_options() {
    let listener = BoundListener::bind(&BindAddress::Tcp { address: None, port: 0 }).unwrap();
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port(&listener))).unwrap();
    let super::ListenerSocket::Tcp(socket) = &listener.socket else { panic!("not TCP") };
    socket.set_nonblocking(false).unwrap();
    let accepted = socket.accept().unwrap().0;
    let options = SockRef::from(&accepted);
    assert!(options.tcp_nodelay().unwrap());
    assert!(options.send_buffer_size().unwrap() <= 2 * SEND_BUFFER);
    assert_eq!(options.tcp_user_timeout().unwrap(), Some(super::USER_TIMEOUT));
}

#[test]
fn a_unix_socket_has_its_permissions_and_its_file_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("push.sock");
    let listener = BoundListener::bind(&unix(&path)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(listener.local().unwrap(), LocalAddress::Unix(path.clone()));
    UnixStream::connect(&path).unwrap();
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn a_socket_file_left_behind_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("push.sock");
    // The standard library leaves the file behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = BoundListener::bind(&unix(&path)).unwrap();
    let error = BoundListener::bind(&unix(&path)).unwrap_err().to_string();
    assert!(error.contains("running already"), "{error}");
    UnixStream::connect(&path).unwrap();
    drop(listener);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "mine").unwrap();
    let error = BoundListener::bind(&unix(&path)).unwrap_err().to_string();
    assert!(error.contains("no socket"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_file_that_somebody_put_in_its_place_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("push.sock");
    let old = BoundListener::bind(&unix(&path)).unwrap();
    fs::remove_file(&path).unwrap();
    let new = BoundListener::bind(&unix(&path)).unwrap();
    drop(old);
    UnixStream::connect(&path).unwrap();
    drop(new);
}

#[test]
fn an_inherited_socket_that_does_not_listen_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let error = BoundListener::inherited(client.into()).unwrap_err().to_string();
    assert!(error.contains("Accept=yes"), "{error}");
}

#[test]
fn an_inherited_socket_is_served() {
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = BoundListener::inherited(bound.into()).unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port(&listener))).unwrap();
}

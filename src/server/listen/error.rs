//! Why a listener can't be had, and what to do about it.

use std::{io, net::SocketAddr, path::PathBuf};

/// Binding failed; the text names the address and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A TCP address.
    #[error("cannot listen on {address}{}", remedy(.source, *.address))]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A unix socket.
    #[error(
        "cannot listen on the unix socket {}: does its folder exist, and may this user write there?",
        .path.display()
    )]
    Unix {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something other than a socket has the path.
    #[error(
        "cannot listen on the unix socket {}: there is a file of that name which is no socket; \
         remove it or choose another path",
        .path.display()
    )]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// Another process listens there.
    #[error(
        "cannot listen on the unix socket {}: another process answers there; \
         is notify_push running already?",
        .path.display()
    )]
    UnixInUse {
        /// Where.
        path: PathBuf,
    },
    /// A socket passed in by the service manager.
    #[error("a socket of the service manager could not be used")]
    Inherited(#[source] io::Error),
    /// A socket passed in by the service manager that nobody can connect to.
    #[error(
        "the service manager passed a socket that does not listen: notify_push.socket must not \
         have Accept=yes"
    )]
    NotListening,
}

fn remedy(source: &io::Error, address: SocketAddr) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            ": another process listens there; stop it or choose another port".to_owned()
        }
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            ": ports below 1024 need a right this process lacks; choose a higher one".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            format!(": this machine has no address {}", address.ip())
        }
        _ => String::new(),
    }
}

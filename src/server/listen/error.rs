//! Why a listener can't be bound, and the remedy.

use std::{io, net::SocketAddr, path::PathBuf};

/// Binding failed; the text names the address and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A TCP address can't be bound.
    #[error("cannot listen on {address}{}", remedy(.source, *.address))]
    Tcp {
        /// The address or path.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A unix socket can't be bound.
    #[error(
        "cannot listen on the unix socket {}: does its folder exist, and may this user write there?",
        .path.display()
    )]
    Unix {
        /// The address or path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The path is no socket.
    #[error(
        "cannot listen on the unix socket {}: there is a file of that name which is no socket; \
         remove it or choose another path",
        .path.display()
    )]
    NotASocket {
        /// The address or path.
        path: PathBuf,
    },
    /// Another process listens on the path.
    #[error(
        "cannot listen on the unix socket {}: another process answers there; \
         is notify_push running already?",
        .path.display()
    )]
    UnixInUse {
        /// The address or path.
        path: PathBuf,
    },
    /// A socket from the service manager failed.
    #[error("a socket of the service manager could not be used")]
    Inherited(#[source] io::Error),
    /// A socket from the service manager doesn't listen.
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

//! Listening sockets that the service manager binds and keeps over a restart: sd_listen_fds(3).

use listenfd::ListenFd;
use std::{io, os::fd::OwnedFd};

/// The sockets passed to this process, by purpose. Empty without a service manager.
#[derive(Debug, Default)]
pub struct SocketActivation {
    /// For clients: every socket that has none of the names below.
    pub clients: Vec<OwnedFd>,
    /// For metrics: `FileDescriptorName=metrics`.
    pub metrics: Vec<OwnedFd>,
    /// For the admin API: `FileDescriptorName=admin`.
    pub control: Vec<OwnedFd>,
}

/// A socket of the service manager can't be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "the service manager passed {name:?}, which is no stream socket: give notify_push.socket \
     ListenStream= lines and nothing else"
)]
pub struct SocketActivationError {
    name: String,
    #[source]
    source: io::Error,
}

impl SocketActivation {
    /// Sorts the sockets by `names`, the text of `LISTEN_FDNAMES`: one for each, colons between.
    ///
    /// # Errors
    /// When one is no stream socket.
    pub fn new(mut passed: ListenFd, names: &str) -> Result<Self, SocketActivationError> {
        let mut names = names.split(':');
        let mut sockets = Self::default();
        for index in 0..passed.len() {
            let name = names.next().unwrap_or_default();
            let taken = take(&mut passed, index)
                .map_err(|source| SocketActivationError { name: name.to_owned(), source })?;
            sockets.of(name).extend(taken);
        }
        Ok(sockets)
    }

    fn of(&mut self, name: &str) -> &mut Vec<OwnedFd> {
        match name {
            "metrics" => &mut self.metrics,
            "admin" => &mut self.control,
            _ => &mut self.clients,
        }
    }
}

/// Marks it close-on-exec: programs that we start don't inherit it.
fn take(passed: &mut ListenFd, index: usize) -> io::Result<Option<OwnedFd>> {
    match passed.take_tcp_listener(index) {
        Ok(socket) => Ok(socket.map(OwnedFd::from)),
        Err(_) => Ok(passed.take_unix_listener(index)?.map(OwnedFd::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::SocketActivation;
    use listenfd::ListenFd;

    #[test]
    fn a_name_says_what_a_socket_is_for_and_clients_need_none() {
        let mut sockets = SocketActivation::new(ListenFd::empty(), "").unwrap();
        assert!(sockets.clients.is_empty());
        for name in ["", "clients", "notify_push.socket", "unknown"] {
            sockets.of(name).push(std::net::TcpListener::bind("127.0.0.1:0").unwrap().into());
        }
        assert_eq!(sockets.clients.len(), 4);
        sockets.of("metrics").push(std::net::TcpListener::bind("127.0.0.1:0").unwrap().into());
        sockets.of("admin").push(std::net::TcpListener::bind("127.0.0.1:0").unwrap().into());
        assert_eq!((sockets.metrics.len(), sockets.control.len()), (1, 1));
    }
}

//! The accept loop: one place for TCP, unix sockets and TLS, and for what goes wrong there.

use super::{
    ClientStream, Listener, Routes, Stranger, Strangers, Tls, http,
    listen::{SEND_BUFFER, Socket},
};
use crate::lifecycle::Tasks;
use rustix::io::Errno;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::{Instant, timeout, timeout_at},
};

/// How long to wait when descriptors or memory have run out: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Time limits of a connection that has not become a WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the accept (or the answer before) to the end of a request's head.
    pub head: Duration,
    /// The TLS handshake, from the client's first byte.
    pub handshake: Duration,
    /// From then on a connection takes no further request.
    pub requests: Duration,
    /// How long the last answer may then take.
    pub last_answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            requests: Duration::from_secs(60),
            last_answer: Duration::from_secs(40),
        }
    }
}

/// What listeners share. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    /// What is answered.
    pub routes: Routes,
    /// Who counts as a stranger.
    pub strangers: Strangers,
    /// How long strangers may take.
    pub limits: Limits,
    /// Where connections run.
    pub tasks: Tasks,
}

impl Front {
    /// Serves a listener until the process stops. It ends before that only if the listener can't be
    /// served at all.
    pub async fn serve(self, listener: Listener, tls: Option<Arc<Tls>>) {
        let acceptor = match Acceptor::new(&listener) {
            Ok(acceptor) => acceptor,
            Err(error) => return tracing::error!(%error, "a listener can't be served"),
        };
        let stop = self.tasks.stopping().clone();
        stop.run_until_cancelled(self.accept_all(&acceptor, tls)).await;
    }

    async fn accept_all(&self, acceptor: &Acceptor, tls: Option<Arc<Tls>>) {
        let mut pause = None;
        loop {
            match acceptor.accept().await {
                Ok(accepted) => {
                    if pause.take().is_some() {
                        tracing::info!("clients are accepted again");
                    }
                    self.admit(accepted, tls.clone());
                }
                Err(error) if exhausted(&error) => {
                    if pause.is_none() {
                        tracing::warn!(%error, "clients must wait: raise the descriptor limit?");
                    }
                    pause = Some(next_pause(pause));
                    tokio::time::sleep(pause.unwrap_or(FIRST_PAUSE)).await;
                }
                // The client's own doing, between its connect and our accept: accept(2).
                Err(error) => tracing::debug!(%error, "a client was gone before it was accepted"),
            }
        }
    }

    fn admit(&self, accepted: Accepted, tls: Option<Arc<Tls>>) {
        let address = accepted.address.map(|address| address.ip().to_canonical());
        let Some(stranger) = self.strangers.admit(address) else {
            tracing::debug!(peer = ?accepted.address, "too many strangers: closed");
            return accepted.stream.abort();
        };
        let front = self.clone();
        self.tasks.spawn(async move {
            let stop = front.tasks.stopping().clone();
            // Silent strangers are many: what follows is boxed, so they don't pay for it.
            let Some(deadline) =
                stop.run_until_cancelled(accepted.first_byte(front.limits.head)).await.flatten()
            else {
                return accepted.stream.abort();
            };
            Box::pin(front.converse(accepted, stranger, tls, deadline)).await;
        });
    }

    async fn converse(
        self,
        accepted: Accepted,
        stranger: Stranger,
        tls: Option<Arc<Tls>>,
        deadline: Instant,
    ) {
        let stream = match (accepted.stream, tls) {
            (ClientStream::Tcp(stream), Some(tls)) => {
                match timeout(self.limits.handshake, tls.acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => ClientStream::Tls(Box::new(stream)),
                    Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
                    Err(_) => return tracing::debug!("TLS handshake took too long"),
                }
            }
            (stream, _) => stream,
        };
        let head = deadline.saturating_duration_since(Instant::now());
        http::serve(self, stream, accepted.address, stranger, head).await;
    }
}

/// A listening socket in the runtime.
enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A client that nothing is known of yet.
struct Accepted {
    stream: ClientStream,
    address: Option<SocketAddr>,
}

impl Acceptor {
    fn new(listener: &Listener) -> io::Result<Self> {
        // The listener keeps its own descriptor, and with it the socket's file.
        Ok(match &listener.socket {
            Socket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket.try_clone()?)?),
            Socket::Unix(socket) => Self::Unix(UnixListener::from_std(socket.try_clone()?)?),
        })
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address): (TcpStream, _) = listener.accept().await?;
                Ok(Accepted { stream: ClientStream::Tcp(stream), address: Some(address) })
            }
            Self::Unix(listener) => {
                let (stream, _): (UnixStream, _) = listener.accept().await?;
                // Unlike TCP's, these don't inherit it.
                let option = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
                if let Err(error) = option {
                    tracing::debug!(%error, "send buffer not set");
                }
                Ok(Accepted { stream: ClientStream::Unix(stream), address: None })
            }
        }
    }
}

impl Accepted {
    /// Waits until there is something to read. `None`: nothing came. Otherwise when the head of the
    /// request must be complete.
    async fn first_byte(&self, limit: Duration) -> Option<Instant> {
        let deadline = Instant::now() + limit;
        let readable = async {
            match &self.stream {
                ClientStream::Tcp(stream) => stream.readable().await,
                ClientStream::Unix(stream) => stream.readable().await,
                ClientStream::Tls(_) => Ok(()),
            }
        };
        timeout_at(deadline, readable).await.ok()?.ok()?;
        Some(deadline)
    }
}

/// Whether accepting again at once would fail again.
fn exhausted(error: &io::Error) -> bool {
    let codes = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    codes.iter().any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

fn next_pause(pause: Option<Duration>) -> Duration {
    pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LAST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::{Errno, LAST_PAUSE, exhausted, next_pause};
    use std::io;

    #[test]
    fn pauses_grow_to_a_second() {
        let mut pause = None;
        let pauses: Vec<_> = (0..9)
            .map(|_| {
                pause = Some(next_pause(pause));
                pause.unwrap().as_millis()
            })
            .collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, LAST_PAUSE.as_millis()]);
    }

    #[test]
    fn only_a_lack_of_resources_makes_the_loop_wait() {
        let error = |code: Errno| io::Error::from_raw_os_error(code.raw_os_error());
        assert!(exhausted(&error(Errno::MFILE)));
        assert!(exhausted(&error(Errno::NFILE)));
        assert!(!exhausted(&error(Errno::CONNABORTED)));
    }
}

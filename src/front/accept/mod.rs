//! From a listening socket to a conversation: one place for TCP, unix sockets and TLS.

mod acceptor;
mod pace;

use super::{ClientStream, Listener, Routes, Stranger, Strangers, Tls, http};
use crate::lifecycle::Tasks;
use acceptor::{Accepted, Acceptor};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

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
        let accepting =
            pace::forever(|| acceptor.accept(), |accepted| self.admit(accepted, tls.clone()));
        stop.run_until_cancelled(accepting).await;
    }

    fn admit(&self, accepted: Accepted, tls: Option<Arc<Tls>>) {
        let address = accepted.address.map(|address| address.ip().to_canonical());
        let Some(stranger) = self.strangers.admit(address) else {
            tracing::debug!(peer = ?accepted.address, "too many strangers: closed");
            return accepted.stream.abort();
        };
        self.tasks.spawn(self.clone().meet(accepted, stranger, tls));
    }

    /// Waits for the first byte. Silent strangers are many, so whatever comes after it is boxed:
    /// they don't pay for it.
    async fn meet(self, accepted: Accepted, stranger: Stranger, tls: Option<Arc<Tls>>) {
        let eviction = stranger.eviction();
        let spoke = tokio::select! {
            deadline = accepted.first_byte(self.limits.head) => deadline,
            () = eviction.cancelled() => None,
            () = self.tasks.stopping().cancelled() => None,
        };
        let Some(deadline) = spoke else { return accepted.stream.abort() };
        let conversation = Box::pin(self.converse(accepted, stranger, tls, deadline));
        if eviction.run_until_cancelled(conversation).await.is_none() {
            tracing::debug!("a slow stranger made room for a new one");
        }
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

#[cfg(test)]
mod tests {
    use super::{Accepted, ClientStream, Front, Limits, Strangers, Tasks};
    use crate::front::{StrangerLimits, routes};
    use warp::Filter;

    #[tokio::test]
    async fn a_silent_stranger_costs_a_kilobyte_at_most() {
        let strangers = Strangers::new(StrangerLimits { total: 1, per_address: 1 }, |_| true);
        let stranger = strangers.admit(None).unwrap();
        let front = Front {
            routes: routes(warp::path::end().map(|| "")),
            strangers,
            limits: Limits::default(),
            tasks: Tasks::default(),
        };
        let (stream, _far) = tokio::net::UnixStream::pair().unwrap();
        let accepted = Accepted { stream: ClientStream::Unix(stream), address: None };
        assert!(size_of_val(&front.meet(accepted, stranger, None)) <= 1024);
    }
}

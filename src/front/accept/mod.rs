//! From a listening socket to a conversation: one place for TCP, unix sockets and TLS.

mod acceptor;
mod pace;

use super::{ClientStream, Listener, Observer, Routes, Stranger, Strangers, Tls, http};
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
    /// Who counts.
    pub observer: Arc<dyn Observer>,
}

impl Front {
    /// Serves a listener until the process stops. It ends before that only if the listener can't be
    /// served at all.
    pub async fn serve(self, listener: Listener, tls: Option<Arc<Tls>>) {
        let acceptor = match Acceptor::new(&listener) {
            Ok(acceptor) => acceptor,
            Err(error) => return tracing::error!(%error, "a listener can't be served"),
        };
        let front = Arc::new(self);
        let accept = || async {
            let accepted = acceptor.accept().await;
            if accepted.is_err() {
                front.observer.accept_failed();
            }
            accepted
        };
        let accepting = pace::forever(accept, |accepted| front.admit(accepted, tls.clone()));
        front.tasks.stopping().run_until_cancelled(accepting).await;
    }

    fn admit(self: &Arc<Self>, accepted: Accepted, tls: Option<Arc<Tls>>) {
        let address = accepted.address.map(|address| address.ip().to_canonical());
        self.observer.accepted();
        match self.strangers.admit(address) {
            Ok(stranger) => drop(self.tasks.spawn(Arc::clone(self).meet(accepted, stranger, tls))),
            Err(why) => {
                tracing::debug!(peer = ?accepted.address, ?why, "too many strangers: closed");
                self.observer.refused(why);
                accepted.stream.abort();
            }
        }
    }

    /// Waits for the first byte. Silent strangers are many, so whatever comes after it is boxed:
    /// they don't pay for it.
    async fn meet(self: Arc<Self>, accepted: Accepted, stranger: Stranger, tls: Option<Arc<Tls>>) {
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
        self: Arc<Self>,
        accepted: Accepted,
        stranger: Stranger,
        tls: Option<Arc<Tls>>,
        deadline: Instant,
    ) {
        let stream = match tls {
            Some(tls) => self.encrypt(accepted.stream, &tls).await,
            None => Some(accepted.stream),
        };
        let Some(stream) = stream else { return self.observer.handshake_failed() };
        let head = deadline.saturating_duration_since(Instant::now());
        http::serve(&self, stream, accepted.address, stranger, head).await;
    }

    /// TLS is for TCP; a unix socket does without.
    async fn encrypt(&self, stream: ClientStream, tls: &Tls) -> Option<ClientStream> {
        let ClientStream::Tcp(stream) = stream else { return Some(stream) };
        match timeout(self.limits.handshake, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => return Some(ClientStream::Tls(Box::new(stream))),
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, ClientStream, Front, Limits, Strangers, Tasks};
    use crate::front::{StrangerLimits, Unobserved, routes};
    use std::sync::Arc;
    use warp::Filter;

    #[tokio::test]
    async fn a_silent_stranger_costs_a_kilobyte_at_most() {
        let limits = StrangerLimits { total: 1, per_address: 1 };
        let strangers = Strangers::new(limits, |_| true, Arc::new(Unobserved));
        let stranger = strangers.admit(None).unwrap();
        let front = Front {
            routes: routes(warp::path::end().map(|| "")),
            strangers,
            limits: Limits::default(),
            tasks: Tasks::default(),
            observer: Arc::new(Unobserved),
        };
        let (stream, _far) = tokio::net::UnixStream::pair().unwrap();
        let accepted = Accepted { stream: ClientStream::Unix(stream), address: None };
        assert!(size_of_val(&Arc::new(front).meet(accepted, stranger, None)) <= 1024);
    }
}

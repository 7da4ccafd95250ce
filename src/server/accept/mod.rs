//! From a listening socket to a conversation: one place for TCP, unix sockets, the PROXY protocol and
//! TLS.

mod acceptor;
mod introduction;
mod pace;

use super::{
    ClientStream, Introducers, Listener, Observer, Refused, Routes, Stranger, Strangers, Tls, http,
};
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

/// What a listener asks of a connection before it is HTTP.
#[derive(Clone)]
struct Wants {
    introducers: Introducers,
    tls: Option<Arc<Tls>>,
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
        let wants = Wants { introducers: listener.introducers.clone(), tls };
        let accept = || async {
            let accepted = acceptor.accept().await;
            if accepted.is_err() {
                front.observer.accept_failed();
            }
            accepted
        };
        let accepting = pace::forever(accept, |accepted| front.admit(accepted, wants.clone()));
        front.tasks.stopping().run_until_cancelled(accepting).await;
    }

    fn admit(self: &Arc<Self>, accepted: Accepted, wants: Wants) {
        self.observer.accepted();
        match self.strangers.admit(accepted.ip()) {
            Ok(stranger) => {
                drop(self.tasks.spawn(Arc::clone(self).meet(accepted, stranger, wants)))
            }
            Err(why) => {
                tracing::debug!(peer = ?accepted.address, ?why, "too many strangers: closed");
                self.observer.refused(why);
                accepted.stream.abort();
            }
        }
    }

    /// Waits for the first byte. Silent strangers are many, so whatever comes after it is boxed:
    /// they don't pay for it.
    async fn meet(self: Arc<Self>, accepted: Accepted, stranger: Stranger, wants: Wants) {
        let eviction = stranger.eviction();
        let spoke = tokio::select! {
            deadline = accepted.first_byte(self.limits.head) => deadline,
            () = eviction.cancelled() => None,
            () = self.tasks.stopping().cancelled() => None,
        };
        let Some(deadline) = spoke else { return accepted.stream.abort() };
        let conversation = Box::pin(self.introduce(accepted, stranger, wants, deadline));
        if eviction.run_until_cancelled(conversation).await.is_none() {
            tracing::debug!("a slow stranger made room for a new one");
        }
    }

    /// Where a proxy introduces clients, the client takes the proxy's place among the strangers.
    async fn introduce(
        self: Arc<Self>,
        accepted: Accepted,
        stranger: Stranger,
        Wants { introducers, tls }: Wants,
        deadline: Instant,
    ) {
        if !introducers.are_wanted() {
            return self.converse(accepted, stranger, tls, deadline).await;
        }
        let proxy = accepted.address;
        if !introducers.include(accepted.ip()) && !accepted.is_from_here() {
            tracing::debug!(peer = ?proxy, "no trusted proxy: closed, as PROXY_PROTOCOL is on");
            self.observer.refused(Refused::Unintroduced);
            return accepted.stream.abort();
        }
        let accepted = match accepted.introduced(deadline).await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, peer = ?proxy, "nobody was introduced: closed");
                return self.observer.refused(Refused::Unintroduced);
            }
        };
        match self.strangers.admit(accepted.ip()) {
            Ok(client) => {
                drop(stranger);
                let eviction = client.eviction();
                let conversation = self.converse(accepted, client, tls, deadline);
                eviction.run_until_cancelled(conversation).await;
            }
            Err(why) => {
                self.observer.refused(why);
                accepted.stream.abort();
            }
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
    use super::{Accepted, ClientStream, Front, Introducers, Limits, Strangers, Tasks, Wants};
    use crate::server::{Bind, Listener, Local, StrangerLimits, Unobserved, routes};
    use std::{net::Ipv4Addr, sync::Arc};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use warp::Filter;

    /// What is answered to somebody who comes from this address and introduces another.
    async fn answer(port: u16, from: Ipv4Addr) -> String {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
        let header = "PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n";
        let request = format!("{header}GET / HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A reset is no answer either.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn only_who_may_introduces_others() {
        let (proxy, other) = (Ipv4Addr::new(127, 0, 0, 77), Ipv4Addr::new(127, 0, 0, 78));
        let bind = Bind::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0 };
        let listener = Listener::bind(&bind).unwrap();
        let listener = listener.introduced_by(move |ip| ip == Some(proxy.into()));
        let Local::Tcp(address) = listener.local().unwrap() else { panic!("not TCP") };
        let tasks = Tasks::default();
        let limits = StrangerLimits { total: 9, per_address: 9 };
        let front = Front {
            routes: routes(warp::path::end().map(|| "")),
            strangers: Strangers::new(limits, |_| false, Arc::new(Unobserved)),
            limits: Limits::default(),
            tasks: tasks.clone(),
            observer: Arc::new(Unobserved),
        };
        tasks.spawn(front.serve(listener, None));
        assert!(answer(address.port(), proxy).await.contains(" 200 "));
        assert_eq!(answer(address.port(), other).await, "");
        // This machine's own connection to itself: the daemon's probe.
        assert!(answer(address.port(), Ipv4Addr::LOCALHOST).await.contains(" 200 "));
        tasks.stopping().cancel();
    }

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
        let wants = Wants { introducers: Introducers::default(), tls: None };
        assert!(size_of_val(&Arc::new(front).meet(accepted, stranger, wants)) <= 1024);
    }
}

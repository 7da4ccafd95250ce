//! Serves a listening socket: TCP or unix socket, PROXY protocol, TLS, HTTP.

mod accept_loop;
mod acceptor;
mod proxy_protocol;

use super::{
    BoundListener, ClientStream, ConnectionObserver, HttpRoutes, PreAuthConnection, PreAuthLimiter,
    ProxyHeaderPolicy, RefusalReason, ReloadableTls, http,
};
use crate::lifecycle::TaskGroup;
use acceptor::{AcceptedConnection, SocketAcceptor};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// Time limits of a connection that hasn't become a WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionTimeouts {
    /// From the accept (or the previous response) to the end of a request's head.
    pub head: Duration,
    /// The TLS handshake, from the client's first byte.
    pub handshake: Duration,
    /// After this time a connection takes no further request.
    pub requests: Duration,
    /// How long the last response may then take.
    pub last_answer: Duration,
}

impl Default for ConnectionTimeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            requests: Duration::from_secs(60),
            last_answer: Duration::from_secs(40),
        }
    }
}

/// What the listeners share. Cheap to clone.
#[derive(Clone)]
pub struct HttpServer {
    /// The routes to serve.
    pub routes: HttpRoutes,
    /// The limits before authentication.
    pub pre_auth: PreAuthLimiter,
    /// Time limits before authentication.
    pub limits: ConnectionTimeouts,
    /// The group that connections run in.
    pub tasks: TaskGroup,
    /// The observer for metrics.
    pub observer: Arc<dyn ConnectionObserver>,
}

/// What a connection passes before it is HTTP.
#[derive(Clone)]
struct ListenerOptions {
    proxy_headers: ProxyHeaderPolicy,
    tls: Option<Arc<ReloadableTls>>,
}

impl HttpServer {
    /// Serves a listener until the process stops, or until the listener fails.
    pub async fn serve(self, listener: BoundListener, tls: Option<Arc<ReloadableTls>>) {
        let acceptor = match SocketAcceptor::new(&listener) {
            Ok(acceptor) => acceptor,
            Err(error) => return tracing::error!(%error, "a listener can't be served"),
        };
        let front = Arc::new(self);
        let options = ListenerOptions { proxy_headers: listener.proxy_headers.clone(), tls };
        let accept = || async {
            let accepted = acceptor.accept().await;
            if accepted.is_err() {
                front.observer.accept_failed();
            }
            accepted
        };
        let accepting =
            accept_loop::accept_loop(accept, |accepted| front.admit(accepted, options.clone()));
        front.tasks.stopping().run_until_cancelled(accepting).await;
    }

    fn admit(self: &Arc<Self>, accepted: AcceptedConnection, options: ListenerOptions) {
        self.observer.accepted();
        match self.pre_auth.admit(accepted.ip()) {
            Ok(pre_auth_connection) => drop(self.tasks.spawn(
                Arc::clone(self).wait_for_first_byte(accepted, pre_auth_connection, options),
            )),
            Err(why) => {
                tracing::debug!(peer = ?accepted.address, ?why, "closed: unauthenticated connection limit");
                self.observer.refused(why);
                accepted.stream.abort();
            }
        }
    }

    /// Waits for the first byte. Silent connections may be many, so everything after it is boxed: they
    /// don't pay for it.
    async fn wait_for_first_byte(
        self: Arc<Self>,
        accepted: AcceptedConnection,
        pre_auth_connection: PreAuthConnection,
        options: ListenerOptions,
    ) {
        let eviction = pre_auth_connection.eviction();
        let first_byte_deadline = tokio::select! {
            deadline = accepted.first_byte(self.limits.head) => deadline,
            () = eviction.cancelled() => None,
            () = self.tasks.stopping().cancelled() => None,
        };
        let Some(deadline) = first_byte_deadline else { return accepted.stream.abort() };
        let serving = Box::pin(self.introduce(accepted, pre_auth_connection, options, deadline));
        if eviction.run_until_cancelled(serving).await.is_none() {
            tracing::debug!("evicted the oldest unauthenticated connection");
        }
    }

    /// After a PROXY header, the client's address counts instead of the proxy's.
    async fn introduce(
        self: Arc<Self>,
        accepted: AcceptedConnection,
        pre_auth_connection: PreAuthConnection,
        ListenerOptions { proxy_headers, tls }: ListenerOptions,
        deadline: Instant,
    ) {
        if !proxy_headers.is_required() {
            return self.serve_connection(accepted, pre_auth_connection, tls, deadline).await;
        }
        let proxy = accepted.address;
        if !proxy_headers.include(accepted.ip()) && !accepted.is_local_connection() {
            tracing::debug!(peer = ?proxy, "closed: PROXY_PROTOCOL is on and the peer is no trusted proxy");
            self.observer.refused(RefusalReason::NoProxyHeader);
            return accepted.stream.abort();
        }
        let accepted = match accepted.introduced(deadline).await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, peer = ?proxy, "closed: no PROXY protocol header");
                return self.observer.refused(RefusalReason::NoProxyHeader);
            }
        };
        match self.pre_auth.admit(accepted.ip()) {
            Ok(client) => {
                drop(pre_auth_connection);
                let eviction = client.eviction();
                let serving = self.serve_connection(accepted, client, tls, deadline);
                eviction.run_until_cancelled(serving).await;
            }
            Err(why) => {
                self.observer.refused(why);
                accepted.stream.abort();
            }
        }
    }

    async fn serve_connection(
        self: Arc<Self>,
        accepted: AcceptedConnection,
        pre_auth_connection: PreAuthConnection,
        tls: Option<Arc<ReloadableTls>>,
        deadline: Instant,
    ) {
        let stream = match tls {
            Some(tls) => self.encrypt(accepted.stream, &tls).await,
            None => Some(accepted.stream),
        };
        let Some(stream) = stream else { return self.observer.handshake_failed() };
        let head = deadline.saturating_duration_since(Instant::now());
        http::serve(&self, stream, accepted.address, pre_auth_connection, head).await;
    }

    /// TLS is for TCP only; a unix socket has none.
    async fn encrypt(&self, stream: ClientStream, tls: &ReloadableTls) -> Option<ClientStream> {
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
    use super::{
        AcceptedConnection, ClientStream, ConnectionTimeouts, HttpServer, ListenerOptions,
        PreAuthLimiter, ProxyHeaderPolicy, TaskGroup,
    };
    use crate::server::{
        BindAddress, BoundListener, LocalAddress, NoopConnectionObserver, PreAuthLimits, routes,
    };
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
        let bind = BindAddress::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0 };
        let listener = BoundListener::bind(&bind).unwrap();
        let listener = listener.require_proxy_header(move |ip| ip == Some(proxy.into()));
        let LocalAddress::Tcp(address) = listener.local().unwrap() else { panic!("not TCP") };
        let tasks = TaskGroup::default();
        let limits = PreAuthLimits { total: 9, per_address: 9 };
        let front = HttpServer {
            routes: routes(warp::path::end().map(|| "")),
            pre_auth: PreAuthLimiter::new(limits, |_| false, Arc::new(NoopConnectionObserver)),
            limits: ConnectionTimeouts::default(),
            tasks: tasks.clone(),
            observer: Arc::new(NoopConnectionObserver),
        };
        tasks.spawn(front.serve(listener, None));
        assert!(answer(address.port(), proxy).await.contains(" 200 "));
        assert_eq!(answer(address.port(), other).await, "");
        // This machine's own connection to itself: the daemon's probe.
        assert!(answer(address.port(), Ipv4Addr::LOCALHOST).await.contains(" 200 "));
        tasks.stopping().cancel();
    }

    #[tokio::test]
    async fn a_silent_connection_costs_a_kilobyte_at_most() {
        let limits = PreAuthLimits { total: 1, per_address: 1 };
        let pre_auth = PreAuthLimiter::new(limits, |_| true, Arc::new(NoopConnectionObserver));
        let pre_auth_connection = pre_auth.admit(None).unwrap();
        let front = HttpServer {
            routes: routes(warp::path::end().map(|| "")),
            pre_auth,
            limits: ConnectionTimeouts::default(),
            tasks: TaskGroup::default(),
            observer: Arc::new(NoopConnectionObserver),
        };
        let (stream, _far) = tokio::net::UnixStream::pair().unwrap();
        let accepted = AcceptedConnection { stream: ClientStream::Unix(stream), address: None };
        let options = ListenerOptions { proxy_headers: ProxyHeaderPolicy::default(), tls: None };
        assert!(
            size_of_val(&Arc::new(front).wait_for_first_byte(
                accepted,
                pre_auth_connection,
                options
            )) <= 1024
        );
    }
}

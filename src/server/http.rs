//! HTTP/1.1 on one connection: hyper with limits, warp's routes inside.

use super::{ClientStream, HttpServer, PreAuthConnection, RefusalReason};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// The longest head of a request: what Apache and nginx accept in practice. Clients also send the cookies
/// of other applications at the same name.
const MAX_HEAD: usize = 16 * 1024;

/// The shortest time for a request's head, even after a slow handshake.
const MIN_HEAD_TIME: Duration = Duration::from_secs(1);

/// Where a request came from; each carries it as an extension.
#[derive(Debug, Clone)]
pub struct RequestOrigin {
    /// The socket's remote address; `None` for a unix socket.
    pub address: Option<SocketAddr>,
    /// The HTTP version of the request, which warp doesn't expose.
    pub version: http::Version,
    /// The connection in the limiter of unauthenticated connections.
    pub(crate) pre_auth_connection: PreAuthConnection,
}

impl RequestOrigin {
    /// Counts a session that began here and may outlive the connection.
    ///
    /// # Errors
    /// The reason of a refusal.
    pub fn another(&self) -> Result<PreAuthConnection, RefusalReason> {
        self.pre_auth_connection.another()
    }

    /// The connection's slot among unauthenticated connections.
    pub fn connection(&self) -> &PreAuthConnection {
        &self.pre_auth_connection
    }

    /// Calls [`PreAuthConnection::mark_joined`] of its connection.
    pub fn mark_joined(&self) {
        self.pre_auth_connection.mark_joined();
    }
}

/// Serves requests until the client closes, its time is up, the process stops, or the connection
/// becomes a WebSocket.
pub(super) async fn serve(
    front: &HttpServer,
    stream: ClientStream,
    address: Option<SocketAddr>,
    pre_auth_connection: PreAuthConnection,
    head: Duration,
) {
    let routes = TowerToHyperService::new(warp::service(front.routes.clone()));
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        let origin = RequestOrigin {
            address,
            version: request.version(),
            pre_auth_connection: pre_auth_connection.clone(),
        };
        request.extensions_mut().insert(origin);
        let (answering, observer) = (routes.call(request), Arc::clone(&front.observer));
        async move { answering.await.inspect(|answer| observer.answered(answer.status())) }
    });
    let connection = builder(front.limits.head.min(head.max(MIN_HEAD_TIME)))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => Ok(ended),
        () = pre_auth_deadline(front.limits.requests, &pre_auth_connection) => {
            connection.as_mut().graceful_shutdown();
            timeout(front.limits.last_answer, connection).await
        }
        () = front.tasks.stopping().cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(front.limits.last_answer, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, peer = ?address, "connection ended"),
        Err(_) => tracing::debug!(peer = ?address, "closed: the last response took too long"),
    }
}

/// Completes when the connection's time is up, unless it belongs to a session by then.
async fn pre_auth_deadline(time: Duration, pre_auth_connection: &PreAuthConnection) {
    sleep(time).await;
    if pre_auth_connection.is_joined() {
        std::future::pending().await
    }
}

fn builder(head_time: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD);
    builder
}

//! Wraps the Socket.IO library: answers polling requests and serves WebSockets. Both pass newly
//! built requests to the library, so that only a client's packets reach it.

use super::{io_client::SocketIoClient, query::EngineQuery, stream::CancellableStream};
use crate::server::stream::ClientStream;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use socketioxide::{SocketIo, SocketIoBuilder};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Maximum size of a payload and of a packet, in bytes; registrations are short. Unregistered clients may
/// hold this much each.
pub const MAX_PAYLOAD: usize = 16 * 1024;
/// Packets that wait for a client between two polls. When the queue is full, the hub's pending
/// notices fill and the hub closes the session.
const MAX_QUEUED: usize = 64;
/// Values of `specs/webhook-push.md` section 3.
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(60);
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for a newer client to enter its namespace. Until then the library keeps the session
/// even if the client disconnects.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for closing all sessions at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type EngineResponseFuture = BoxFuture<'static, Response<Bytes>>;

/// The Socket.IO library. Cheap to clone.
#[derive(Clone)]
pub struct SocketIoEngine {
    io: SocketIo,
    answer: Arc<dyn Fn(Request<Full<Bytes>>) -> EngineResponseFuture + Send + Sync>,
    serve: Arc<dyn Fn(CancellableStream, Request<()>) + Send + Sync>,
}

impl SocketIoEngine {
    /// Creates a library without namespaces.
    pub fn new() -> Self {
        let (service, io) = limits(SocketIo::builder()).build_svc();
        let serving = service.clone();
        let answer = move |request| -> EngineResponseFuture {
            let answering = service.call(request);
            Box::pin(async move {
                let answered: Result<_, Infallible> = answering.await;
                match answered {
                    Ok(answer) => whole(answer).await,
                    Err(never) => match never {},
                }
            })
        };
        let serve = move |stream: CancellableStream, request: Request<()>| {
            let served =
                Service::<(CancellableStream, Request<()>)>::call(&serving, (stream, request));
            // The library has dropped the connection.
            if let Err(error) = served.into_inner() {
                tracing::debug!(%error, "Socket.IO connection refused by the library");
            }
        };
        Self { io, answer: Arc::new(answer), serve: Arc::new(serve) }
    }

    /// The library, for event handlers.
    pub fn io(&self) -> &SocketIo {
        &self.io
    }

    /// Answers a polling request; `io_client` is attached to a new session.
    pub async fn answer(
        &self,
        method: Method,
        query: &EngineQuery,
        body: (Option<http::HeaderValue>, Bytes),
        io_client: Option<&Arc<SocketIoClient>>,
    ) -> Response<Bytes> {
        let (kind, body) = body;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri(query);
        if let Some(kind) = kind {
            request.headers_mut().insert(CONTENT_TYPE, kind);
        }
        if let Some(io_client) = io_client {
            request.extensions_mut().insert(Arc::clone(io_client));
        }
        (self.answer)(request).await
    }

    /// Serves a connection that has become a WebSocket.
    pub fn serve(
        &self,
        stream: ClientStream,
        leftover: Bytes,
        query: &EngineQuery,
        io_client: &Arc<SocketIoClient>,
    ) {
        let mut request = Request::new(());
        *request.uri_mut() = uri(query);
        request.extensions_mut().insert(Arc::clone(io_client));
        (self.serve)(CancellableStream::new(stream, leftover, &io_client.cut), request);
    }

    /// Ends a client's session as a lost connection would, so that it reconnects. The library
    /// offers no other access to its session than a close packet of the client.
    pub async fn end(&self, io_client: &SocketIoClient) {
        io_client.cut.cancel();
        let Some(sid) = io_client.sid() else { return };
        let mut query = EngineQuery::parse("transport=polling");
        (query.sid, query.generation) = (Some(sid.to_owned()), io_client.generation);
        let close_packet =
            Bytes::from_static(super::response::close_packet(io_client.generation).as_bytes());
        self.answer(Method::POST, &query, (None, close_packet), None).await;
    }

    /// Ends all sessions in the same way.
    pub async fn close(&self) {
        if timeout(CLOSE_TIMEOUT, self.io.close()).await.is_err() {
            tracing::debug!("some Socket.IO sessions did not close in time");
        }
    }
}

fn limits(builder: SocketIoBuilder) -> SocketIoBuilder {
    builder
        .req_path("/socket.io")
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .upgrade_timeout(UPGRADE_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .max_buffer_size(MAX_QUEUED)
        .max_payload(MAX_PAYLOAD as u64)
        .ws_max_message_size(MAX_PAYLOAD)
        .ws_max_frame_size(MAX_PAYLOAD)
}

fn uri(query: &EngineQuery) -> http::Uri {
    // The query contains valid characters only.
    http::Uri::try_from(query.uri()).unwrap_or_default()
}

async fn whole<B>(answer: Response<B>) -> Response<Bytes>
where
    B: hyper::body::Body<Data = Bytes>,
{
    let (parts, body) = answer.into_parts();
    match body.collect().await {
        Ok(body) => Response::from_parts(parts, body.to_bytes()),
        Err(_) => {
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}

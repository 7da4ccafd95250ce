//! The library behind two doors: a request to be answered, and a WebSocket to be served. What either
//! asks of it is put into requests made anew, so that nothing of a client's own reaches it but packets.

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

/// The longest payload of a request, and the longest packet: registrations are short.
pub const MAX_PAYLOAD: usize = 100_000;
/// Packets that wait for a client between two polls. When there is no room the hub's mailbox fills, and
/// then the hub ends the session.
const WAITING: usize = 64;
/// `specs/webhook-push.md` section 3.
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(60);
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a newer client may take to name its namespace. Until then the library keeps it, even if it
/// goes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the library may take to end all sessions.
const CLOSING: Duration = Duration::from_secs(2);

type EngineResponseFuture = BoxFuture<'static, Response<Bytes>>;

/// The library. Cheap to clone.
#[derive(Clone)]
pub struct SocketIoEngine {
    io: SocketIo,
    answer: Arc<dyn Fn(Request<Full<Bytes>>) -> EngineResponseFuture + Send + Sync>,
    serve: Arc<dyn Fn(CancellableStream, Request<()>) + Send + Sync>,
}

impl SocketIoEngine {
    /// A library that knows no namespace yet.
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
            // Whatever it may be, the connection has been dropped.
            if let Err(error) = served.into_inner() {
                tracing::debug!(%error, "a Socket.IO connection was not taken");
            }
        };
        Self { io, answer: Arc::new(answer), serve: Arc::new(serve) }
    }

    /// To set up what is done with events.
    pub fn io(&self) -> &SocketIo {
        &self.io
    }

    /// Answers a request; a new session's `io_client` goes along.
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

    /// Ends one client's session as a lost connection would: it comes back by itself. There is no
    /// other way to the library's session than the client's own.
    pub async fn end(&self, io_client: &SocketIoClient) {
        io_client.cut.cancel();
        let Some(sid) = io_client.sid() else { return };
        let mut query = EngineQuery::parse("transport=polling");
        (query.sid, query.generation) = (Some(sid.to_owned()), io_client.generation);
        let close_packet =
            Bytes::from_static(super::response::close_packet(io_client.generation).as_bytes());
        self.answer(Method::POST, &query, (None, close_packet), None).await;
    }

    /// Ends all sessions, likewise.
    pub async fn close(&self) {
        if timeout(CLOSING, self.io.close()).await.is_err() {
            tracing::debug!("some Socket.IO sessions did not end in time");
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
        .max_buffer_size(WAITING)
        .max_payload(MAX_PAYLOAD as u64)
        .ws_max_message_size(MAX_PAYLOAD)
        .ws_max_frame_size(MAX_PAYLOAD)
}

fn uri(query: &EngineQuery) -> http::Uri {
    // Nothing but what any URI may hold is in it.
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

//! Socket.IO for the original's clients and current ones (`specs/webhook-push.md` section 3). The
//! library speaks Engine.IO and Socket.IO; these modules add what it lacks.
//!
//! ```text
//! request ▶ routes ▶ engine (the library) ▶ events ▶ admission
//!             │  encoding, jsonp, response        │
//!             ▼                                   ▼
//!           io_client ◀───── forwarder ◀── bridge ◀── hub
//! ```

mod encoding;
mod engine;
mod event_arguments;
mod events;
mod forwarder;
mod io_client;
mod jsonp;
mod query;
mod response;
mod routes;
mod stream;

use super::{WebhookHandlers, body_budget::BodyBudget, cors};
use crate::{
    lifecycle::TaskGroup,
    server::{
        NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, RequestOrigin, WebSocketHandshake,
        handshake, peer, peer::ConnectionPeer,
    },
};
use engine::SocketIoEngine;
use events::SocketIoEvents;
use http::{HeaderMap, HeaderName, Method};
use io_client::PollingClients;
use query::{EngineQuery, EngineTransport};
use routes::{SocketIoHandler, SocketIoRequest};
use std::{convert::Infallible, sync::Arc};
use warp::{
    Filter,
    filters::BoxedFilter,
    reply::{Reply, Response},
};

/// The client that pages of the original load: the current version instead of 1.7.4. The file is
/// npm's, unchanged (`tests/it/socketio_page.rs`); its licence is beside it.
const BUNDLE: &str = include_str!("bundle.min.js");

/// Clients of one service that haven't registered. With a half-sent packet of
/// [`engine::MAX_PAYLOAD`] each, they take at most 64 MiB.
const MAX_UNREGISTERED: usize = 2048;

/// The routes below `/socket.io/`. `names` are the headers with the forwarded chain. Connections
/// end with `tasks`; clients then reconnect.
pub fn socket_io(
    handlers: WebhookHandlers,
    tasks: TaskGroup,
    names: Arc<[HeaderName]>,
) -> BoxedFilter<(Response,)> {
    let engine = SocketIoEngine::new();
    SocketIoEvents { handlers, engine: engine.clone(), tasks: tasks.clone() }.listen();
    let (stopping, ending) = (tasks.stopping().clone(), engine.clone());
    tasks.spawn(async move {
        stopping.cancelled().await;
        ending.close().await;
    });
    let requests = SocketIoHandler {
        engine,
        polling_clients: PollingClients::default(),
        unregistered: unregistered_clients(),
        bodies: BodyBudget::default(),
        tasks,
        names: Arc::clone(&names),
    };
    let protocol = request(names).and(handshake()).and(warp::body::stream()).then(
        move |request: SocketIoRequest, handshake: WebSocketHandshake, body| {
            let requests = requests.clone();
            async move {
                let headers = request.headers.clone();
                let upgrades = request.query.transport == Some(EngineTransport::WebSocket);
                let answer = if upgrades && request.method == Method::GET {
                    let upgraded = requests.upgrade(request, |tasks, names, serve| {
                        handshake.accept(tasks, names, serve)
                    });
                    upgraded.unwrap_or_else(|fault| fault.answer().into_response())
                } else {
                    requests.answer(request, body).await.into_response()
                };
                cors::allow(answer, &headers)
            }
        },
    );
    warp::path("socket.io").and(bundle().or(protocol).unify()).boxed()
}

/// The limit of one service's unregistered clients: eviction only, since addresses have their own limits.
fn unregistered_clients() -> PreAuthLimiter {
    let limits = PreAuthLimits { total: MAX_UNREGISTERED, per_address: MAX_UNREGISTERED };
    PreAuthLimiter::new(limits, |_| true, Arc::new(NoopConnectionObserver))
}

/// Serves the client at `/socket.io/socket.io.js`.
fn bundle() -> impl Filter<Extract = (Response,), Error = warp::Rejection> + Clone + Send + Sync {
    let kind = "text/javascript; charset=UTF-8";
    warp::path("socket.io.js")
        .and(warp::path::end())
        .and(warp::get())
        .and(warp::header::headers_cloned())
        .map(move |headers: HeaderMap| {
            let bundle = warp::reply::with_header(BUNDLE, "content-type", kind);
            let bundle = warp::reply::with_header(bundle, "cache-control", "max-age=3600");
            cors::allow(bundle.into_response(), &headers)
        })
}

fn request(
    names: Arc<[HeaderName]>,
) -> impl Filter<Extract = (SocketIoRequest,), Error = Infallible> + Clone + Send + Sync + 'static {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(query)
        .and(warp::header::headers_cloned())
        .and(peer(names))
        .and(warp::ext::optional::<RequestOrigin>())
        .map(|method, raw: String, headers: HeaderMap, peer: ConnectionPeer, origin| {
            let query = EngineQuery::parse(&raw);
            SocketIoRequest { method, query, headers, peer, origin }
        })
}

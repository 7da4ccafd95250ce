//! Socket.IO, for the clients that the original had and for today's (`specs/webhook-push.md` section 3):
//! the library speaks Engine.IO and Socket.IO, and what it lacks stands around it.
//!
//! ```text
//! request ▶ routes ▶ engine (the library) ▶ events ▶ authenticated
//!             │  encoding, jsonp, answer         │
//!             ▼                                  ▼
//!           io_client ◀──────── carry ◀── relay ◀── hub
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

use super::{WebhookHandlers, cors};
use crate::{
    lifecycle::TaskGroup,
    server::{RequestOrigin, WebSocketHandshake, handshake, peer, peer::ConnectionPeer},
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

/// What pages of the original load from it: today's client instead of 1.7.4, which is kept no more. The
/// file is npm's, letter by letter (`tests/it/socketio_page.rs`); its licence lies beside it.
const BUNDLE: &str = include_str!("bundle.min.js");

/// `/socket.io/`. `names` are the headers that say who a client is. The clients' connections end with
/// `tasks`; they come back by themselves.
pub fn socket_io(
    inside: WebhookHandlers,
    tasks: TaskGroup,
    names: Arc<[HeaderName]>,
) -> BoxedFilter<(Response,)> {
    let engine = SocketIoEngine::new();
    SocketIoEvents { inside, engine: engine.clone(), tasks: tasks.clone() }.listen();
    let (stopping, ending) = (tasks.stopping().clone(), engine.clone());
    tasks.spawn(async move {
        stopping.cancelled().await;
        ending.close().await;
    });
    let requests = SocketIoHandler {
        engine,
        polling_clients: PollingClients::default(),
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

/// `/socket.io/socket.io.js`.
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

//! Socket.IO, for the clients that the original had and for today's (`specs/webhook-push.md` section 3):
//! the library speaks Engine.IO and Socket.IO, and what it lacks stands around it.
//!
//! ```text
//! request ▶ routes ▶ engine (the library) ▶ events ▶ door
//!             │  encoding, jsonp, answer         │
//!             ▼                                  ▼
//!           guest ◀──────── carry ◀── relay ◀── hub
//! ```

mod answer;
mod carry;
mod encoding;
mod engine;
mod events;
mod guest;
mod jsonp;
mod query;
mod routes;
mod said;
mod stream;

use super::{Inside, cors};
use crate::{
    lifecycle::Tasks,
    server::{Handshake, Origin, handshake, peer, peer::Peer},
};
use engine::Engine;
use events::Events;
use guest::Guests;
use http::{HeaderMap, HeaderName, Method};
use query::{Query, Transport};
use routes::{Asked, Requests};
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
    inside: Inside,
    tasks: Tasks,
    names: Arc<[HeaderName]>,
) -> BoxedFilter<(Response,)> {
    let engine = Engine::new();
    Events { inside, engine: engine.clone(), tasks: tasks.clone() }.listen();
    let (stopping, ending) = (tasks.stopping().clone(), engine.clone());
    tasks.spawn(async move {
        stopping.cancelled().await;
        ending.close().await;
    });
    let requests = Requests { engine, guests: Guests::default(), tasks, names: Arc::clone(&names) };
    let protocol = asked(names).and(handshake()).and(warp::body::stream()).then(
        move |asked: Asked, handshake: Handshake, body| {
            let requests = requests.clone();
            async move {
                let headers = asked.headers.clone();
                let upgrades = asked.query.transport == Some(Transport::WebSocket);
                let answer = if upgrades && asked.method == Method::GET {
                    let upgraded = requests.upgrade(asked, |tasks, names, serve| {
                        handshake.accept(tasks, names, serve)
                    });
                    upgraded.unwrap_or_else(|fault| fault.answer().into_response())
                } else {
                    requests.answer(asked, body).await.into_response()
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

fn asked(
    names: Arc<[HeaderName]>,
) -> impl Filter<Extract = (Asked,), Error = Infallible> + Clone + Send + Sync + 'static {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(query)
        .and(warp::header::headers_cloned())
        .and(peer(names))
        .and(warp::ext::optional::<Origin>())
        .map(|method, raw: String, headers: HeaderMap, peer: Peer, origin| {
            let query = Query::parse(&raw);
            Asked { method, query, headers, peer, origin }
        })
}

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
mod stream;

use super::{cors, door::Door};
use crate::{
    front::{Handshake, Origin, handshake, peer},
    lifecycle::Tasks,
    peer::Peer,
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

/// `/socket.io/`. `names` are the headers that say who a client is. The clients' connections end with
/// `tasks`; they come back by themselves.
pub fn socket_io(door: Door, tasks: Tasks, names: Arc<[HeaderName]>) -> BoxedFilter<(Response,)> {
    let engine = Engine::new();
    Events { door, engine: engine.clone(), tasks: tasks.clone() }.listen();
    let (stopping, ending) = (tasks.stopping().clone(), engine.clone());
    tasks.spawn(async move {
        stopping.cancelled().await;
        ending.close().await;
    });
    let requests = Requests { engine, guests: Guests::default(), tasks, names: Arc::clone(&names) };
    warp::path("socket.io")
        .and(asked(names))
        .and(handshake())
        .and(warp::body::stream())
        .then(move |asked: Asked, handshake: Handshake, body| {
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
        })
        .boxed()
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

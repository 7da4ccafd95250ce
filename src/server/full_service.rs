//! Answers WebSocket requests with 503 while a service accepts no further clients.

use super::{HttpRoutes, text};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{RETRY_AFTER, SEC_WEBSOCKET_KEY},
};
use warp::{Filter, reply::Response};

/// The query of the daemon's probe of itself. It is never rejected here, so that a full service isn't
/// taken for a dead one.
pub const PROBE: &str = "probe";

/// After how many seconds a rejected client may try again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("30");

/// The same routes, except that a WebSocket request receives 503 while `is_full`.
pub fn reject_websockets_while(
    is_full: impl Fn() -> bool + Clone + Send + Sync + 'static,
    routes: HttpRoutes,
) -> HttpRoutes {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let full = warp::header::headers_cloned().and(query).and_then(
        move |headers: HeaderMap, query: String| {
            let rejected = headers.contains_key(SEC_WEBSOCKET_KEY) && query != PROBE && is_full();
            std::future::ready(if rejected {
                Ok(retry_later())
            } else {
                Err(warp::reject::not_found())
            })
        },
    );
    full.or(routes).unify().boxed()
}

fn retry_later() -> Response {
    let mut reply =
        text(StatusCode::SERVICE_UNAVAILABLE, "Connection limit reached, retry later\n");
    reply.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    reply
}

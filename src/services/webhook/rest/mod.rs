//! The REST API of back ends, and private URLs: `specs/webhook-push.md` section 2.

mod handler;
mod query;
mod request_body;
mod response;
mod route;

pub use handler::{PushCounters, RestHandler};
pub use query::single;
pub use route::parameter;

use futures_util::FutureExt;
use http::{HeaderMap, Method};
use route::RestRoute;
use std::sync::Arc;
use warp::{Filter, filters::BoxedFilter, path::Tail, reply::Response};

/// Routes of the REST API; other requests are rejected, so that further routes can follow.
pub fn routes(rest_handler: Arc<RestHandler>) -> BoxedFilter<(Response,)> {
    let call = warp::method().and(warp::path::tail()).and_then(|method: Method, tail: Tail| {
        let call = RestRoute::read(&method, tail.as_str());
        async move { call.ok_or_else(warp::reject::not_found) }
    });
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    call.and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |call: RestRoute, query: String, headers: HeaderMap, body| {
            let rest_handler = Arc::clone(&rest_handler);
            async move {
                let body = request_body::read(&headers, body).await;
                rest_handler.answer(call, &query, &headers, body).await
            }
            .boxed()
        })
        .boxed()
}

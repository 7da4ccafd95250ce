//! The REST API of back ends, and private URLs: `specs/webhook-push.md` section 2.

mod handler;
mod invalid_request;
mod query;
mod request_body;
mod response;
mod route;

pub use handler::{PushCounters, RestHandler, RestRequest};
pub use query::single;
pub use route::parameter;

use super::body_budget::BodyBudget;
use crate::server::RequestOrigin;
use futures_util::FutureExt;
use http::{HeaderMap, Method};
use route::RestRoute;
use std::sync::Arc;
use warp::{Filter, filters::BoxedFilter, path::Tail, reply::Response};

/// Routes of the REST API; other requests are rejected, so that further routes can follow. `budget` bounds
/// the bodies of requests without the token.
pub fn routes(rest_handler: Arc<RestHandler>, budget: BodyBudget) -> BoxedFilter<(Response,)> {
    let route = warp::method().and(warp::path::tail()).and_then(|method: Method, tail: Tail| {
        let route = RestRoute::read(&method, tail.as_str());
        async move { route.ok_or_else(warp::reject::not_found) }
    });
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    route
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<RequestOrigin>())
        .and(warp::body::stream())
        .then(
            move |route, query: String, headers: HeaderMap, origin: Option<RequestOrigin>, body| {
                let (rest_handler, budget) = (Arc::clone(&rest_handler), budget.clone());
                async move {
                    let budget = (!rest_handler.has_token(&headers)).then_some(&budget);
                    let (body, _allowance) = request_body::read(&headers, body, budget).await;
                    let (headers, origin) = (&headers, origin.as_ref());
                    rest_handler
                        .answer(RestRequest { route, query: &query, headers, body, origin })
                        .await
                }
                .boxed()
            },
        )
        .boxed()
}

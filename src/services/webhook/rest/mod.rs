//! The REST side, for back ends and for whoever has a private URL: `specs/webhook-push.md` section 2.

mod answer;
mod call;
mod desk;
mod query;
mod upload;

pub use call::parameter;
pub use desk::{Counts, Desk};
pub use query::single;

use call::Call;
use futures_util::FutureExt;
use http::{HeaderMap, Method};
use std::sync::Arc;
use warp::{Filter, filters::BoxedFilter, path::Tail, reply::Response};

/// What the REST side answers; a request for anything else is rejected, so that others can follow.
pub fn routes(desk: Arc<Desk>) -> BoxedFilter<(Response,)> {
    let call = warp::method().and(warp::path::tail()).and_then(|method: Method, tail: Tail| {
        let call = Call::read(&method, tail.as_str());
        async move { call.ok_or_else(warp::reject::not_found) }
    });
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    call.and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |call: Call, query: String, headers: HeaderMap, body| {
            let desk = Arc::clone(&desk);
            async move {
                let body = upload::read(&headers, body).await;
                desk.answer(call, &query, &headers, body).await
            }
            .boxed()
        })
        .boxed()
}

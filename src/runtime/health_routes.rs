//! `/health/live` and `/health/ready`, as load balancers and containers ask for them.

use crate::{health::HealthRegistry, server::text};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use warp::{
    Filter, Rejection,
    reply::{Reply, Response},
};

/// The paths of the health routes.
pub(super) const HEALTH: &str = "health";
pub(super) const LIVE: &str = "live";
pub(super) const READY: &str = "ready";

/// The public routes: `/health/live` returns 200 while the process answers, `/health/ready` 200 or 503
/// without a reason.
pub fn health(
    health: HealthRegistry,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let ready = move || match health.is_ready() {
        true => text(StatusCode::OK, "ready\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    };
    let ready = warp::path(READY)
        .and(warp::path::end())
        .and(warp::method())
        .map(move |method: Method| answer(&method, &ready));
    warp::path(HEALTH).and(live().or(ready).unify())
}

/// `/health/live`: the process runs and answers.
pub(super) fn live()
-> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path(LIVE)
        .and(warp::path::end())
        .and(warp::method())
        .map(|method: Method| answer(&method, || text(StatusCode::OK, "live\n")))
}

/// The report on each dependency as JSON, with causes only if `with_causes`.
pub(super) fn report(health: &HealthRegistry, method: &Method, with_causes: bool) -> Response {
    answer(method, || {
        let report = health.report(with_causes);
        let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        // Strings, numbers and booleans always serialize.
        let body = serde_json::to_string(&report).unwrap_or_default() + "\n";
        let mut response = warp::reply::with_status(body, status).into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    })
}

fn answer(method: &Method, respond: impl FnOnce() -> Response) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let mut response = respond();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The answers to requests that no route takes: a status and a few words, nothing internal.

use http::{HeaderValue, StatusCode, header::ALLOW};
use std::convert::Infallible;
use warp::{
    Filter, Rejection,
    filters::BoxedFilter,
    reject,
    reply::{Reply, Response},
};

/// The routes of one listener.
pub type HttpRoutes = BoxedFilter<(Response,)>;

/// Makes the routes of a listener from a filter; rejections are answered as plain text.
pub fn routes<F, R>(filter: F) -> HttpRoutes
where
    F: Filter<Extract = (R,), Error = Rejection> + Clone + Send + Sync + 'static,
    R: Reply + 'static,
{
    filter.map(Reply::into_response).recover(render_rejection).unify().boxed()
}

/// A plain text response.
pub fn text(status: StatusCode, text: &'static str) -> Response {
    warp::reply::with_status(text, status).into_response()
}

async fn render_rejection(rejection: Rejection) -> Result<Response, Infallible> {
    let (status, words) = status_for(&rejection);
    if status.is_server_error() {
        tracing::warn!("unexpected rejection of a request");
        tracing::debug!(?rejection, "unexpected rejection");
    }
    Ok(text(status, words))
}

fn status_for(rejection: &Rejection) -> (StatusCode, &'static str) {
    if rejection.is_not_found() {
        (StatusCode::NOT_FOUND, "Not found\n")
    } else if rejection.find::<reject::MethodNotAllowed>().is_some() {
        (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n")
    } else if rejection.find::<reject::PayloadTooLarge>().is_some() {
        (StatusCode::PAYLOAD_TOO_LARGE, "Payload too large\n")
    } else if rejection.find::<reject::LengthRequired>().is_some() {
        (StatusCode::LENGTH_REQUIRED, "Length required\n")
    } else if rejection.find::<reject::UnsupportedMediaType>().is_some() {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type\n")
    } else if is_clients_fault(rejection) {
        (StatusCode::BAD_REQUEST, "Bad request\n")
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, "Internal error\n")
    }
}

fn is_clients_fault(rejection: &Rejection) -> bool {
    rejection.find::<reject::MissingHeader>().is_some()
        || rejection.find::<reject::InvalidHeader>().is_some()
        || rejection.find::<reject::InvalidQuery>().is_some()
        || rejection.find::<warp::body::BodyDeserializeError>().is_some()
}

/// A 405 response with the allowed methods.
pub fn method_not_allowed(allowed: &'static str) -> Response {
    let reply = text(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n");
    warp::reply::with_header(reply, ALLOW, HeaderValue::from_static(allowed)).into_response()
}

//! CORS headers: scripts of every origin may read answers, as with the original. Access depends on
//! the connection id, never on a cookie (`specs/webhook-push.md` section 3).

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, ORIGIN, VARY,
    },
};

/// Permits the request's origin to read the response and forbids caching.
pub fn allow<B>(mut answer: Response<B>, request: &HeaderMap) -> Response<B> {
    let headers = answer.headers_mut();
    match request.get(ORIGIN) {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        None => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// Lets scripts of every origin read the response to a call of a private URL. The URL is the only
/// credential, so no origin is named and no cookie is allowed.
pub fn allow_any<B>(mut answer: Response<B>) -> Response<B> {
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

/// Answers a browser's preflight of a call of a private URL.
pub fn preflight(request: &HeaderMap) -> warp::reply::Response {
    let mut answer = allow_any(Response::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    let allowed = "Content-Type, X-Hook-Timestamp, X-Hook-Signature";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    if request.contains_key(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::allow;
    use http::{HeaderMap, HeaderValue, Response};

    #[test]
    fn every_origin_may_read_and_is_named() {
        let mut request = HeaderMap::new();
        let answer = allow(Response::new(()), &request);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        request.insert("origin", HeaderValue::from_static("https://app.example"));
        let answer = allow(Response::new(()), &request);
        assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
        assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
        assert_eq!(answer.headers()["vary"], "Origin");
    }
}

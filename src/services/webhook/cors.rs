//! CORS headers: scripts of every origin may read answers, as with the original. Access depends on
//! the connection id, never on a cookie (`specs/webhook-push.md` section 3).

use http::{
    HeaderMap, HeaderValue, Response,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ORIGIN, VARY,
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

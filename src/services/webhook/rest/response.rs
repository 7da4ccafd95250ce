//! Responses with the original's statuses, texts and types.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER},
};
use sha1::{Digest, Sha1};
use std::time::Duration;
use warp::reply::{Reply, Response};

/// The original's type for JSON.
pub const JSON: &str = "application/json; charset=utf-8";
/// The type of errors.
const TEXT: &str = "text/plain; charset=utf-8";
/// The original's type for `pong`.
pub const HTML: &str = "text/html; charset=utf-8";

/// A response without body and with `Content-Length: 0`.
pub fn empty(status: StatusCode) -> Response {
    let mut answer = Response::default();
    *answer.status_mut() = status;
    answer
}

/// The status text as plain text, such as `Bad Request`.
pub fn message(status: StatusCode) -> Response {
    crate::server::text(status, status.canonical_reason().unwrap_or_default())
}

/// Plain text that explains the status.
pub fn explained(status: StatusCode, text: String) -> Response {
    with_type(status, TEXT, text)
}

/// A 503 that says when to retry, in whole seconds.
pub fn retry(after: Duration) -> Response {
    let mut answer = message(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

/// JSON that must not be cached.
pub fn private(status: StatusCode, json: &serde_json::Value) -> Response {
    let mut answer = with_type(status, JSON, json.to_string());
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A constant with an ETag; 304 if the client has it.
pub fn lasting(headers: &HeaderMap, kind: &'static str, body: &'static str) -> Response {
    let tag = tag(body);
    let mut answer = match has(headers, &tag) {
        true => empty(StatusCode::NOT_MODIFIED),
        false => with_type(StatusCode::OK, kind, body),
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn with_type(status: StatusCode, kind: &'static str, body: impl Reply) -> Response {
    let mut answer = body.into_response();
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// A weak ETag as Express creates it: length and SHA-1.
fn tag(body: &str) -> String {
    let digest = STANDARD_NO_PAD.encode(Sha1::digest(body.as_bytes()));
    format!("W/\"{:x}-{digest}\"", body.len())
}

/// Weak comparison of RFC 9110 section 13.1.2.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || bare(known) == bare(tag))
}

#[cfg(test)]
mod tests {
    use super::{HTML, HeaderMap, StatusCode, lasting, tag};
    use http::header::{ETAG, IF_NONE_MATCH};

    #[test]
    fn a_matching_etag_is_answered_304() {
        assert_eq!(tag("pong"), "W/\"4-DlFKBmK8tp3IY5U9HOJuPUDoGoc\"");
        let ask = |known: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(known) = known {
                headers.insert(IF_NONE_MATCH, known.parse().unwrap());
            }
            let answer = lasting(&headers, HTML, "pong");
            assert_eq!(answer.headers()[ETAG], tag("pong"));
            answer.status()
        };
        assert_eq!(ask(None), StatusCode::OK);
        for known in [
            &*tag("pong"),
            tag("pong").trim_start_matches("W/"),
            "*",
            &format!("\"x\", {}", tag("pong")),
        ] {
            assert_eq!(ask(Some(known)), StatusCode::NOT_MODIFIED, "{known}");
        }
        assert_eq!(ask(Some("\"4-x\"")), StatusCode::OK);
    }
}

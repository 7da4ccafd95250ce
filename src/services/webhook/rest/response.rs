//! The answers: statuses, texts and types as the original has them.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use sha1::{Digest, Sha1};
use warp::reply::{Reply, Response};

/// What the original calls JSON.
pub const JSON: &str = "application/json; charset=utf-8";
/// And HTML, which it says `pong` in.
pub const HTML: &str = "text/html; charset=utf-8";

/// No body: `Content-Length: 0`.
pub fn empty(status: StatusCode) -> Response {
    let mut answer = Response::default();
    *answer.status_mut() = status;
    answer
}

/// The status' name as plain text: `Bad Request`.
pub fn words(status: StatusCode) -> Response {
    crate::server::text(status, status.canonical_reason().unwrap_or_default())
}

/// JSON that nobody else may keep.
pub fn private(status: StatusCode, json: &serde_json::Value) -> Response {
    let mut answer = with_type(status, JSON, json.to_string());
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What a client may already have: 304 then.
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

/// Weak, as Express makes it: length and SHA-1.
fn tag(body: &str) -> String {
    let digest = STANDARD_NO_PAD.encode(Sha1::digest(body.as_bytes()));
    format!("W/\"{:x}-{digest}\"", body.len())
}

/// RFC 9110 section 13.1.2, compared weakly.
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
    fn who_has_it_hears_only_that() {
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

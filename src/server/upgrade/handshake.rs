//! The opening handshake: RFC 6455 sections 4.2.1 and 4.2.2.

use crate::server::reply;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
};
use sha1::{Digest, Sha1};
use warp::reply::Response;

/// RFC 6455 section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that becomes a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HandshakeAccept {
    /// The value of `Sec-WebSocket-Accept`.
    token: String,
}

/// Why a request doesn't become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandshakeRejection {
    /// The method isn't GET.
    Method,
    /// No upgrade requested: a browser, a probe, a proxy that drops the headers.
    NoUpgrade,
    /// The protocol's version isn't 13.
    Version,
    /// Any other violation.
    Malformed,
}

/// Checks a request's headers.
pub(super) fn check(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<HandshakeAccept, HandshakeRejection> {
    if method != Method::GET {
        return Err(HandshakeRejection::Method);
    }
    if version != Version::HTTP_11
        || !has_token(headers, UPGRADE, "websocket")
        || !has_token(headers, CONNECTION, "upgrade")
    {
        return Err(HandshakeRejection::NoUpgrade);
    }
    if single(headers, SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(HandshakeRejection::Version);
    }
    // A body would be read as the first frames.
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if !headers.contains_key(HOST) || has_body {
        return Err(HandshakeRejection::Malformed);
    }
    let key = single(headers, SEC_WEBSOCKET_KEY).ok_or(HandshakeRejection::Malformed)?;
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(HandshakeAccept { token: token(key) }),
        _ => Err(HandshakeRejection::Malformed),
    }
}

/// RFC 6455 section 4.2.2 point 5.4.
fn token(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether a list of tokens contains this one, ignoring case.
fn has_token(headers: &HeaderMap, name: http::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

/// The value of a header that may occur only once.
fn single(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

/// The first subprotocol that is offered; one that is no token is none (RFC 6455 section 4.1).
pub(super) fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = offered.split(',').next()?.trim();
    let token = |c: char| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c);
    let fine = !first.is_empty() && first.chars().all(token);
    fine.then(|| HeaderValue::from_str(first).ok()).flatten()
}

impl HandshakeAccept {
    pub(super) fn reply(self, protocol: Option<HeaderValue>) -> Response {
        let mut reply = reply::text(StatusCode::SWITCHING_PROTOCOLS, "");
        let headers = reply.headers_mut();
        headers.clear();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        if let Ok(token) = HeaderValue::try_from(self.token) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, token);
        }
        if let Some(protocol) = protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        reply
    }
}

impl HandshakeRejection {
    pub(super) fn reply(self) -> Response {
        let (status, words) = match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n"),
            Self::NoUpgrade => (
                StatusCode::UPGRADE_REQUIRED,
                "This is a WebSocket endpoint. If a WebSocket client gets this answer, \
                 a proxy in between does not pass the upgrade on.\n",
            ),
            Self::Version => {
                (StatusCode::UPGRADE_REQUIRED, "Only WebSocket version 13 is spoken here\n")
            }
            Self::Malformed => (StatusCode::BAD_REQUEST, "Malformed WebSocket handshake\n"),
        };
        let mut reply = reply::text(status, words);
        let headers = reply.headers_mut();
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            // RFC 9110 section 15.5.22: 426 names the required protocol.
            Self::NoUpgrade | Self::Version => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::Malformed => {}
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::{HandshakeRejection, HeaderMap, Method, StatusCode, Version, check, protocol};
    use http::{HeaderName, HeaderValue};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(changes: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let usual = [
            ("host", "push.example"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", KEY),
            ("sec-websocket-version", "13"),
        ];
        for (name, value) in usual.into_iter().chain(changes.iter().copied()) {
            let name = HeaderName::from_static(name);
            if value.is_empty() {
                headers.remove(name);
            } else {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }

    fn refusal(changes: &[(&'static str, &'static str)]) -> Option<HandshakeRejection> {
        check(&Method::GET, Version::HTTP_11, &request(changes)).err()
    }

    #[test]
    fn section_4_2_2_the_example_key_is_answered() {
        let accept = check(&Method::GET, Version::HTTP_11, &request(&[])).unwrap();
        assert_eq!(accept.token, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let reply = accept.reply(None);
        assert_eq!(reply.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(reply.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn section_4_2_2_a_subprotocol_that_is_agreed_to_is_the_first_offered() {
        let offered = |text| protocol(&request(&[("sec-websocket-protocol", text)]));
        assert_eq!(offered(""), None);
        assert_eq!(offered("chat, superchat").unwrap(), "chat");
        assert_eq!(offered(" , chat"), None);
        assert_eq!(offered("a b"), None);
        let accept = check(&Method::GET, Version::HTTP_11, &request(&[])).unwrap();
        assert_eq!(accept.reply(offered("chat")).headers()["sec-websocket-protocol"], "chat");
    }

    #[test]
    fn section_4_2_1_tokens_stand_in_lists_and_in_any_case() {
        let changes = [("connection", "keep-alive, UPGRADE"), ("upgrade", "h2c, WebSocket")];
        assert_eq!(refusal(&changes), None);
        assert_eq!(refusal(&[("upgrade", "websockets")]), Some(HandshakeRejection::NoUpgrade));
    }

    #[test]
    fn section_4_2_1_a_request_without_upgrade_gets_426() {
        for missing in ["upgrade", "connection"] {
            assert_eq!(refusal(&[(missing, "")]), Some(HandshakeRejection::NoUpgrade));
        }
        let old = check(&Method::GET, Version::HTTP_10, &request(&[]));
        assert_eq!(old, Err(HandshakeRejection::NoUpgrade));
        assert_eq!(HandshakeRejection::NoUpgrade.reply().status(), StatusCode::UPGRADE_REQUIRED);
    }

    #[test]
    fn section_4_2_1_only_get() {
        let post = check(&Method::POST, Version::HTTP_11, &request(&[]));
        assert_eq!(post, Err(HandshakeRejection::Method));
        assert_eq!(HandshakeRejection::Method.reply().headers()["allow"], "GET");
    }

    #[test]
    fn section_4_2_1_the_key_is_16_bytes_in_base64() {
        for key in ["", "c2hvcnQ=", "not base64!", "dGhlIHNhbXBsZSBub25jZSB0aGF0IGlzIGxvbmc="] {
            assert_eq!(refusal(&[("sec-websocket-key", key)]), Some(HandshakeRejection::Malformed));
        }
    }

    #[test]
    fn section_4_2_1_host_is_needed_and_a_body_is_not() {
        assert_eq!(refusal(&[("host", "")]), Some(HandshakeRejection::Malformed));
        assert_eq!(refusal(&[("content-length", "5")]), Some(HandshakeRejection::Malformed));
        assert_eq!(refusal(&[("content-length", "0")]), None);
        assert_eq!(
            refusal(&[("transfer-encoding", "chunked")]),
            Some(HandshakeRejection::Malformed)
        );
    }

    #[test]
    fn section_4_4_another_version_hears_which_one_is_spoken() {
        for version in ["", "8", "14", "13, 8"] {
            assert_eq!(
                refusal(&[("sec-websocket-version", version)]),
                Some(HandshakeRejection::Version)
            );
        }
        let reply = HandshakeRejection::Version.reply();
        assert_eq!(reply.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(reply.headers()["sec-websocket-version"], "13");
    }
}

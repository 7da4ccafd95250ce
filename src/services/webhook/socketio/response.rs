//! Responses of the Socket.IO routes: cookie, JSONP, and errors in the original's message
//! (`specs/webhook-push.md` section 3).

use super::{
    jsonp,
    query::{EngineGeneration, EngineQuery},
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, CONTENT_TYPE, SET_COOKIE,
    },
};
use serde::Deserialize;

/// Error of a request, as clients read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketIoError {
    /// An unknown transport.
    Transport,
    /// An unknown or closed session.
    Session,
    /// A new session without GET.
    Method,
    /// Any other invalid request.
    Request,
    /// The maximum of clients is reached.
    Full,
}

impl SocketIoError {
    fn code_and_message(self) -> (u8, &'static str) {
        match self {
            Self::Transport => (0, "Transport unknown"),
            Self::Session => (1, "Session ID unknown"),
            Self::Method => (2, "Bad handshake method"),
            Self::Request => (3, "Bad request"),
            Self::Full => (4, "Forbidden"),
        }
    }

    /// Translates the library's error responses, which have strings as codes or no body.
    pub fn of(status: StatusCode, body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct EngineErrorBody<'a> {
            code: &'a str,
        }
        if status.is_success() {
            return None;
        }
        let error_body = serde_json::from_slice::<EngineErrorBody<'_>>(body).ok();
        Some(match error_body.map(|error_body| error_body.code) {
            Some("0") => Self::Transport,
            Some("1") => Self::Session,
            Some("2") => Self::Method,
            _ => Self::Request,
        })
    }

    /// The HTTP response of the error.
    pub fn answer(self) -> Response<Bytes> {
        let (code, message) = self.code_and_message();
        let mut answer =
            Response::new(Bytes::from(format!(r#"{{"code":{code},"message":"{message}"}}"#)));
        *answer.status_mut() = match self {
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(CONTENT_TYPE, json);
        answer
    }
}

/// Session id in the response to a handshake.
pub fn opened(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct HandshakePacket {
        sid: String,
    }
    let json = body.get(body.iter().position(|byte| *byte == b'{')?..)?;
    serde_json::from_slice::<HandshakePacket>(json).ok().map(|open| open.sid)
}

/// Sets the cookie with which proxies route a session to one replica.
pub fn cookie(answer: &mut Response<Bytes>, sid: &str) {
    if let Ok(value) = HeaderValue::try_from(format!("io={sid}; Path=/; HttpOnly")) {
        answer.headers_mut().insert(SET_COOKIE, value);
    }
}

/// Wraps a response for a JSONP client. Responses to posted forms go to an invisible frame.
pub fn wrap_jsonp(answer: Response<Bytes>, query: &EngineQuery, posted: bool) -> Response<Bytes> {
    let Some(callback) = query.callback else { return answer };
    if !answer.status().is_success() {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let (kind, body) = if posted {
        ("text/html; charset=UTF-8", body)
    } else {
        let script = jsonp::script(callback, &String::from_utf8_lossy(&body));
        ("text/javascript; charset=UTF-8", Bytes::from(script))
    };
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let no_sniff = HeaderName::from_static("x-content-type-options");
    parts.headers.insert(no_sniff, HeaderValue::from_static("nosniff"));
    Response::from_parts(parts, body)
}

/// Response to a CORS preflight.
pub fn preflight() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    answer
}

/// Payload with the packet that ends a session.
pub fn close_packet(generation: EngineGeneration) -> &'static str {
    match generation {
        EngineGeneration::Third => "1:1",
        EngineGeneration::Fourth => "1",
    }
}

#[cfg(test)]
mod tests {
    use super::{SocketIoError, cookie, opened, wrap_jsonp};
    use crate::services::webhook::socketio::query::EngineQuery;
    use bytes::Bytes;
    use http::{Response, StatusCode};

    #[test]
    fn errors_are_worded_like_the_originals() {
        let body = br#"{"code":"1","message":"Session ID unknown"}"#;
        let fault = SocketIoError::of(StatusCode::BAD_REQUEST, body).unwrap();
        assert_eq!(fault.answer().body(), r#"{"code":1,"message":"Session ID unknown"}"#);
        for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE] {
            assert_eq!(SocketIoError::of(status, b""), Some(SocketIoError::Request));
        }
        assert_eq!(SocketIoError::of(StatusCode::OK, b""), None);
    }

    #[test]
    fn a_handshake_names_its_session_in_either_generation() {
        for body in [r#"27:0{"sid":"ab-_9","upgrades":[]}"#, r#"0{"sid":"ab-_9","upgrades":[]}"#] {
            assert_eq!(opened(body.as_bytes()).as_deref(), Some("ab-_9"));
        }
        assert_eq!(opened(b"ok"), None);
        let mut answer = Response::new(Bytes::new());
        cookie(&mut answer, "ab-_9");
        assert_eq!(answer.headers()["set-cookie"], "io=ab-_9; Path=/; HttpOnly");
    }

    #[test]
    fn only_successful_responses_to_jsonp_requests_become_scripts() {
        let plain = || Response::new(Bytes::from_static(b"2:40"));
        let query = |raw| EngineQuery::parse(raw);
        assert_eq!(wrap_jsonp(plain(), &query(""), false).body(), "2:40");
        assert_eq!(wrap_jsonp(plain(), &query("j=0"), false).body(), "___eio[0](\"2:40\");");
        assert_eq!(wrap_jsonp(plain(), &query("j=0"), true).body(), "2:40");
        let fault = wrap_jsonp(SocketIoError::Session.answer(), &query("j=0"), false);
        assert!(fault.body().starts_with(b"{"));
    }
}

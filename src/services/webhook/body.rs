//! The body of a push: JSON or a form, with the message in it (`specs/webhook-push.md` section 2).

use super::{form, message_value::MessageValue};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Maximum length of a body in bytes: the original's `100kb`.
pub const MAX_BODY: usize = 100 * 1024;

/// Why a body can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageBodyError {
    /// Not valid JSON, or not an object or array.
    #[error("malformed body")]
    Malformed,
    /// Longer than [`MAX_BODY`], or with more parameters than the parser accepts.
    #[error("body too large")]
    TooLarge,
    /// The memory for bodies of unauthenticated callers is used up.
    #[error("busy")]
    Busy,
    /// Compressed, or in another character set than UTF-8.
    #[error("unsupported encoding")]
    Encoding,
}

/// The message of a body. None if it is absent or falsy, which the original doesn't distinguish, or
/// if the body has another type.
pub fn message(headers: &HeaderMap, body: &[u8]) -> Result<Option<MessageValue>, MessageBodyError> {
    let kind = MessageBodyKind::of(headers);
    if body.is_empty() || kind == MessageBodyKind::Other {
        return Ok(None);
    }
    let encoding = headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
        || kind == MessageBodyKind::Foreign
    {
        return Err(MessageBodyError::Encoding);
    }
    let message = match kind {
        MessageBodyKind::Form => {
            form::value_of(body, "message").map_err(|_| MessageBodyError::TooLarge)?
        }
        _ => {
            serde_json::from_slice::<JsonMessage>(body).map_err(|_| MessageBodyError::Malformed)?.0
        }
    };
    Ok(message.filter(MessageValue::is_truthy))
}

/// Whether a request's type is one that can carry a message.
pub fn has_known_type(headers: &HeaderMap) -> bool {
    MessageBodyKind::of(headers) != MessageBodyKind::Other
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageBodyKind {
    Json,
    Form,
    /// JSON or form in another charset than UTF-8.
    Foreign,
    Other,
}

impl MessageBodyKind {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mut parts = value.unwrap_or_default().split(';').map(str::trim);
        let kind = match parts.next().map(str::to_ascii_lowercase).as_deref() {
            Some("application/json") => Self::Json,
            Some("application/x-www-form-urlencoded") => Self::Form,
            _ => return Self::Other,
        };
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
        match charset {
            Some(charset) if !is_utf8(charset) => Self::Foreign,
            _ => kind,
        }
    }
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// A JSON object or array; only its message matters. Of duplicate keys the last counts.
struct JsonMessage(Option<MessageValue>);

impl<'de> Deserialize<'de> for JsonMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonMessageVisitor)
    }
}

struct JsonMessageVisitor;

impl<'de> Visitor<'de> for JsonMessageVisitor {
    type Value = JsonMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonMessage, A::Error> {
        let mut message = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "message" {
                message = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(JsonMessage(message))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonMessage, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonMessage(None))
    }
}

#[cfg(test)]
mod tests {
    use super::{MessageBodyError, message};
    use http::{HeaderMap, header};

    fn read(kind: &str, body: &str) -> Result<Option<String>, MessageBodyError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        message(&headers, body.as_bytes()).map(|value| value.map(|v| v.as_str().to_owned()))
    }

    const JSON: &str = "application/json";

    #[test]
    fn the_message_of_each_kind_of_body() {
        let value = |text: &str| Ok(Some(text.to_owned()));
        for (kind, body, expected) in [
            (JSON, r#"{"message":{"title":"Hello!"}}"#, value(r#"{"title":"Hello!"}"#)),
            ("Application/JSON; charset=UTF-8", r#"{"message":"x"}"#, value(r#""x""#)),
            (JSON, r#"{"message":0}"#, Ok(None)),
            (JSON, r#"{"message":null}"#, Ok(None)),
            (JSON, r#"{"message":1,"message":""}"#, Ok(None)),
            (JSON, r#"{"a":[1,{"b":2}],"m\u0065ssage":true}"#, value("true")),
            (JSON, "{}", Ok(None)),
            (JSON, "", Ok(None)),
            (JSON, r#"[{"message":1}]"#, Ok(None)),
            (JSON, r#""message""#, Err(MessageBodyError::Malformed)),
            (JSON, "1", Err(MessageBodyError::Malformed)),
            (JSON, r#"{"message":1"#, Err(MessageBodyError::Malformed)),
            (JSON, r#"{"message":1}x"#, Err(MessageBodyError::Malformed)),
            (JSON, "\u{feff}{}", Err(MessageBodyError::Malformed)),
            ("application/json;charset=latin1", "{}", Err(MessageBodyError::Encoding)),
            ("application/x-www-form-urlencoded", "message[a]=1", value(r#"{"a":"1"}"#)),
            ("application/x-www-form-urlencoded", "message=", Ok(None)),
            ("text/plain", r#"{"message":1}"#, Ok(None)),
            ("application/vnd.api+json", r#"{"message":1}"#, Ok(None)),
        ] {
            assert_eq!(read(kind, body), expected, "{kind} {body}");
        }
    }

    #[test]
    fn a_body_without_content_type_has_no_message() {
        assert_eq!(message(&HeaderMap::new(), br#"{"message":1}"#), Ok(None));
    }

    #[test]
    fn compressed_bodies_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, JSON.parse().unwrap());
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(message(&headers, b"\x1f\x8b"), Err(MessageBodyError::Encoding));
    }

    #[test]
    fn deep_nesting_is_cheap() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert!(read(JSON, &format!(r#"{{"message":{deep}}}"#)) == Ok(Some(deep)));
    }
}

//! The value of a message: JSON, kept byte by byte.

use super::message_id::MessageId;
use crate::websocket::frame::Frame;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;

/// A JSON value as sent: large numbers, key order and escapes are unchanged. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MessageValue(Arc<RawValue>);

impl MessageValue {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether JavaScript considers it true; the original forwards nothing else
    /// (`specs/webhook-push.md` section 2). Numbers are compared as doubles.
    pub fn is_truthy(&self) -> bool {
        match self.as_str() {
            "null" | "false" | "\"\"" => false,
            text if text.starts_with(['-', '0']) => {
                text.parse::<f64>().is_ok_and(|number| number != 0.0)
            }
            text if text.starts_with(|first: char| first.is_ascii_digit()) => {
                text.parse::<f64>().is_ok_and(|number| number != 0.0)
            }
            _ => true,
        }
    }

    /// The message as delivered: `{"id":"…","message":…}`.
    pub fn frame(&self, id: MessageId) -> Frame {
        Frame::text(&format!(r#"{{"id":"{id}","message":{}}}"#, self.as_str()))
    }

    /// A JSON string of this text.
    pub fn text(text: &str) -> Self {
        Self::of(&text)
    }

    /// Serializes any value.
    pub fn of(value: &impl Serialize) -> Self {
        let raw = serde_json::value::to_raw_value(value);
        Self(raw.map_or_else(|_| RawValue::NULL.to_owned().into(), Into::into))
    }
}

impl PartialEq for MessageValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<'de> Deserialize<'de> for MessageValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

impl Serialize for MessageValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::{MessageId, MessageValue};
    use crate::websocket::frame::Frame;

    fn value(text: &str) -> MessageValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn truth_is_javascripts() {
        for text in ["0", "-0", "0.0", "0e5", "-0.0e-3", "1e-400", r#""""#, "false", "null"] {
            assert!(!value(text).is_truthy(), "{text}");
        }
        for text in
            ["1", "-1", "0.5", "5e-324", "1e999", r#""0""#, r#"" ""#, "true", "[]", "{}", "[0]"]
        {
            assert!(value(text).is_truthy(), "{text}");
        }
    }

    #[test]
    fn a_value_is_unchanged() {
        let text = r#"{"b":12345678901234567890123,"a":1.10,"e":"\u00e9☃","z":{ "y":[] }}"#;
        let frame = value(text).frame(MessageId(7));
        assert_eq!(frame, Frame::text(&format!(r#"{{"id":"7","message":{text}}}"#)));
    }
}

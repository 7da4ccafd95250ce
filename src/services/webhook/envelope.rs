//! Parses a delivered message ([`super::message_value::MessageValue::frame`]) for transports with
//! another format.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The two fields of a message.
#[derive(Deserialize)]
pub struct MessageEnvelope<'a> {
    /// Id of the message.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The pushed value, byte by byte.
    #[serde(borrow)]
    pub message: &'a RawValue,
}

impl<'a> MessageEnvelope<'a> {
    /// Parses a text. None for other texts, such as the greeting.
    pub fn read(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::MessageEnvelope;
    use crate::services::webhook::{message_id::MessageId, message_value::MessageValue};

    #[test]
    fn a_delivered_message_is_parsed_byte_by_byte() {
        let value: MessageValue = serde_json::from_str(r#"{"b": 1.50, "a":"\u00e9é"}"#).unwrap();
        let text = value.frame(MessageId(7)).payload();
        let MessageEnvelope { id, message } = MessageEnvelope::read(&text).unwrap();
        assert_eq!((&*id, message.get()), ("7", r#"{"b": 1.50, "a":"\u00e9é"}"#));
        assert!(MessageEnvelope::read(br#"{"registered":true}"#).is_none());
    }
}

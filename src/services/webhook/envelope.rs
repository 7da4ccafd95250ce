//! A message as sessions are sent it ([`super::message_value::MessageValue::frame`]), taken apart again for clients
//! that are told it in another way.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The two parts of a message.
#[derive(Deserialize)]
pub struct MessageEnvelope<'a> {
    /// Its id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What was pushed, letter by letter.
    #[serde(borrow)]
    pub message: &'a RawValue,
}

impl<'a> MessageEnvelope<'a> {
    /// Reads a text; what else sessions are sent, such as a welcome, is none.
    pub fn read(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::MessageEnvelope;
    use crate::services::webhook::{message_id::MessageId, message_value::MessageValue};

    #[test]
    fn what_was_packed_is_unpacked_letter_by_letter() {
        let value: MessageValue = serde_json::from_str(r#"{"b": 1.50, "a":"\u00e9é"}"#).unwrap();
        let text = value.frame(MessageId(7)).payload();
        let MessageEnvelope { id, message } = MessageEnvelope::read(&text).unwrap();
        assert_eq!((&*id, message.get()), ("7", r#"{"b": 1.50, "a":"\u00e9é"}"#));
        assert!(MessageEnvelope::read(br#"{"registered":true}"#).is_none());
    }
}

//! A message as sessions are sent it ([`super::value::Value::frame`]), taken apart again for clients
//! that are told it in another way.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The two parts of a message.
#[derive(Deserialize)]
pub struct Envelope<'a> {
    /// Its id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What was pushed, letter by letter.
    #[serde(borrow)]
    pub message: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// Reads a text; what else sessions are sent, such as a welcome, is none.
    pub fn read(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Envelope;
    use crate::services::webhook::{id::MessageId, value::Value};

    #[test]
    fn what_was_packed_is_unpacked_letter_by_letter() {
        let value: Value = serde_json::from_str(r#"{"b": 1.50, "a":"\u00e9é"}"#).unwrap();
        let text = value.frame(MessageId(7)).payload();
        let Envelope { id, message } = Envelope::read(&text).unwrap();
        assert_eq!((&*id, message.get()), ("7", r#"{"b": 1.50, "a":"\u00e9é"}"#));
        assert!(Envelope::read(br#"{"registered":true}"#).is_none());
    }
}

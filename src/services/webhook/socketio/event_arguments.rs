//! Arguments of an event, which clients may choose freely.

use crate::services::webhook::{message_id::MessageId, registration_key::RegistrationKey};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::Value;
use std::fmt;

/// Number of arguments that are read.
const ARGUMENTS: usize = 3;

/// The first arguments of an event, of any type.
pub struct RawArguments(pub Vec<Value>);

impl<'de> Deserialize<'de> for RawArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(ARGUMENTS, RawArgumentsVisitor)
    }
}

struct RawArgumentsVisitor;

impl<'de> Visitor<'de> for RawArgumentsVisitor {
    type Value = RawArguments;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<RawArguments, A::Error> {
        let mut first = Vec::with_capacity(ARGUMENTS);
        while first.len() < ARGUMENTS {
            match all.next_element()? {
                Some(argument) => first.push(argument),
                None => return Ok(RawArguments(first)),
            }
        }
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawArguments(first))
    }
}

/// The parsed arguments of an event.
#[derive(Debug, Default, PartialEq)]
pub struct EventArguments {
    /// The pair, if both names are valid.
    pub claim: Option<RegistrationKey>,
    /// The third argument, null if absent.
    pub options: Value,
}

/// A `since` that isn't a message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a message")]
pub struct InvalidSinceId;

impl EventArguments {
    /// Parses the arguments of an event.
    pub fn read(arguments: Vec<Value>) -> Self {
        let mut arguments = arguments.into_iter();
        let mut name = || match arguments.next() {
            Some(Value::String(name)) => Some(name),
            _ => None,
        };
        let names = (name(), name());
        let claim = names
            .0
            .zip(names.1)
            .and_then(|(user, connection)| RegistrationKey::new(user, connection));
        Self { claim, options: arguments.next().unwrap_or_default() }
    }

    /// `ids`: whether each message is followed by its id as a second argument.
    pub fn wants_ids(&self) -> bool {
        self.options["ids"] == true
    }

    /// `since`: the last message that the client has received.
    ///
    /// # Errors
    /// When it isn't a message id.
    pub fn since(&self) -> Result<Option<MessageId>, InvalidSinceId> {
        match &self.options["since"] {
            Value::Null => Ok(None),
            Value::String(id) => id.parse().map(Some).map_err(|_| InvalidSinceId),
            _ => Err(InvalidSinceId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EventArguments, InvalidSinceId, MessageId, RawArguments, RegistrationKey};
    use serde_json::json;

    fn event_arguments(arguments: serde_json::Value) -> EventArguments {
        EventArguments::read(serde_json::from_value::<RawArguments>(arguments).unwrap().0)
    }

    #[test]
    fn a_pair_is_two_strings_and_any_further_arguments() {
        let expected = RegistrationKey::new("u", "c");
        for more in [json!(["u", "c"]), json!(["u", "c", null]), json!(["u", "c", {}, 4, [5]])] {
            let event_arguments = event_arguments(more);
            assert_eq!(
                (&event_arguments.claim, event_arguments.wants_ids(), event_arguments.since()),
                (&expected, false, Ok(None))
            );
        }
        let options = event_arguments(json!(["u", "c", { "ids": true, "since": "17" }]));
        assert!(options.wants_ids());
        assert_eq!(options.since(), Ok(Some(MessageId(17))));
        assert_eq!(
            event_arguments(json!(["u", "c", { "since": 17 }])).since(),
            Err(InvalidSinceId)
        );
    }

    #[test]
    fn other_arguments_are_no_pair() {
        for bad in [
            json!([]),
            json!(["u"]),
            json!([1, 2]),
            json!(["u", 2]),
            json!([["u"], "c"]),
            json!(["", "c"]),
            json!([{}, null]),
            json!(["u", "x".repeat(300)]),
        ] {
            assert_eq!(event_arguments(bad).claim, None);
        }
        assert_eq!(
            event_arguments(json!(["__proto__", "c"])).claim,
            RegistrationKey::new("__proto__", "c")
        );
    }
}

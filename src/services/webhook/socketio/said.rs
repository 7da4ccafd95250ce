//! The arguments of an event: whatever a client gives, and what is understood of it.

use crate::services::webhook::{claim::Claim, id::MessageId};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::Value;
use std::fmt;

/// Arguments of an event that are looked at.
const ARGUMENTS: usize = 3;

/// The first arguments of an event, whatever they are.
pub struct Arguments(pub Vec<Value>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(ARGUMENTS, FirstOnes)
    }
}

struct FirstOnes;

impl<'de> Visitor<'de> for FirstOnes {
    type Value = Arguments;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Arguments, A::Error> {
        let mut first = Vec::with_capacity(ARGUMENTS);
        while first.len() < ARGUMENTS {
            match all.next_element()? {
                Some(argument) => first.push(argument),
                None => return Ok(Arguments(first)),
            }
        }
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Arguments(first))
    }
}

/// What an event says: a pair and what is wanted.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    /// The pair, if it can be one.
    pub claim: Option<Claim>,
    /// The third argument.
    pub options: Value,
}

/// Not the id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a message")]
pub struct NoSince;

impl Said {
    /// Reads arguments.
    pub fn read(arguments: Vec<Value>) -> Self {
        let mut arguments = arguments.into_iter();
        let mut name = || match arguments.next() {
            Some(Value::String(name)) => Some(name),
            _ => None,
        };
        let names = (name(), name());
        let claim =
            names.0.zip(names.1).and_then(|(user, connection)| Claim::new(user, connection));
        Self { claim, options: arguments.next().unwrap_or_default() }
    }

    /// `ids`: the id of each message is wanted as second argument.
    pub fn wants_ids(&self) -> bool {
        self.options["ids"] == true
    }

    /// `since`: the last message it had.
    ///
    /// # Errors
    /// When it is no id.
    pub fn since(&self) -> Result<Option<MessageId>, NoSince> {
        match &self.options["since"] {
            Value::Null => Ok(None),
            Value::String(id) => id.parse().map(Some).map_err(|_| NoSince),
            _ => Err(NoSince),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Claim, MessageId, NoSince, Said};
    use serde_json::json;

    fn said(arguments: serde_json::Value) -> Said {
        Said::read(serde_json::from_value::<Arguments>(arguments).unwrap().0)
    }

    #[test]
    fn a_pair_is_two_strings_and_whatever_follows() {
        let expected = Claim::new("u", "c");
        for more in [json!(["u", "c"]), json!(["u", "c", null]), json!(["u", "c", {}, 4, [5]])] {
            let said = said(more);
            assert_eq!((&said.claim, said.wants_ids(), said.since()), (&expected, false, Ok(None)));
        }
        let options = said(json!(["u", "c", { "ids": true, "since": "17" }]));
        assert!(options.wants_ids());
        assert_eq!(options.since(), Ok(Some(MessageId(17))));
        assert_eq!(said(json!(["u", "c", { "since": 17 }])).since(), Err(NoSince));
    }

    #[test]
    fn anything_else_is_no_pair() {
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
            assert_eq!(said(bad).claim, None);
        }
        assert_eq!(said(json!(["__proto__", "c"])).claim, Claim::new("__proto__", "c"));
    }
}

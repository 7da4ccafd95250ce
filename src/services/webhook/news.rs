//! What replicas tell each other: messages, and sessions that must end.

use super::{
    book::Stored,
    claim::{Claim, Target},
    id::MessageId,
    value::Value,
};
use serde::{Deserialize, Serialize};

/// One thing that every replica hears, in the same order.
#[derive(Debug, Clone)]
pub enum News {
    /// A message for those it is for.
    Message(Stored),
    /// A client has entered somewhere: older sessions with the same pair end.
    Entered {
        /// The pair.
        claim: Claim,
        /// See [`super::book::Entry::at`].
        at: MessageId,
    },
    /// A pair is registered no longer: its session ends.
    Unregistered(Claim),
}

/// Not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not what replicas tell each other")]
pub struct Foreign;

/// The same as text: `m <id>`, `e <id>` or `u`, a line feed, JSON. The id stands outside since Redis
/// gives it.
#[derive(Serialize, Deserialize)]
struct Told<'a> {
    user: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// A message without its id, as [`read`] wants it behind `m <id>\n`.
pub fn message(to: &Target, value: &Value) -> String {
    told(to.user(), to.connection(), Some(value))
}

/// A pair without an id, as [`read`] wants it behind `e <id>\n` or `u\n`.
pub fn pair(claim: &Claim) -> String {
    told(&claim.user, Some(&claim.connection), None)
}

fn told(user: &str, connection: Option<&str>, value: Option<&Value>) -> String {
    let told =
        Told { user: user.into(), connection: connection.map(Into::into), value: value.cloned() };
    serde_json::to_string(&told).unwrap_or_default()
}

/// Reads what a replica told.
pub fn read(payload: &[u8]) -> Result<News, Foreign> {
    let text = std::str::from_utf8(payload).map_err(|_| Foreign)?;
    let (head, body) = text.split_once('\n').ok_or(Foreign)?;
    let told: Told<'_> = serde_json::from_str(body).map_err(|_| Foreign)?;
    let user = told.user.into_owned();
    let claim = |user| Some(Claim { user, connection: told.connection.clone()?.into_owned() });
    match (head.split_once(' '), head) {
        (Some(("m", id)), _) => {
            let id: MessageId = id.parse().map_err(|_| Foreign)?;
            let to = claim(user.clone()).map_or(Target::User(user), Target::Connection);
            Ok(News::Message(Stored { id, to, value: told.value.ok_or(Foreign)? }))
        }
        (Some(("e", at)), _) => Ok(News::Entered {
            claim: claim(user).ok_or(Foreign)?,
            at: at.parse().map_err(|_| Foreign)?,
        }),
        (None, "u") => claim(user).map(News::Unregistered).ok_or(Foreign),
        _ => Err(Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::{Foreign, News, message, pair, read};
    use crate::services::webhook::{
        claim::{Claim, Target},
        id::MessageId,
        value::Value,
    };

    #[test]
    fn what_is_told_is_understood_to_the_letter() {
        let claim = Claim::new("ü\n1", "c\"1").unwrap();
        let value: Value = serde_json::from_str(r#"{ "n":123456789012345678901,"a":[] }"#).unwrap();
        for to in [Target::User("u".to_owned()), Target::Connection(claim.clone())] {
            let text = format!("m 7\n{}", message(&to, &value));
            let News::Message(stored) = read(text.as_bytes()).unwrap() else { panic!("{text}") };
            assert_eq!((stored.id, stored.to, stored.value), (MessageId(7), to, value.clone()));
        }
        let entered = format!("e 8\n{}", pair(&claim));
        let News::Entered { claim: heard, at } = read(entered.as_bytes()).unwrap() else {
            panic!("not entered")
        };
        assert_eq!((&heard, at), (&claim, MessageId(8)));
        let unregistered = format!("u\n{}", pair(&claim));
        let News::Unregistered(heard) = read(unregistered.as_bytes()).unwrap() else {
            panic!("not unregistered")
        };
        assert_eq!(heard, claim);
    }

    #[test]
    fn what_others_publish_there_is_passed_over() {
        for text in [
            "",
            "m",
            "m 1",
            "m 1\n",
            "m x\n{}",
            "m 1\n{\"user\":\"u\"}",
            "e 1\n{\"user\":\"u\"}",
            "z\n{}",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err(), Foreign, "{text}");
        }
        assert!(read(b"\xff\n").is_err());
    }
}

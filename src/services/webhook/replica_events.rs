//! Events that replicas publish to each other: messages and the end of sessions.

use super::{
    message_id::MessageId,
    message_value::MessageValue,
    registration_key::{MessageTarget, RegistrationKey},
    store::StoredMessage,
};
use serde::{Deserialize, Serialize};

/// An event that every replica receives, in the same order.
#[derive(Debug, Clone)]
pub enum ReplicaEvent {
    /// A message for its recipients.
    Message(StoredMessage),
    /// A client has entered on some replica: older sessions with the same pair are closed.
    SessionEntered {
        /// Pair of the client.
        claim: RegistrationKey,
        /// The time, as in [`super::store::SessionEntry::at`].
        at: MessageId,
    },
    /// A pair was unregistered: its session is closed.
    Unregistered(RegistrationKey),
}

/// A payload in an unknown format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event of a replica")]
pub struct ReplicaEventError;

/// Payload of an event: `m <id>`, `e <id>` or `u`, a line feed, and this as JSON. The id comes
/// first because a Redis script prepends it.
#[derive(Serialize, Deserialize)]
struct ReplicaEventPayload<'a> {
    user: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<MessageValue>,
}

/// Encodes a message without its head `m <id>\n`.
pub fn message(to: &MessageTarget, value: &MessageValue) -> String {
    payload(to.user(), to.connection(), Some(value))
}

/// Encodes a pair without its head `e <id>\n` or `u\n`.
pub fn pair(claim: &RegistrationKey) -> String {
    payload(&claim.user, Some(&claim.connection), None)
}

fn payload(user: &str, connection: Option<&str>, value: Option<&MessageValue>) -> String {
    let payload = ReplicaEventPayload {
        user: user.into(),
        connection: connection.map(Into::into),
        value: value.cloned(),
    };
    serde_json::to_string(&payload).unwrap_or_default()
}

/// Decodes the payload of an event.
pub fn read(payload: &[u8]) -> Result<ReplicaEvent, ReplicaEventError> {
    let text = std::str::from_utf8(payload).map_err(|_| ReplicaEventError)?;
    let (head, body) = text.split_once('\n').ok_or(ReplicaEventError)?;
    let payload: ReplicaEventPayload<'_> =
        serde_json::from_str(body).map_err(|_| ReplicaEventError)?;
    let user = payload.user.into_owned();
    let claim =
        |user| Some(RegistrationKey { user, connection: payload.connection.clone()?.into_owned() });
    match (head.split_once(' '), head) {
        (Some(("m", id)), _) => {
            let id: MessageId = id.parse().map_err(|_| ReplicaEventError)?;
            let to =
                claim(user.clone()).map_or(MessageTarget::User(user), MessageTarget::Connection);
            Ok(ReplicaEvent::Message(StoredMessage {
                id,
                to,
                value: payload.value.ok_or(ReplicaEventError)?,
            }))
        }
        (Some(("e", at)), _) => Ok(ReplicaEvent::SessionEntered {
            claim: claim(user).ok_or(ReplicaEventError)?,
            at: at.parse().map_err(|_| ReplicaEventError)?,
        }),
        (None, "u") => claim(user).map(ReplicaEvent::Unregistered).ok_or(ReplicaEventError),
        _ => Err(ReplicaEventError),
    }
}

#[cfg(test)]
mod tests {
    use super::{ReplicaEvent, ReplicaEventError, message, pair, read};
    use crate::services::webhook::{
        message_id::MessageId,
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
    };

    #[test]
    fn events_are_decoded_as_encoded() {
        let claim = RegistrationKey::new("ü\n1", "c\"1").unwrap();
        let value: MessageValue =
            serde_json::from_str(r#"{ "n":123456789012345678901,"a":[] }"#).unwrap();
        for to in [MessageTarget::User("u".to_owned()), MessageTarget::Connection(claim.clone())] {
            let text = format!("m 7\n{}", message(&to, &value));
            let ReplicaEvent::Message(stored) = read(text.as_bytes()).unwrap() else {
                panic!("{text}")
            };
            assert_eq!((stored.id, stored.to, stored.value), (MessageId(7), to, value.clone()));
        }
        let entered = format!("e 8\n{}", pair(&claim));
        let ReplicaEvent::SessionEntered { claim: decoded, at } = read(entered.as_bytes()).unwrap()
        else {
            panic!("not entered")
        };
        assert_eq!((&decoded, at), (&claim, MessageId(8)));
        let unregistered = format!("u\n{}", pair(&claim));
        let ReplicaEvent::Unregistered(decoded) = read(unregistered.as_bytes()).unwrap() else {
            panic!("not unregistered")
        };
        assert_eq!(decoded, claim);
    }

    #[test]
    fn unknown_payloads_are_refused() {
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
            assert_eq!(read(text.as_bytes()).unwrap_err(), ReplicaEventError, "{text}");
        }
        assert!(read(b"\xff\n").is_err());
    }
}

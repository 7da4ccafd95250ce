//! A published message: an object whose `subscribers`, `touched` and `uniqueID` are read here; all other
//! members are forwarded as written (`specs/aphlict.md` section 2.1).

use super::value_digest::ValueDigest;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// Why a body is not a message; it has had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedMessage {
    /// The body is not a JSON object.
    #[error("no JSON object")]
    NoObject,
    /// `subscribers` is missing or not an array.
    #[error("subscribers is not an array")]
    Subscribers,
    /// `touched` is present and not an array.
    #[error("touched is not an array")]
    Touched,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AphlictMessage {
    /// The object without `touched` and its closing brace, each member as it was written.
    content: String,
    /// The elements of `touched` as written, joined with commas.
    path: String,
    /// The strings in `touched`: fingerprints of the servers that handled the message.
    pub touched: Vec<String>,
    /// The strings in `subscribers`: the ids that it is for.
    pub subscribers: Vec<String>,
    /// What tells it from other messages.
    pub key: AphlictMessageKey,
}

/// Equal for copies of a message, however each server serialised it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AphlictMessageKey {
    /// The value of `uniqueID`, a string or a number.
    UniqueId(ValueDigest),
    /// All members except `touched`, where there is no `uniqueID`.
    Content(ValueDigest),
}

impl AphlictMessage {
    /// Parses a body. Unknown members and all numbers keep their exact text.
    ///
    /// # Errors
    /// [`MalformedMessage`].
    pub fn parse(body: &[u8]) -> Result<Self, MalformedMessage> {
        let OrderedMembers(members) =
            serde_json::from_slice(body).map_err(|_| MalformedMessage::NoObject)?;
        // Of several members with one name the last counts, as it does for browsers.
        let last = |name| members.iter().rfind(|(known, ..)| *known == Some(name));
        let value = |name| last(name).map(|(.., value)| value.get());
        let subscribers = value(KnownMember::Subscribers).and_then(elements);
        // Null counts as missing, as in JavaScript.
        let path = value(KnownMember::Touched).filter(|raw| *raw != "null");
        let (path, touched) = match path.map(elements) {
            Some(Some(raw)) => (joined(&raw), texts(&raw)),
            Some(None) => return Err(MalformedMessage::Touched),
            None => (String::new(), Vec::new()),
        };
        let unique =
            value(KnownMember::UniqueId).filter(|raw| !raw.starts_with(['{', '[', 'n', 't', 'f']));
        Ok(Self {
            content: content(&members),
            path,
            touched,
            subscribers: texts(&subscribers.ok_or(MalformedMessage::Subscribers)?),
            key: match unique {
                Some(unique) => AphlictMessageKey::UniqueId(ValueDigest::of_text(unique)),
                None => AphlictMessageKey::Content(digest(&members)),
            },
        })
    }

    /// The text for browsers and peers: the message with this fingerprint added to `touched`.
    pub fn touched_by(&self, fingerprint: &str) -> String {
        let comma = if self.path.is_empty() { "" } else { "," };
        let Self { content, path, .. } = self;
        format!(r#"{content},"touched":[{path}{comma}"{fingerprint}"]}}"#)
    }

    /// The length in bytes without `touched`.
    pub fn length(&self) -> usize {
        self.content.len() + "}".len()
    }

    /// The text without `touched` and the closing brace.
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// The members that this server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownMember {
    Subscribers,
    Touched,
    UniqueId,
}

/// An object's members in order, name and value as written.
struct OrderedMembers<'a>(Vec<(Option<KnownMember>, &'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for OrderedMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedMembersVisitor)
    }
}

struct OrderedMembersVisitor;

impl<'de> Visitor<'de> for OrderedMembersVisitor {
    type Value = OrderedMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            members.push((known(name), name, value));
        }
        Ok(OrderedMembers(members))
    }
}

fn known(name: &RawValue) -> Option<KnownMember> {
    match text(name)?.as_str() {
        "subscribers" => Some(KnownMember::Subscribers),
        "touched" => Some(KnownMember::Touched),
        "uniqueID" => Some(KnownMember::UniqueId),
        _ => None,
    }
}

fn content(members: &[(Option<KnownMember>, &RawValue, &RawValue)]) -> String {
    let kept = members.iter().filter(|(known, ..)| *known != Some(KnownMember::Touched));
    let kept = kept.map(|(_, name, value)| format!("{name}:{value}"));
    format!("{{{}", kept.collect::<Vec<_>>().join(","))
}

fn digest(members: &[(Option<KnownMember>, &RawValue, &RawValue)]) -> ValueDigest {
    let kept = members.iter().filter(|(known, ..)| *known != Some(KnownMember::Touched));
    let named = kept
        .map(|(_, name, value)| (text(name).unwrap_or_else(|| name.get().to_owned()), value.get()));
    ValueDigest::of_members(named)
}

fn elements(raw: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw).ok()
}

fn joined(raw: &[&RawValue]) -> String {
    raw.iter().map(|element| element.get()).collect::<Vec<_>>().join(",")
}

fn texts(raw: &[&RawValue]) -> Vec<String> {
    raw.iter().filter_map(|element| text(element)).collect()
}

/// A JSON string as text; None for other types and for half a surrogate pair.
fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::{AphlictMessage, AphlictMessageKey, MalformedMessage};

    #[test]
    fn unknown_members_keep_their_text() {
        let body = br#"{ "key": 7391827364518273645, "x":1.50e+3,
            "subscribers": ["PHID-USER-a", 7, "\u00e9"], "half": "\ud800", "uniqueID":"u1",
            "deep":{"touched" : [ ] }, "key2":"\u0041" }"#;
        let message = AphlictMessage::parse(body).unwrap();
        assert_eq!(message.subscribers, ["PHID-USER-a", "é"]);
        assert!(matches!(message.key, AphlictMessageKey::UniqueId(_)));
        assert_eq!(
            message.touched_by("Qd7h"),
            concat!(
                r#"{"key":7391827364518273645,"x":1.50e+3,"subscribers":["PHID-USER-a", 7, "\u00e9"],"#,
                r#""half":"\ud800","uniqueID":"u1","deep":{"touched" : [ ] },"key2":"\u0041","#,
                r#""touched":["Qd7h"]}"#
            )
        );
    }

    #[test]
    fn the_fingerprint_is_appended_to_touched() {
        let body = br#"{"touched":["a", 5,"b"],"subscribers":[]}"#;
        let message = AphlictMessage::parse(body).unwrap();
        assert_eq!(message.touched, ["a", "b"]);
        assert_eq!(message.touched_by("c"), r#"{"subscribers":[],"touched":["a",5,"b","c"]}"#);
        assert_eq!(message.content(), r#"{"subscribers":[]"#);
    }

    #[test]
    fn malformed_bodies_are_refused_with_a_reason() {
        use MalformedMessage::{NoObject, Subscribers, Touched};
        for (body, why) in [
            ("", NoObject),
            ("type=notification", NoObject),
            ("null", NoObject),
            ("[]", NoObject),
            (r#"{"subscribers":[]"#, NoObject),
            (r#"{"subscribers":[]} x"#, NoObject),
            ("{}", Subscribers),
            (r#"{"subscribers":null}"#, Subscribers),
            (r#"{"subscribers":"abc"}"#, Subscribers),
            (r#"{"subscribers":{"0":"a"}}"#, Subscribers),
            (r#"{"subscribers":[],"touched":"a"}"#, Touched),
        ] {
            assert_eq!(AphlictMessage::parse(body.as_bytes()), Err(why), "{body}");
        }
        assert_eq!(AphlictMessage::parse(b"{\"subscribers\":[\"\xff\"]}"), Err(NoObject));
    }

    #[test]
    fn the_last_of_duplicate_members_counts() {
        let body = br#"{"subscribers":["a"],"touched":["x"],"subscribers":["b"],"touched":[]}"#;
        let message = AphlictMessage::parse(body).unwrap();
        assert_eq!((message.subscribers, message.touched), (vec!["b".to_owned()], Vec::new()));
    }

    #[test]
    fn a_unique_id_is_a_string_or_number() {
        let unique = |raw: &str| {
            let body = format!(r#"{{"subscribers":[],"uniqueID":{raw}}}"#);
            AphlictMessage::parse(body.as_bytes()).unwrap().key
        };
        assert!(matches!(unique("17"), AphlictMessageKey::UniqueId(_)));
        assert_eq!(unique("17"), unique("17.0"));
        assert_eq!(unique(r#""\u0061""#), unique(r#""a""#));
        for none in ["null", "true", "false", "[]", "{}"] {
            assert!(matches!(unique(none), AphlictMessageKey::Content(_)), "{none}");
        }
    }

    #[test]
    fn touched_may_be_null() {
        let message = AphlictMessage::parse(br#"{"subscribers":["a"],"touched":null}"#).unwrap();
        assert_eq!(message.touched_by("c"), r#"{"subscribers":["a"],"touched":["c"]}"#);
    }
}

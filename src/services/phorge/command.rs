//! Parses the commands that browsers send over their WebSocket (`specs/aphlict.md` section 5).

use indexmap::IndexSet;
use serde::{
    Deserializer as _,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{fmt, time::Duration};

/// The default age of a replay: all that the history holds.
const ALL: Duration = Duration::from_secs(60);

/// The longest id in bytes, far above Phorge's 30; longer ones are ignored.
pub const MAX_ID: usize = 256;
/// The longest string as written that is decoded: each byte of an id may be an escape of six.
const MAX_WRITTEN: usize = 6 * MAX_ID + 2;
/// The most elements in the array of one command, duplicates included: twice the ids that a browser may
/// subscribe to where nothing else is set. A client that sends more is closed.
pub const MAX_ELEMENTS: usize = 16_384;

/// One valid command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AphlictCommand {
    /// Add these ids to the subscriptions.
    Subscribe(Vec<String>),
    /// Remove these ids from the subscriptions.
    Unsubscribe(Vec<String>),
    /// Send the held messages up to this age again.
    Replay(Duration),
    /// Answer with a pong.
    Ping,
}

/// Why a message is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// No JSON object with a `command`.
    #[error("not a JSON object with a command")]
    NoCommand,
    /// A command that Aphlict doesn't have.
    #[error("an unknown command")]
    Unknown,
    /// Its `data` has the wrong type.
    #[error("a command with other data than it needs")]
    Data,
    /// Its array has more than [`MAX_ELEMENTS`] elements.
    #[error("a command with more than {MAX_ELEMENTS} ids")]
    TooManyIds,
}

impl AphlictCommand {
    /// Parses one message. Nothing is kept of what isn't needed: the work is at most two passes over the
    /// text, whatever is in it.
    ///
    /// # Errors
    /// [`InvalidCommand`]: as with the original, the client gets no reply.
    pub fn parse(text: &str) -> Result<Self, InvalidCommand> {
        let [command, data] =
            last_members(text, ["command", "data"]).ok_or(InvalidCommand::NoCommand)?;
        let command = command.and_then(string).ok_or(InvalidCommand::NoCommand)?;
        let data = data.map_or("null", RawValue::get);
        match command.as_str() {
            "subscribe" => ids(data).map(Self::Subscribe),
            "unsubscribe" => ids(data).map(Self::Unsubscribe),
            "replay" => age(data).map(Self::Replay),
            "ping" => Ok(Self::Ping),
            _ => Err(InvalidCommand::Unknown),
        }
    }
}

/// The distinct ids of an array, in order of first appearance.
fn ids(data: &str) -> Result<Vec<String>, InvalidCommand> {
    let ElementVisitor { ids, count } = serde_json::Deserializer::from_str(data)
        .deserialize_seq(ElementVisitor::default())
        .map_err(|_| InvalidCommand::Data)?;
    if count > MAX_ELEMENTS {
        return Err(InvalidCommand::TooManyIds);
    }
    Ok(ids.into_iter().collect())
}

/// The age of a replay: missing or zero means everything, negative means nothing.
fn age(data: &str) -> Result<Duration, InvalidCommand> {
    let [age] = last_members(data, ["age"]).ok_or(InvalidCommand::Data)?;
    match age.and_then(|age| serde_json::from_str(age.get()).ok()) {
        None | Some(0.0) => Ok(ALL),
        Some(millis) if millis < 0.0 => Ok(Duration::ZERO),
        Some(millis) => Ok(Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX)),
    }
}

/// A short JSON string; None for other types.
fn string(raw: &RawValue) -> Option<String> {
    if raw.get().len() > MAX_WRITTEN { None } else { serde_json::from_str(raw.get()).ok() }
}

/// The values of these members of an object, the last of several with one name; None if the text is not
/// an object.
fn last_members<'a, const N: usize>(
    text: &'a str,
    names: [&'static str; N],
) -> Option<[Option<&'a RawValue>; N]> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(MemberVisitor(names)).ok()?;
    reader.end().ok()?;
    Some(members)
}

struct MemberVisitor<const N: usize>([&'static str; N]);

impl<'de, const N: usize> Visitor<'de> for MemberVisitor<N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let Some(name) = string(name) else { continue };
            if let Some(index) = self.0.iter().position(|known| *known == name) {
                values[index] = Some(value);
            }
        }
        Ok(values)
    }
}

#[derive(Default)]
struct ElementVisitor {
    ids: IndexSet<String>,
    /// All elements, also those that are no ids.
    count: usize,
}

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Self, A::Error> {
        while let Some(element) = sequence.next_element::<&RawValue>()? {
            self.count += 1;
            if self.count > MAX_ELEMENTS {
                continue;
            }
            self.ids.extend(string(element).filter(|id| id.len() <= MAX_ID));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, AphlictCommand, InvalidCommand, MAX_ELEMENTS, MAX_ID};
    use std::time::Duration;

    fn subscribe(ids: &[&str]) -> Result<AphlictCommand, InvalidCommand> {
        Ok(AphlictCommand::Subscribe(ids.iter().map(|id| (*id).to_owned()).collect()))
    }

    #[test]
    fn the_protocols_examples_are_parsed() {
        let text = r#"{"command":"subscribe","data":["PHID-USER-a","PHID-TASK-e"]}"#;
        assert_eq!(AphlictCommand::parse(text), subscribe(&["PHID-USER-a", "PHID-TASK-e"]));
        let replay = AphlictCommand::parse(r#"{"command":"replay","data":{"age":12500}}"#);
        assert_eq!(replay, Ok(AphlictCommand::Replay(Duration::from_millis(12_500))));
        assert_eq!(
            AphlictCommand::parse(r#"{"command":"ping","data":null}"#),
            Ok(AphlictCommand::Ping)
        );
        assert_eq!(AphlictCommand::parse(r#"{"command":"ping"}"#), Ok(AphlictCommand::Ping));
        let text = r#"{"command":"unsubscribe","data":["toString"]}"#;
        assert_eq!(
            AphlictCommand::parse(text),
            Ok(AphlictCommand::Unsubscribe(vec!["toString".to_owned()]))
        );
    }

    #[test]
    fn a_missing_age_means_a_minute() {
        for data in ["{}", r#"{"age":0}"#, r#"{"age":null}"#, r#"{"age":"soon"}"#] {
            let text = format!(r#"{{"command":"replay","data":{data}}}"#);
            assert_eq!(AphlictCommand::parse(&text), Ok(AphlictCommand::Replay(ALL)), "{data}");
        }
        let of = |age: &str| {
            AphlictCommand::parse(&format!(r#"{{"command":"replay","data":{{"age":{age}}}}}"#))
        };
        assert_eq!(of("-5"), Ok(AphlictCommand::Replay(Duration::ZERO)));
        assert_eq!(of("1e300"), Ok(AphlictCommand::Replay(Duration::MAX)));
        assert_eq!(of("0.5"), Ok(AphlictCommand::Replay(Duration::from_micros(500))));
    }

    #[test]
    fn invalid_commands_are_ignored() {
        for (text, why) in [
            ("null", InvalidCommand::NoCommand),
            ("", InvalidCommand::NoCommand),
            ("[]", InvalidCommand::NoCommand),
            (r#"["ping",null]"#, InvalidCommand::NoCommand),
            ("{", InvalidCommand::NoCommand),
            (r#"{"data":[]}"#, InvalidCommand::NoCommand),
            (r#"{"command":null}"#, InvalidCommand::NoCommand),
            (r#"{"command":"listen","data":[]}"#, InvalidCommand::Unknown),
            (r#"{"command":"subscribe"}"#, InvalidCommand::Data),
            (r#"{"command":"subscribe","data":null}"#, InvalidCommand::Data),
            (r#"{"command":"subscribe","data":"PHID"}"#, InvalidCommand::Data),
            (r#"{"command":"unsubscribe","data":{}}"#, InvalidCommand::Data),
            (r#"{"command":"replay"}"#, InvalidCommand::Data),
            (r#"{"command":"replay","data":null}"#, InvalidCommand::Data),
            (r#"{"command":"replay","data":[1]}"#, InvalidCommand::Data),
        ] {
            assert_eq!(AphlictCommand::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn invalid_ids_are_left_out() {
        let long = "x".repeat(MAX_ID + 1);
        let text = format!(r#"{{"command":"subscribe","data":["a",7,null,["b"],"{long}","c"]}}"#);
        assert_eq!(AphlictCommand::parse(&text), subscribe(&["a", "c"]));
    }

    #[test]
    fn of_duplicate_members_the_last_counts_and_names_may_be_escaped() {
        let text = r#"{"command":7,"data":["a"],"comm\u0061nd":"subscribe","data":["b","b"]} "#;
        assert_eq!(AphlictCommand::parse(text), subscribe(&["b"]));
        assert_eq!(AphlictCommand::parse(&format!("{text}x")), Err(InvalidCommand::NoCommand));
    }

    #[test]
    fn arrays_have_a_longest_length() {
        let text = |count: usize| {
            let ids = vec![r#""a""#; count].join(",");
            format!(r#"{{"command":"subscribe","data":[{ids}]}}"#)
        };
        assert_eq!(AphlictCommand::parse(&text(MAX_ELEMENTS)), subscribe(&["a"]));
        let more = AphlictCommand::parse(&text(MAX_ELEMENTS + 1));
        assert_eq!(more, Err(InvalidCommand::TooManyIds));
    }

    #[test]
    fn nested_data_is_skipped_however_deep_it_is() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        let text = format!(r#"{{"x":{deep},"command":"ping","data":{deep}}}"#);
        assert_eq!(AphlictCommand::parse(&text), Ok(AphlictCommand::Ping));
        let text = format!(r#"{{"command":"subscribe","data":[{deep},"a"]}}"#);
        assert_eq!(AphlictCommand::parse(&text), subscribe(&["a"]));
    }
}

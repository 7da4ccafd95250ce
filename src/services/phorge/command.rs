//! Parses the commands that browsers send over their WebSocket (`specs/aphlict.md` section 5).

use serde_json::Value;
use std::time::Duration;

/// The default age of a replay: all that the history holds.
const ALL: Duration = Duration::from_secs(60);

/// The longest id in bytes, far above Phorge's 30; longer ones are ignored.
pub const MAX_ID: usize = 256;

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
}

impl AphlictCommand {
    /// Parses one message.
    ///
    /// # Errors
    /// [`InvalidCommand`]: as with the original, the client gets no reply.
    pub fn parse(text: &str) -> Result<Self, InvalidCommand> {
        let Ok(Value::Object(message)) = serde_json::from_str(text) else {
            return Err(InvalidCommand::NoCommand);
        };
        let data = message.get("data").unwrap_or(&Value::Null);
        match message.get("command").and_then(Value::as_str).ok_or(InvalidCommand::NoCommand)? {
            "subscribe" => ids(data).map(Self::Subscribe),
            "unsubscribe" => ids(data).map(Self::Unsubscribe),
            "replay" => age(data).map(Self::Replay),
            "ping" => Ok(Self::Ping),
            _ => Err(InvalidCommand::Unknown),
        }
    }
}

fn ids(data: &Value) -> Result<Vec<String>, InvalidCommand> {
    let elements = data.as_array().ok_or(InvalidCommand::Data)?;
    let texts = elements.iter().filter_map(Value::as_str);
    Ok(texts.filter(|id| id.len() <= MAX_ID).map(str::to_owned).collect())
}

/// The age of a replay: missing or zero means everything, negative means nothing.
fn age(data: &Value) -> Result<Duration, InvalidCommand> {
    let data = data.as_object().ok_or(InvalidCommand::Data)?;
    match data.get("age").and_then(Value::as_f64) {
        None | Some(0.0) => Ok(ALL),
        Some(millis) if millis < 0.0 => Ok(Duration::ZERO),
        Some(millis) => Ok(Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, AphlictCommand, InvalidCommand, MAX_ID};
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
}

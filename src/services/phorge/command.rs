//! What a browser says over its WebSocket (`specs/aphlict.md` section 5).

use serde_json::Value;
use std::time::Duration;

/// How far back a replay goes that doesn't say.
const ALL: Duration = Duration::from_secs(60);

/// No id of Phorge's is nearly as long; of what is longer nobody is told anything.
pub const MAX_ID: usize = 256;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AphlictCommand {
    /// Tell me about these ids as well.
    Subscribe(Vec<String>),
    /// No longer about these.
    Unsubscribe(Vec<String>),
    /// Tell me again what I may have missed, as far back as this.
    Replay(Duration),
    /// Are you there?
    Ping,
}

/// Why a message is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// It is no command.
    #[error("not a JSON object with a command")]
    NoCommand,
    /// Nobody knows it.
    #[error("an unknown command")]
    Unknown,
    /// Its data are not what it needs.
    #[error("a command with other data than it needs")]
    Data,
}

impl AphlictCommand {
    /// Reads one.
    ///
    /// # Errors
    /// [`InvalidCommand`]: the client hears nothing, as it did of the original.
    pub fn parse(text: &str) -> Result<Self, InvalidCommand> {
        let Ok(Value::Object(said)) = serde_json::from_str(text) else {
            return Err(InvalidCommand::NoCommand);
        };
        let data = said.get("data").unwrap_or(&Value::Null);
        match said.get("command").and_then(Value::as_str).ok_or(InvalidCommand::NoCommand)? {
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

/// None and zero mean everything that is held; what is negative, nothing that has happened.
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
    fn the_examples_of_section_5() {
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
    fn an_age_that_says_nothing_means_a_minute() {
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
    fn what_made_the_original_deaf_is_passed_over() {
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
    fn what_is_no_id_is_left_out() {
        let long = "x".repeat(MAX_ID + 1);
        let text = format!(r#"{{"command":"subscribe","data":["a",7,null,["b"],"{long}","c"]}}"#);
        assert_eq!(AphlictCommand::parse(&text), subscribe(&["a", "c"]));
    }
}

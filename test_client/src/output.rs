//! What the probe prints: lines for people, or one JSON object each.

use crate::{failure::Failure, message::Message, timestamp::rfc3339};
use serde_json::{Map, Value, json};
use std::{
    io::{self, Write},
    time::{Duration, SystemTime},
};
use url::Url;

/// What happens.
#[derive(Debug)]
pub enum ProbeEvent<'a> {
    /// Nextcloud has said where push is.
    Found(&'a Url),
    /// The WebSocket is open.
    Connected(&'a Url),
    /// Logged in as this user.
    Authenticated(&'a str),
    /// A message has come, with its text.
    Message(&'a Message, &'a str),
    /// It goes on after this pause.
    Again(&'a Failure, Duration),
}

/// Where it is printed.
pub struct Output {
    out: Box<dyn Write>,
    json: bool,
}

impl Output {
    /// JSON or for people.
    pub fn new(out: impl Write + 'static, json: bool) -> Self {
        Self { out: Box::new(out), json }
    }

    /// Prints it with the time of day.
    #[expect(clippy::disallowed_methods, reason = "what is printed here is the time of day")]
    pub fn tell(&mut self, happening: &ProbeEvent<'_>) -> Result<(), Failure> {
        let time = rfc3339(SystemTime::now());
        let line = if self.json { object(&time, happening) } else { line(&time, happening) };
        self.print(&line).map_err(Failure::Io)
    }

    /// The end: for people on `stderr`, and as an object if objects are wanted.
    #[expect(clippy::disallowed_methods, reason = "what is printed here is the time of day")]
    pub fn failure(&mut self, failure: &Failure, stderr: &mut impl Write) {
        let (cause, remedy) = (printable(&failure.to_string()), failure.remedy());
        if self.json {
            let line = json!({
                "time": rfc3339(SystemTime::now()), "kind": "failure", "cause": cause,
                "remedy": remedy, "exit_code": failure.exit_code(),
            });
            // Nobody reads any more: the exit code still tells.
            let _ = self.print(&line.to_string());
        }
        let _ = writeln!(stderr, "test_client: {cause}\n  remedy: {remedy}");
    }

    fn print(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

fn line(time: &str, happening: &ProbeEvent<'_>) -> String {
    let (kind, rest) = match happening {
        ProbeEvent::Found(url) => ("found", url.to_string()),
        ProbeEvent::Connected(url) => ("connected", url.to_string()),
        ProbeEvent::Authenticated(user) => ("authenticated", format!("as {user}")),
        ProbeEvent::Message(message, text) => (message.kind(), details(message, text)),
        ProbeEvent::Again(failure, pause) => {
            ("again", format!("in {:.1} s: {failure}", pause.as_secs_f64()))
        }
    };
    // The day is known to who looks on.
    let time = time.split_once('T').map_or(time, |(_, time)| time);
    format!("{time}  {kind:<13}  {}", printable(&rest)).trim_end().to_owned()
}

fn details(message: &Message, text: &str) -> String {
    match message {
        Message::File(None) => "which ones is not known".to_owned(),
        Message::File(Some(ids)) => {
            ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        Message::Activity | Message::Notification => String::new(),
        Message::Custom(..) | Message::Unreadable(_) => text.to_owned(),
    }
}

/// A terminal must not execute what a server says.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

fn object(time: &str, happening: &ProbeEvent<'_>) -> String {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("time", time.into());
    match happening {
        ProbeEvent::Found(url) => {
            put("kind", "found".into());
            put("url", url.as_str().into());
        }
        ProbeEvent::Connected(url) => {
            put("kind", "connected".into());
            put("url", url.as_str().into());
        }
        ProbeEvent::Authenticated(user) => {
            put("kind", "authenticated".into());
            put("user", (*user).into());
        }
        ProbeEvent::Again(failure, pause) => {
            put("kind", "again".into());
            put("seconds", pause.as_secs_f64().into());
            put("cause", failure.to_string().into());
        }
        ProbeEvent::Message(message, text) => {
            put("kind", message.kind().into());
            match message {
                Message::File(ids) => drop(put("ids", json!(ids))),
                Message::Custom(name, body) => {
                    put("name", name.as_str().into());
                    put("body", json!(body));
                }
                _ => {}
            }
            put("text", (*text).into());
        }
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::{ProbeEvent, line, object};
    use crate::{failure::Failure, message::Message};
    use serde_json::{Value, json};
    use std::time::Duration;

    const TIME: &str = "2026-11-21T12:50:58.123Z";

    fn both(text: &str) -> (String, Value) {
        let message = Message::parse(text);
        let happening = ProbeEvent::Message(&message, text);
        let object = serde_json::from_str(&object(TIME, &happening)).unwrap();
        (line(TIME, &happening), object)
    }

    #[test]
    fn file_ids_are_listed() {
        let (line, object) = both("notify_file_id [12,459]");
        assert_eq!(line, "12:50:58.123Z  file           12, 459");
        let text = "notify_file_id [12,459]";
        assert_eq!(object, json!({"time": TIME, "kind": "file", "ids": [12, 459], "text": text}));
        assert_eq!(both("notify_file").1["ids"], json!(null));
        assert_eq!(both("notify_activity").0, "12:50:58.123Z  activity");
    }

    #[test]
    fn a_server_does_not_command_the_terminal() {
        let (line, object) = both("evil\u{1b}[2J\u{7}");
        assert_eq!(line, r"12:50:58.123Z  custom         evil\u{1b}[2J\u{7}");
        assert_eq!(object["name"], "evil\u{1b}[2J\u{7}");
    }

    #[test]
    fn the_pause_before_the_next_attempt_is_shown_with_its_cause() {
        let failure = Failure::Lost("closed by the daemon".to_owned());
        let again = ProbeEvent::Again(&failure, Duration::from_millis(1250));
        assert!(line(TIME, &again).contains("in 1.2 s: the connection ended: closed"));
        let object: Value = serde_json::from_str(&object(TIME, &again)).unwrap();
        assert_eq!(object["seconds"], 1.25);
    }
}

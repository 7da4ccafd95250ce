//! How browsers are spoken to (`specs/aphlict.md` section 5).

use super::{
    command::{Command, Ignored},
    history::Shelves,
    instance::Instance,
};
use crate::{
    frame::Frame,
    notice::{Ids, Topic},
    recipient::Recipient,
    session::{Dialect, Heard, Past, Refusal, TopicSpec},
};
use tokio::time::Instant;

/// The longest message of a browser, in bytes: as many ids as a session may subscribe to, at once.
const MAX_MESSAGE: usize = 256 * 1024;

/// Aphlict's wording.
pub struct AphlictDialect {
    history: Shelves,
    now: fn() -> Instant,
    pong: Frame,
}

impl AphlictDialect {
    /// Browsers that come back are sent what these shelves hold.
    pub fn new(history: Shelves, now: fn() -> Instant) -> Self {
        Self { history, now, pong: Frame::text(r#"{"type":"pong"}"#) }
    }

    fn obey(&self, command: Command, home: &Recipient) -> Heard {
        let named = |ids: Vec<String>| {
            ids.iter().map(|id| Instance::recipient_at(home, id)).collect::<Vec<_>>()
        };
        match command {
            Command::Subscribe(ids) => Heard::Subscribe(named(ids)),
            Command::Unsubscribe(ids) => Heard::Unsubscribe(named(ids)),
            Command::Replay(age) => {
                let (history, home, now) = (self.history.clone(), home.clone(), self.now);
                Heard::Replay(Past::new(move || history.lock().since(&home, age, now())))
            }
            Command::Ping => Heard::Answer(self.pong.clone()),
        }
    }
}

impl Dialect for AphlictDialect {
    fn topics(&self) -> &[TopicSpec] {
        &[]
    }

    /// There are no topics: everything is passed on as it is.
    fn change(&self, _topic: Topic, _ids: &Ids) -> Frame {
        self.pong.clone()
    }

    fn hear(&self, text: &str, home: &Recipient) -> Heard {
        match Command::parse(text) {
            Ok(command) => self.obey(command, home),
            Err(why) => ignored(why),
        }
    }

    fn hear_binary(&self, message: &[u8], home: &Recipient) -> Heard {
        match std::str::from_utf8(message) {
            Ok(text) => self.hear(text, home),
            Err(_) => ignored(Ignored::NoCommand),
        }
    }

    fn welcome(&self) -> Option<Frame> {
        None
    }

    fn refusal(&self, _refusal: Refusal) -> Option<Frame> {
        None
    }

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }
}

fn ignored(why: Ignored) -> Heard {
    tracing::debug!(%why, "what a browser says is passed over");
    Heard::Nothing
}

#[cfg(test)]
mod tests {
    use super::AphlictDialect;
    use crate::{
        hosts::phorge::{history::Shelves, instance::Instance, message::Message},
        session::{Dialect, Heard, Held},
    };
    use tokio::time::Instant;

    fn dialect() -> AphlictDialect {
        AphlictDialect::new(Shelves::default(), Instant::now)
    }

    #[test]
    fn ids_are_those_of_the_instance_the_browser_belongs_to() {
        let home = Instance::of_path("/ws/~acme/").home().clone();
        let text = r#"{"command":"subscribe","data":["a","__proto__"]}"#;
        let expected = Heard::Subscribe(vec!["acme/a".into(), "acme/__proto__".into()]);
        assert_eq!(dialect().hear(text, &home), expected);
        assert_eq!(dialect().hear_binary(text.as_bytes(), &home), expected);
    }

    #[test]
    fn a_ping_is_answered_and_nonsense_is_not() {
        let home = Instance::of_path("/").home().clone();
        let Heard::Answer(pong) = dialect().hear(r#"{"command":"ping","data":null}"#, &home) else {
            panic!("no answer");
        };
        assert_eq!(pong.payload(), r#"{"type":"pong"}"#);
        assert_eq!(dialect().hear("null", &home), Heard::Nothing);
        assert_eq!(dialect().hear_binary(b"\xff", &home), Heard::Nothing);
    }

    #[test]
    fn a_replay_is_of_the_browsers_own_instance() {
        let (dialect, acme) = (dialect(), Instance::of_path("/~acme/"));
        let message = Message::parse(br#"{"subscribers":[]}"#).unwrap();
        let frame = dialect.pong.clone();
        let held = || Held { to: [].into(), frame };
        assert!(dialect.history.lock().take(&acme, &message, held, Instant::now()));
        let replay = |home| match dialect.hear(r#"{"command":"replay","data":{}}"#, home) {
            Heard::Replay(past) => past.held().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(replay(acme.home()), 1);
        assert_eq!(replay(Instance::of_path("/").home()), 0);
    }
}

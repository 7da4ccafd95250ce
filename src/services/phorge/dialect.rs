//! How browsers are spoken to (`specs/aphlict.md` section 5).

use super::{
    command::{Command, Ignored},
    history::Shelves,
    instance::Instance,
};
use crate::{
    push::{
        notice::{Ids, Topic},
        recipient::Recipient,
        session::{Dialect, Heard, Past, Refusal, TopicSpec},
    },
    websocket::frame::Frame,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::time::Instant;

/// The longest message of a browser, in bytes: as many of Phorge's ids as a session may subscribe to
/// where nothing else is set (8192 of 30 bytes, quotes and comma), at once.
const MAX_MESSAGE: usize = 512 * 1024;

/// How many ids a browser may subscribe to. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Most(Arc<AtomicUsize>);

impl Most {
    /// So many.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(most)))
    }

    /// So many from now on.
    pub fn allow(&self, most: usize) {
        self.0.store(most, Relaxed);
    }

    /// Those a session would take, and one more, which shows that there are too many. Each gets its
    /// instance's name before it, so that what is made of a message may be many times as long.
    fn of<'a>(&self, ids: &'a [String]) -> impl Iterator<Item = &'a String> {
        let each: indexmap::IndexSet<&String> = ids.iter().collect();
        each.into_iter().take(self.0.load(Relaxed).saturating_add(1))
    }
}

/// Aphlict's wording.
pub struct AphlictDialect {
    history: Shelves,
    most: Most,
    now: fn() -> Instant,
    pong: Frame,
}

impl AphlictDialect {
    /// Browsers that come back are sent what these shelves hold.
    pub fn new(history: Shelves, most: Most, now: fn() -> Instant) -> Self {
        Self { history, most, now, pong: Frame::text(r#"{"type":"pong"}"#) }
    }

    fn obey(&self, command: Command, home: &Recipient) -> Heard {
        let named = |ids: Vec<String>| {
            self.most.of(&ids).map(|id| Instance::recipient_at(home, id)).collect::<Vec<_>>()
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
    use super::{AphlictDialect, Most};
    use crate::{
        push::session::{Dialect, Heard, Held},
        services::phorge::{
            history::{Mark, Shelves},
            instance::Instance,
            message::Message,
        },
    };
    use tokio::time::Instant;

    fn dialect() -> AphlictDialect {
        AphlictDialect::new(Shelves::default(), Most::new(3), Instant::now)
    }

    #[test]
    fn ids_are_those_of_the_instance_the_browser_belongs_to() {
        let home = Instance::of_path("/ws/~acme/").unwrap().home().clone();
        let text = r#"{"command":"subscribe","data":["a","__proto__"]}"#;
        let expected = Heard::Subscribe(vec!["acme/a".into(), "acme/__proto__".into()]);
        assert_eq!(dialect().hear(text, &home), expected);
        assert_eq!(dialect().hear_binary(text.as_bytes(), &home), expected);
    }

    #[test]
    fn of_too_many_ids_only_so_many_are_named_that_it_shows() {
        let home = Instance::of_path("/").unwrap().home().clone();
        let dialect = dialect();
        let named = |ids: &str| {
            let text = format!(r#"{{"command":"subscribe","data":[{ids}]}}"#);
            match dialect.hear(&text, &home) {
                Heard::Subscribe(recipients) => recipients.len(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(named(r#""a","a","a","a","a","b","c""#), 3, "each counts once");
        assert_eq!(named(r#""a","b","c","d","e","f","g""#), 4);
        dialect.most.allow(5);
        assert_eq!(named(r#""a","b","c","d","e","f","g""#), 6);
    }

    #[test]
    fn a_ping_is_answered_and_nonsense_is_not() {
        let home = Instance::of_path("/").unwrap().home().clone();
        let Heard::Answer(pong) = dialect().hear(r#"{"command":"ping","data":null}"#, &home) else {
            panic!("no answer");
        };
        assert_eq!(pong.payload(), r#"{"type":"pong"}"#);
        assert_eq!(dialect().hear("null", &home), Heard::Nothing);
        assert_eq!(dialect().hear_binary(b"\xff", &home), Heard::Nothing);
    }

    #[test]
    fn a_replay_is_of_the_browsers_own_instance() {
        let (dialect, acme) = (dialect(), Instance::of_path("/~acme/").unwrap());
        let message = Message::parse(br#"{"subscribers":[]}"#).unwrap();
        let frame = dialect.pong.clone();
        let held = Held { to: [].into(), frame };
        assert!(dialect.history.lock().take(&acme, &Mark::of(&message), held, Instant::now()));
        let replay = |home| match dialect.hear(r#"{"command":"replay","data":{}}"#, home) {
            Heard::Replay(past) => past.held().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(replay(acme.home()), 1);
        assert_eq!(replay(Instance::of_path("/").unwrap().home()), 0);
    }
}

//! How plain clients are spoken to: JSON texts, one for each message.

use super::{claim::Claim, door::Refused, hooks::Asked};
use crate::{
    push::{
        notice::{Ids, Topic},
        recipient::Recipient,
        session::{Dialect, Heard, Refusal, TopicSpec},
    },
    websocket::frame::Frame,
};
use serde::Deserialize;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// What a client may say at once, in bytes.
const MAX_MESSAGE: usize = 4096;

/// A client that wants something of its hooks.
#[derive(Debug)]
pub struct Wanted {
    /// Who.
    pub claim: Claim,
    /// Where the answer goes.
    pub home: Recipient,
    /// What.
    pub asked: Asked,
    /// Its client wants nothing more until this is dropped.
    pub turn: Turn,
}

/// Connections with a wish that isn't answered yet: one each, so that none starves the others.
type Busy = Arc<Mutex<HashSet<Recipient>>>;

/// A connection's turn at the desk.
#[derive(Debug)]
pub struct Turn {
    busy: Busy,
    home: Recipient,
}

impl Turn {
    fn take(busy: &Busy, home: &Recipient) -> Option<Self> {
        let free = lock(busy).insert(home.clone());
        free.then(|| Self { busy: Arc::clone(busy), home: home.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.busy).remove(&self.home);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wording. What takes time goes to a desk, which answers later.
pub struct WebhookDialect {
    desk: mpsc::Sender<Wanted>,
    busy: Busy,
}

/// What a client may say: `{"hook":{…}}`.
#[derive(Deserialize)]
struct Said {
    hook: Asked,
}

impl WebhookDialect {
    /// With this desk.
    pub fn new(desk: mpsc::Sender<Wanted>) -> Self {
        Self { desk, busy: Busy::default() }
    }
}

/// The first text of a session.
pub fn registered() -> Frame {
    Frame::text(r#"{"registered":true}"#)
}

/// The last text of a client that isn't let in.
pub fn refused(refused: Refused) -> Frame {
    Frame::text(&serde_json::json!({ "error": refused.name() }).to_string())
}

/// An answer about hooks.
pub fn about_hooks(answer: &serde_json::Value) -> Frame {
    Frame::text(&serde_json::json!({ "hook": answer }).to_string())
}

impl Dialect for WebhookDialect {
    fn topics(&self) -> &[TopicSpec] {
        &[]
    }

    /// Never told: there is nothing that changes.
    fn change(&self, _: Topic, _: &Ids) -> Frame {
        Frame::text("{}")
    }

    fn hear(&self, text: &str, home: &Recipient) -> Heard {
        // Most say nothing but keep-alives of their own.
        if !text.starts_with(r#"{"hook""#) {
            return Heard::Nothing;
        }
        let complain = |why: &str| Heard::Answer(about_hooks(&serde_json::json!({ "error": why })));
        let (Ok(said), Some(claim)) = (serde_json::from_str::<Said>(text), Claim::of_home(home))
        else {
            return complain("malformed");
        };
        let Some(turn) = Turn::take(&self.busy, home) else { return complain("try later") };
        match self.desk.try_send(Wanted { claim, home: home.clone(), asked: said.hook, turn }) {
            Ok(()) => Heard::Nothing,
            Err(_) => complain("try later"),
        }
    }

    /// Those that have one are greeted with it.
    fn welcome(&self) -> Option<Frame> {
        None
    }

    fn refusal(&self, refusal: Refusal) -> Option<Frame> {
        Some(refused(match refusal {
            Refusal::Invalid | Refusal::Revoked => Refused::Unknown,
            Refusal::TryLater | Refusal::TimedOut => Refused::TryLater,
            Refusal::TooMany => Refused::Full,
        }))
    }

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Dialect as _, Frame, Heard, WebhookDialect};
    use tokio::sync::mpsc;

    #[test]
    fn a_wish_goes_to_the_desk_and_what_is_none_is_answered() {
        let (desk, mut wanted) = mpsc::channel(1);
        let (dialect, claim) = (WebhookDialect::new(desk), Claim::new("u", "c").unwrap());
        for text in ["", "ping", "{}", r#"{"register":{}}"#, "\u{0}"] {
            assert_eq!(dialect.hear(text, &claim.home()), Heard::Nothing, "{text}");
        }
        let complaint =
            |why| Heard::Answer(Frame::text(&format!(r#"{{"hook":{{"error":"{why}"}}}}"#)));
        for text in [r#"{"hook""#, r#"{"hook":1}"#, r#"{"hook":{"seconds":"x"}}"#] {
            assert_eq!(dialect.hear(text, &claim.home()), complaint("malformed"), "{text}");
        }
        assert!(wanted.try_recv().is_err());
        assert_eq!(dialect.hear(r#"{"hook":{}}"#, &claim.home()), Heard::Nothing);
        assert_eq!(dialect.hear(r#"{"hook":{}}"#, &claim.home()), complaint("try later"));
        let first = wanted.try_recv().unwrap();
        assert_eq!(first.claim, claim);
        assert_eq!(dialect.hear(r#"{"hook":{}}"#, &claim.home()), complaint("try later"));
        let other = Claim::new("u", "d").unwrap();
        assert_eq!(dialect.hear(r#"{"hook":{}}"#, &other.home()), Heard::Nothing);
        let full = Claim::new("u", "e").unwrap();
        assert_eq!(dialect.hear(r#"{"hook":{}}"#, &full.home()), complaint("try later"));
        drop((first, wanted.try_recv().unwrap()));
        assert_eq!(dialect.hear(r#"{"hook":{}}"#, &claim.home()), Heard::Nothing);
    }
}

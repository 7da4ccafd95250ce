//! The WebSocket protocol of browsers (`specs/aphlict.md` section 5).

use super::{
    command::{AphlictCommand, InvalidCommand},
    history::SharedMessageHistory,
    instance::PhorgeInstance,
};
use crate::{
    push::{
        notice::{ChangedIds, TopicId},
        recipient::Recipient,
        session::{
            ClientDialect, ClientRequest, CloseReason, RejectReason, ReplaySource, TopicSpec,
        },
    },
    websocket::frame::Frame,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::time::Instant;

/// The longest message of a browser, in bytes: the default number of ids (8192) of Phorge's length
/// (30 bytes, quotes and comma) in one `subscribe`.
const MAX_MESSAGE: usize = 512 * 1024;

/// How many ids a browser may subscribe to. Cheap to clone; all clones share the value.
#[derive(Debug, Clone)]
pub struct SubscriptionLimit(Arc<AtomicUsize>);

impl SubscriptionLimit {
    /// Starts with this limit.
    pub fn new(subscription_limit: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(subscription_limit)))
    }

    /// Changes the limit for all clones.
    pub fn allow(&self, subscription_limit: usize) {
        self.0.store(subscription_limit, Relaxed);
    }

    /// The ids up to the limit, and one more, which shows the session that there are too many.
    /// Each gets its instance's name as a prefix, so that the result may be many times as long.
    fn cut<'a>(&self, ids: &'a [String]) -> impl Iterator<Item = &'a String> {
        ids.iter().take(self.0.load(Relaxed).saturating_add(1))
    }
}

/// Reads and writes Aphlict's messages.
pub struct AphlictDialect {
    history: SharedMessageHistory,
    subscription_limit: SubscriptionLimit,
    now: fn() -> Instant,
    pong: Frame,
}

impl AphlictDialect {
    /// Reconnecting browsers get a replay from this history.
    pub fn new(
        history: SharedMessageHistory,
        subscription_limit: SubscriptionLimit,
        now: fn() -> Instant,
    ) -> Self {
        Self { history, subscription_limit, now, pong: Frame::text(r#"{"type":"pong"}"#) }
    }

    fn execute(&self, command: AphlictCommand, home: &Recipient) -> ClientRequest {
        let named = |ids: Vec<String>| {
            self.subscription_limit
                .cut(&ids)
                .map(|id| PhorgeInstance::recipient_at(home, id))
                .collect::<Vec<_>>()
        };
        match command {
            AphlictCommand::Subscribe(ids) => ClientRequest::Subscribe(named(ids)),
            AphlictCommand::Unsubscribe(ids) => ClientRequest::Unsubscribe(named(ids)),
            AphlictCommand::Replay(age) => {
                let (history, home, now) = (self.history.clone(), home.clone(), self.now);
                ClientRequest::Replay(ReplaySource::new(move || {
                    history.snapshot(&home, age, now()).entries().cloned().collect()
                }))
            }
            AphlictCommand::Ping => ClientRequest::Answer(self.pong.clone()),
        }
    }
}

impl ClientDialect for AphlictDialect {
    fn topics(&self) -> &[TopicSpec] {
        &[]
    }

    /// Never called: Aphlict has no topics, and messages are forwarded unchanged.
    fn change(&self, _topic: TopicId, _ids: &ChangedIds) -> Frame {
        self.pong.clone()
    }

    fn receive(&self, text: &str, home: &Recipient) -> ClientRequest {
        match AphlictCommand::parse(text) {
            Ok(command) => self.execute(command, home),
            Err(why) => ignored(why),
        }
    }

    fn receive_binary(&self, message: &[u8], home: &Recipient) -> ClientRequest {
        match std::str::from_utf8(message) {
            Ok(text) => self.receive(text, home),
            Err(_) => ignored(InvalidCommand::NoCommand),
        }
    }

    fn welcome(&self) -> Option<Frame> {
        None
    }

    fn refusal(&self, _refusal: RejectReason) -> Option<Frame> {
        None
    }

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }
}

fn ignored(why: InvalidCommand) -> ClientRequest {
    if why == InvalidCommand::TooManyIds {
        return ClientRequest::Close(CloseReason::LimitExceeded);
    }
    tracing::debug!(%why, "ignoring an invalid command of a browser");
    ClientRequest::Nothing
}

#[cfg(test)]
mod tests {
    use super::{AphlictDialect, SubscriptionLimit};
    use crate::{
        push::session::{BacklogEntry, ClientDialect, ClientRequest, CloseReason},
        services::phorge::{
            command::MAX_ELEMENTS,
            history::{MessageIdentity, SharedMessageHistory},
            instance::PhorgeInstance,
            message::AphlictMessage,
        },
    };
    use tokio::time::Instant;

    fn dialect() -> AphlictDialect {
        AphlictDialect::new(
            SharedMessageHistory::default(),
            SubscriptionLimit::new(3),
            Instant::now,
        )
    }

    #[test]
    fn ids_belong_to_the_browsers_instance() {
        let home = PhorgeInstance::of_path("/ws/~acme/").unwrap().home().clone();
        let text = r#"{"command":"subscribe","data":["a","__proto__"]}"#;
        let expected = ClientRequest::Subscribe(vec!["acme/a".into(), "acme/__proto__".into()]);
        assert_eq!(dialect().receive(text, &home), expected);
        assert_eq!(dialect().receive_binary(text.as_bytes(), &home), expected);
    }

    #[test]
    fn ids_beyond_the_limit_are_cut_after_one() {
        let home = PhorgeInstance::of_path("/").unwrap().home().clone();
        let dialect = dialect();
        let named = |ids: &str| {
            let text = format!(r#"{{"command":"subscribe","data":[{ids}]}}"#);
            match dialect.receive(&text, &home) {
                ClientRequest::Subscribe(recipients) => recipients.len(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(named(r#""a","a","a","a","a","b","c""#), 3, "each counts once");
        assert_eq!(named(r#""a","b","c","d","e","f","g""#), 4);
        dialect.subscription_limit.allow(5);
        assert_eq!(named(r#""a","b","c","d","e","f","g""#), 6);
    }

    #[test]
    fn a_client_with_an_endless_array_is_closed() {
        let home = PhorgeInstance::of_path("/").unwrap().home().clone();
        let ids = vec!["7"; MAX_ELEMENTS + 1].join(",");
        let text = format!(r#"{{"command":"unsubscribe","data":[{ids}]}}"#);
        let closed = ClientRequest::Close(CloseReason::LimitExceeded);
        assert_eq!(dialect().receive(&text, &home), closed);
    }

    #[test]
    fn a_ping_is_answered_and_invalid_text_is_ignored() {
        let home = PhorgeInstance::of_path("/").unwrap().home().clone();
        let ClientRequest::Answer(pong) =
            dialect().receive(r#"{"command":"ping","data":null}"#, &home)
        else {
            panic!("no answer");
        };
        assert_eq!(pong.payload(), r#"{"type":"pong"}"#);
        assert_eq!(dialect().receive("null", &home), ClientRequest::Nothing);
        assert_eq!(dialect().receive_binary(b"\xff", &home), ClientRequest::Nothing);
    }

    #[test]
    fn a_replay_holds_only_the_browsers_instance() {
        let (dialect, acme) = (dialect(), PhorgeInstance::of_path("/~acme/").unwrap());
        let message = AphlictMessage::parse(br#"{"subscribers":[]}"#).unwrap();
        let frame = dialect.pong.clone();
        let held = BacklogEntry { to: [].into(), frame };
        assert!(dialect.history.lock().take(
            &acme,
            &MessageIdentity::of(&message),
            held,
            Instant::now()
        ));
        let replay = |home| match dialect.receive(r#"{"command":"replay","data":{}}"#, home) {
            ClientRequest::Replay(past) => past.entries().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(replay(acme.home()), 1);
        assert_eq!(replay(PhorgeInstance::of_path("/").unwrap().home()), 0);
    }
}

//! How plain clients are spoken to: JSON texts, one for each message.

use super::{admission::AdmissionError, hooks::HookCommand, registration_key::RegistrationKey};
use crate::{
    push::{
        notice::{ChangedIds, TopicId},
        recipient::Recipient,
        session::{ClientDialect, ClientRequest, RejectReason, TopicSpec},
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
pub struct HookJob {
    /// Who.
    pub claim: RegistrationKey,
    /// Where the answer goes.
    pub home: Recipient,
    /// What.
    pub command: HookCommand,
    /// Its client wants nothing more until this is dropped.
    pub turn: HookTurn,
}

/// Connections with a request that isn't answered yet: one each, so that none starves the others.
type BusyConnections = Arc<Mutex<HashSet<Recipient>>>;

/// A connection's turn at the hook_queue.
#[derive(Debug)]
pub struct HookTurn {
    busy: BusyConnections,
    home: Recipient,
}

impl HookTurn {
    fn take(busy: &BusyConnections, home: &Recipient) -> Option<Self> {
        let free = lock(busy).insert(home.clone());
        free.then(|| Self { busy: Arc::clone(busy), home: home.clone() })
    }
}

impl Drop for HookTurn {
    fn drop(&mut self) {
        lock(&self.busy).remove(&self.home);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wording. What takes time goes to a hook_queue, which answers later.
pub struct WebhookDialect {
    hook_queue: mpsc::Sender<HookJob>,
    busy: BusyConnections,
}

/// What a client may say: `{"hook":{…}}`.
#[derive(Deserialize)]
struct ClientHookMessage {
    hook: HookCommand,
}

impl WebhookDialect {
    /// With this hook_queue.
    pub fn new(hook_queue: mpsc::Sender<HookJob>) -> Self {
        Self { hook_queue, busy: BusyConnections::default() }
    }
}

/// The first text of a session.
pub fn registered() -> Frame {
    Frame::text(r#"{"registered":true}"#)
}

/// The last text of a client that isn't let in.
pub fn refused(refused: AdmissionError) -> Frame {
    Frame::text(&serde_json::json!({ "error": refused.name() }).to_string())
}

/// An answer about hooks.
pub fn about_hooks(answer: &serde_json::Value) -> Frame {
    Frame::text(&serde_json::json!({ "hook": answer }).to_string())
}

impl ClientDialect for WebhookDialect {
    fn topics(&self) -> &[TopicSpec] {
        &[]
    }

    /// Never told: there is nothing that changes.
    fn change(&self, _: TopicId, _: &ChangedIds) -> Frame {
        Frame::text("{}")
    }

    fn receive(&self, text: &str, home: &Recipient) -> ClientRequest {
        // Most say nothing but keep-alives of their own.
        if !text.starts_with(r#"{"hook""#) {
            return ClientRequest::Nothing;
        }
        let complain =
            |why: &str| ClientRequest::Answer(about_hooks(&serde_json::json!({ "error": why })));
        let (Ok(said), Some(claim)) =
            (serde_json::from_str::<ClientHookMessage>(text), RegistrationKey::from_home(home))
        else {
            return complain("malformed");
        };
        let Some(turn) = HookTurn::take(&self.busy, home) else { return complain("try later") };
        match self.hook_queue.try_send(HookJob {
            claim,
            home: home.clone(),
            command: said.hook,
            turn,
        }) {
            Ok(()) => ClientRequest::Nothing,
            Err(_) => complain("try later"),
        }
    }

    /// Those that have one are greeted with it.
    fn welcome(&self) -> Option<Frame> {
        None
    }

    fn refusal(&self, refusal: RejectReason) -> Option<Frame> {
        Some(refused(match refusal {
            RejectReason::Invalid | RejectReason::Revoked => AdmissionError::Unknown,
            RejectReason::TryLater | RejectReason::TimedOut => AdmissionError::TryLater,
            RejectReason::TooMany => AdmissionError::Full,
        }))
    }

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientDialect as _, ClientRequest, Frame, RegistrationKey, WebhookDialect};
    use tokio::sync::mpsc;

    #[test]
    fn a_wish_goes_to_the_desk_and_what_is_none_is_answered() {
        let (hook_queue, mut hook_jobs) = mpsc::channel(1);
        let (dialect, claim) =
            (WebhookDialect::new(hook_queue), RegistrationKey::new("u", "c").unwrap());
        for text in ["", "ping", "{}", r#"{"register":{}}"#, "\u{0}"] {
            assert_eq!(dialect.receive(text, &claim.home()), ClientRequest::Nothing, "{text}");
        }
        let complaint =
            |why| ClientRequest::Answer(Frame::text(&format!(r#"{{"hook":{{"error":"{why}"}}}}"#)));
        for text in [r#"{"hook""#, r#"{"hook":1}"#, r#"{"hook":{"seconds":"x"}}"#] {
            assert_eq!(dialect.receive(text, &claim.home()), complaint("malformed"), "{text}");
        }
        assert!(hook_jobs.try_recv().is_err());
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.home()), ClientRequest::Nothing);
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.home()), complaint("try later"));
        let first = hook_jobs.try_recv().unwrap();
        assert_eq!(first.claim, claim);
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.home()), complaint("try later"));
        let other = RegistrationKey::new("u", "d").unwrap();
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &other.home()), ClientRequest::Nothing);
        let full = RegistrationKey::new("u", "e").unwrap();
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &full.home()), complaint("try later"));
        drop((first, hook_jobs.try_recv().unwrap()));
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.home()), ClientRequest::Nothing);
    }
}

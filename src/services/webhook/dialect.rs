//! The protocol of plain WebSocket clients: one JSON text for each message.

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

/// Longest message of a client, in bytes.
const MAX_MESSAGE: usize = 4096;

/// A client's request about its private URLs.
#[derive(Debug)]
pub struct HookJob {
    /// The pair of the client.
    pub claim: RegistrationKey,
    /// Recipient of the answer.
    pub primary: Recipient,
    /// What it requests.
    pub command: HookCommand,
    /// Held until the answer is sent: one request at a time for each client.
    pub turn: HookTurn,
}

/// Connections with an unanswered request. One each, so that no client starves the others.
type BusyConnections = Arc<Mutex<HashSet<Recipient>>>;

/// A connection's turn in the hook queue.
#[derive(Debug)]
pub struct HookTurn {
    busy: BusyConnections,
    primary: Recipient,
}

impl HookTurn {
    fn take(busy: &BusyConnections, primary: &Recipient) -> Option<Self> {
        let free = lock(busy).insert(primary.clone());
        free.then(|| Self { busy: Arc::clone(busy), primary: primary.clone() })
    }
}

impl Drop for HookTurn {
    fn drop(&mut self) {
        lock(&self.busy).remove(&self.primary);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The protocol's implementation. Requests about hooks go to a queue and are answered later.
pub struct WebhookDialect {
    hook_queue: mpsc::Sender<HookJob>,
    busy: BusyConnections,
}

/// The only request of clients: `{"hook":{…}}`.
#[derive(Deserialize)]
struct ClientHookMessage {
    hook: HookCommand,
}

impl WebhookDialect {
    /// Creates a dialect that queues requests here.
    pub fn new(hook_queue: mpsc::Sender<HookJob>) -> Self {
        Self { hook_queue, busy: BusyConnections::default() }
    }
}

/// First text of a session.
pub fn registered() -> Frame {
    Frame::text(r#"{"registered":true}"#)
}

/// Text before replayed messages of which some are missing; clients read it as it is.
pub const MESSAGES_MISSING: &str = r#"{"missing":true}"#;

/// Informs a client that it has missed messages which aren't kept any more.
pub fn messages_missing() -> Frame {
    Frame::text(MESSAGES_MISSING)
}

/// Last text to a refused client.
pub fn refused(refused: AdmissionError) -> Frame {
    Frame::text(&serde_json::json!({ "error": refused.name() }).to_string())
}

/// Answer to a request about hooks.
pub fn hook_answer(answer: &serde_json::Value) -> Frame {
    Frame::text(&serde_json::json!({ "hook": answer }).to_string())
}

impl ClientDialect for WebhookDialect {
    fn topics(&self) -> &[TopicSpec] {
        &[]
    }

    /// Never called: webhook services have no topics.
    fn change(&self, _: TopicId, _: &ChangedIds) -> Frame {
        Frame::text("{}")
    }

    fn receive(&self, text: &str, primary: &Recipient) -> ClientRequest {
        // Most texts of clients are keep-alives of their own.
        if !text.starts_with(r#"{"hook""#) {
            return ClientRequest::Nothing;
        }
        let complain =
            |why: &str| ClientRequest::Answer(hook_answer(&serde_json::json!({ "error": why })));
        let (Ok(request), Some(claim)) = (
            serde_json::from_str::<ClientHookMessage>(text),
            RegistrationKey::from_primary(primary),
        ) else {
            return complain("malformed");
        };
        let Some(turn) = HookTurn::take(&self.busy, primary) else { return complain("try later") };
        match self.hook_queue.try_send(HookJob {
            claim,
            primary: primary.clone(),
            command: request.hook,
            turn,
        }) {
            Ok(()) => ClientRequest::Nothing,
            Err(_) => complain("try later"),
        }
    }

    /// The dispatcher sends the greeting.
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
    fn hook_requests_are_queued_and_invalid_ones_answered() {
        let (hook_queue, mut hook_jobs) = mpsc::channel(1);
        let (dialect, claim) =
            (WebhookDialect::new(hook_queue), RegistrationKey::new("u", "c").unwrap());
        for text in ["", "ping", "{}", r#"{"register":{}}"#, "\u{0}"] {
            assert_eq!(dialect.receive(text, &claim.primary()), ClientRequest::Nothing, "{text}");
        }
        let complaint =
            |why| ClientRequest::Answer(Frame::text(&format!(r#"{{"hook":{{"error":"{why}"}}}}"#)));
        for text in [r#"{"hook""#, r#"{"hook":1}"#, r#"{"hook":{"seconds":"x"}}"#] {
            assert_eq!(dialect.receive(text, &claim.primary()), complaint("malformed"), "{text}");
        }
        assert!(hook_jobs.try_recv().is_err());
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.primary()), ClientRequest::Nothing);
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.primary()), complaint("try later"));
        let first = hook_jobs.try_recv().unwrap();
        assert_eq!(first.claim, claim);
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.primary()), complaint("try later"));
        let other = RegistrationKey::new("u", "d").unwrap();
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &other.primary()), ClientRequest::Nothing);
        let full = RegistrationKey::new("u", "e").unwrap();
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &full.primary()), complaint("try later"));
        drop((first, hook_jobs.try_recv().unwrap()));
        assert_eq!(dialect.receive(r#"{"hook":{}}"#, &claim.primary()), ClientRequest::Nothing);
    }
}

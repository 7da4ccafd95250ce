//! Publishes messages: one task handles them one after the other, so that history, browsers and peers get
//! them in the same order.

use super::{
    fingerprint::ServerFingerprint,
    history::{MessageIdentity, SharedMessageHistory},
    instance::PhorgeInstance,
    message::AphlictMessage,
    peers::{PeerRelay, RelayedMessage},
};
use crate::{
    push::{
        hub::{Hub, HubClosed},
        notice::{Notice, NoticeAudience},
        recipient::Recipient,
        session::BacklogEntry,
    },
    websocket::frame::Frame,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};

/// The most messages that wait; beyond it a publisher gets 503 with `Retry-After`.
pub const QUEUE: usize = 1024;

/// A message is not accepted: too many wait, or the server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages wait to be published")]
pub struct PublishQueueFull;

/// Accepts messages for publishing. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PublishQueue(mpsc::Sender<PublishJob>);

/// One message in the queue.
struct PublishJob {
    payload: PublishPayload,
    at: Instant,
    done: oneshot::Sender<()>,
    /// The budget of its bytes, which it keeps even if its publisher disconnects.
    _permit: Option<OwnedSemaphorePermit>,
}

enum PublishPayload {
    /// For browsers, history and peers.
    Message(PhorgeInstance, AphlictMessage),
    /// A self-probe's message for one recipient, without history and peers.
    Probe(Recipient, Frame),
}

/// The queue's end for [`PublishWorker::run`].
pub struct PublishReceiver(mpsc::Receiver<PublishJob>);

/// Creates a queue: its sender and its receiver.
pub fn publish_queue() -> (PublishQueue, PublishReceiver) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (PublishQueue(sender), PublishReceiver(receiver))
}

impl PublishQueue {
    /// Publishes a message; returns once it is with the browsers' sessions and in the peers' queues. The
    /// permit for its bytes is released then, even if the caller no longer waits.
    ///
    /// # Errors
    /// [`PublishQueueFull`]: the message is not published.
    pub async fn publish(
        &self,
        instance: PhorgeInstance,
        message: AphlictMessage,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), PublishQueueFull> {
        self.enqueue(PublishPayload::Message(instance, message), permit).await
    }

    /// Sends a text to one recipient, without history and peers.
    ///
    /// # Errors
    /// [`PublishQueueFull`]: the text is not sent.
    pub async fn probe(&self, to: Recipient, text: &str) -> Result<(), PublishQueueFull> {
        self.enqueue(PublishPayload::Probe(to, Frame::text(text)), None).await
    }

    async fn enqueue(
        &self,
        payload: PublishPayload,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), PublishQueueFull> {
        let (done, published) = oneshot::channel();
        let job = PublishJob { payload, at: Instant::now(), done, _permit: permit };
        self.0.try_send(job).map_err(|_| PublishQueueFull)?;
        published.await.map_err(|_| PublishQueueFull)
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }
}

/// The task that publishes.
pub struct PublishWorker {
    /// Delivers to browsers.
    pub hub: Hub,
    /// Keeps messages for replay.
    pub history: SharedMessageHistory,
    /// Relays to the other servers.
    pub peers: PeerRelay,
    /// This server's fingerprint.
    pub fingerprint: ServerFingerprint,
    /// Counts messages that only the self-probe receives.
    pub probe_only_messages: Arc<AtomicU64>,
}

impl PublishWorker {
    /// Publishes messages until the queue or the hub is closed.
    pub async fn run(self, PublishReceiver(mut queue): PublishReceiver) {
        while let Some(PublishJob { payload, at, done, _permit }) = queue.recv().await {
            let published = match payload {
                PublishPayload::Message(instance, message) => {
                    self.publish(instance, message, at).await
                }
                PublishPayload::Probe(to, frame) => self.probe(to, frame, at).await,
            };
            if published.is_err() {
                return;
            }
            // A publisher that disconnected needs no answer.
            let _ = done.send(());
        }
    }

    async fn publish(
        &self,
        instance: PhorgeInstance,
        message: AphlictMessage,
        at: Instant,
    ) -> Result<(), HubClosed> {
        let Some((to, relay)) = self.take(instance, message) else { return Ok(()) };
        if !to.is_empty() {
            let notice = Notice::Opaque(relay.frame.clone());
            self.hub.broadcast(NoticeAudience::Many(to), notice, at).await?;
        }
        self.peers.forward(&relay);
        Ok(())
    }

    async fn probe(&self, to: Recipient, frame: Frame, at: Instant) -> Result<(), HubClosed> {
        // The probe may have given up: then nothing is sent or counted.
        let here = u64::try_from(self.hub.count(&to).await?).unwrap_or_default();
        self.probe_only_messages.fetch_add(here, Relaxed);
        self.hub.notify(to, Notice::Opaque(frame), at).await
    }

    /// Stores a message; returns its recipients here and the message for peers, or None for a copy.
    fn take(
        &self,
        instance: PhorgeInstance,
        message: AphlictMessage,
    ) -> Option<(Arc<[Recipient]>, RelayedMessage)> {
        let own = self.fingerprint.as_str();
        if message.touched.iter().any(|touched| touched == own) {
            return None;
        }
        let to = recipients(&instance, &message.subscribers);
        let frame = Frame::text(&message.touched_by(own));
        let (identity, held) = (
            MessageIdentity::of(&message),
            BacklogEntry { to: Arc::clone(&to), frame: frame.clone() },
        );
        let is_new = self.history.lock().take(&instance, &identity, held, Instant::now());
        is_new.then(|| (to, RelayedMessage { instance, frame, touched: message.touched.into() }))
    }
}

/// The distinct recipients in order of first appearance.
fn recipients(instance: &PhorgeInstance, ids: &[String]) -> Arc<[Recipient]> {
    let known: indexmap::IndexSet<Recipient> =
        ids.iter().filter_map(|id| instance.recipient(id)).collect();
    known.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{
        AphlictMessage, PhorgeInstance, PublishQueueFull, QUEUE, publish_queue, recipients,
    };
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn instance(query: &str) -> PhorgeInstance {
        PhorgeInstance::of_query(query).unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (publish_queue, inbox) = publish_queue();
        let permit = Arc::new(Semaphore::new(QUEUE));
        let publish = || {
            let message = AphlictMessage::parse(br#"{"subscribers":[]}"#).unwrap();
            publish_queue.publish(
                instance(""),
                message,
                Arc::clone(&permit).try_acquire_owned().ok(),
            )
        };
        for waiting in 0..QUEUE {
            assert_eq!(
                (publish_queue.waiting(), permit.available_permits()),
                (waiting, QUEUE - waiting)
            );
            // The publisher gives up; the message and its permit stay.
            assert_eq!(publish().now_or_never(), None);
        }
        assert_eq!(publish().await, Err(PublishQueueFull));
        drop(inbox);
        assert_eq!(permit.available_permits(), QUEUE);
        assert_eq!(publish().await, Err(PublishQueueFull));
    }

    #[test]
    fn recipients_are_distinct() {
        let ids = ["b", "a", "b"].map(str::to_owned);
        let found = recipients(&instance("instance=acme"), &ids);
        assert_eq!(*found, ["acme/b".into(), "acme/a".into()]);
        assert!(recipients(&instance("instance=a/b"), &ids).is_empty());
    }
}

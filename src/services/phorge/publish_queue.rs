//! Where messages are published: one task takes them one after the other, so that history, browsers and
//! peers have them in one order.

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
        notice::Notice,
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

/// Messages that may wait; of more the publisher is told to come back.
pub const QUEUE: usize = 1024;

/// A message is not taken: too many wait, or the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages wait to be published")]
pub struct PublishQueueFull;

/// Takes messages in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PublishQueue(mpsc::Sender<PublishJob>);

/// One message on its way.
struct PublishJob {
    what: PublishPayload,
    at: Instant,
    done: oneshot::Sender<()>,
    /// Room for its bytes, which it needs also when its publisher has gone.
    _permit: Option<OwnedSemaphorePermit>,
}

enum PublishPayload {
    /// For browsers, history and peers.
    Message(PhorgeInstance, AphlictMessage),
    /// For one who listens, and nobody else.
    Probe(Recipient, Frame),
}

/// What waits for [`PublishWorker::run`].
pub struct PublishReceiver(mpsc::Receiver<PublishJob>);

/// A publish_queue and what lies on it.
pub fn publish_queue() -> (PublishQueue, PublishReceiver) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (PublishQueue(sender), PublishReceiver(receiver))
}

impl PublishQueue {
    /// Publishes a message; done once browsers have been told and the peers' queues have it. The permit
    /// that its bytes take is free again then, whether or not somebody waits for that.
    ///
    /// # Errors
    /// [`PublishQueueFull`]: nobody has been told.
    pub async fn publish(
        &self,
        instance: PhorgeInstance,
        message: AphlictMessage,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), PublishQueueFull> {
        self.enqueue(PublishPayload::Message(instance, message), permit).await
    }

    /// Tells one recipient a text, with nothing left behind.
    ///
    /// # Errors
    /// [`PublishQueueFull`]: it hasn't been told.
    pub async fn probe(&self, to: Recipient, text: &str) -> Result<(), PublishQueueFull> {
        self.enqueue(PublishPayload::Probe(to, Frame::text(text)), None).await
    }

    async fn enqueue(
        &self,
        what: PublishPayload,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), PublishQueueFull> {
        let (done, told) = oneshot::channel();
        let job = PublishJob { what, at: Instant::now(), done, _permit: permit };
        self.0.try_send(job).map_err(|_| PublishQueueFull)?;
        told.await.map_err(|_| PublishQueueFull)
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }
}

/// Who publishes.
pub struct PublishWorker {
    /// Who tells browsers.
    pub hub: Hub,
    /// Where browsers that come back find what they missed.
    pub history: SharedMessageHistory,
    /// Who else is told.
    pub peers: PeerRelay,
    /// What we are called.
    pub fingerprint: ServerFingerprint,
    /// Counts what nobody but the probe hears.
    pub probe_only_messages: Arc<AtomicU64>,
}

impl PublishWorker {
    /// Publishes what comes, until the hub ends.
    pub async fn run(self, PublishReceiver(mut queue): PublishReceiver) {
        while let Some(PublishJob { what, at, done, _permit }) = queue.recv().await {
            let told = match what {
                PublishPayload::Message(instance, message) => {
                    self.publish(instance, message, at).await
                }
                PublishPayload::Probe(to, frame) => self.probe(to, frame, at).await,
            };
            if told.is_err() {
                return;
            }
            // A publisher that has gone needs no answer.
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
            self.hub.broadcast(Some(to), notice, at).await?;
        }
        self.peers.forward(&relay);
        Ok(())
    }

    async fn probe(&self, to: Recipient, frame: Frame, at: Instant) -> Result<(), HubClosed> {
        // A probe may have given up meanwhile: what isn't sent isn't counted.
        let here = u64::try_from(self.hub.count(&to).await?).unwrap_or_default();
        self.probe_only_messages.fetch_add(here, Relaxed);
        self.hub.notify(to, Notice::Opaque(frame), at).await
    }

    /// What is to be told, and whom here, if that hasn't been done before.
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
        let (mark, held) = (
            MessageIdentity::of(&message),
            BacklogEntry { to: Arc::clone(&to), frame: frame.clone() },
        );
        let is_new = self.history.lock().take(&instance, &mark, held, Instant::now());
        is_new.then(|| (to, RelayedMessage { instance, frame, touched: message.touched.into() }))
    }
}

/// Each once, in order of first appearance.
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
    async fn of_too_many_messages_the_publisher_is_told_at_once() {
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
            // Its publisher gives up; the message stays, and so does the permit that it takes.
            assert_eq!(publish().now_or_never(), None);
        }
        assert_eq!(publish().await, Err(PublishQueueFull));
        drop(inbox);
        assert_eq!(permit.available_permits(), QUEUE);
        assert_eq!(publish().await, Err(PublishQueueFull));
    }

    #[test]
    fn each_recipient_is_told_once_however_often_it_is_named() {
        let ids = ["b", "a", "b"].map(str::to_owned);
        let told = recipients(&instance("instance=acme"), &ids);
        assert_eq!(*told, ["acme/b".into(), "acme/a".into()]);
        assert!(recipients(&instance("instance=a/b"), &ids).is_empty());
    }
}

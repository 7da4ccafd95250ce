//! Where messages are published: one task takes them one after the other, so that history, browsers and
//! peers have them in one order.

use super::{
    fingerprint::Fingerprint,
    history::{Mark, Shelves},
    instance::Instance,
    message::Message,
    peers::{Peers, Relay},
};
use crate::{
    push::{
        hub::{Hub, HubClosed},
        notice::Notice,
        recipient::Recipient,
        session::Held,
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
pub struct Busy;

/// Takes messages in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(mpsc::Sender<Errand>);

/// One message on its way.
struct Errand {
    what: What,
    at: Instant,
    done: oneshot::Sender<()>,
    /// Room for its bytes, which it needs also when its publisher has gone.
    _room: Option<OwnedSemaphorePermit>,
}

enum What {
    /// For browsers, history and peers.
    Message(Instance, Message),
    /// For one who listens, and nobody else.
    Probe(Recipient, Frame),
}

/// What waits for [`Clerk::run`].
pub struct Inbox(mpsc::Receiver<Errand>);

/// A desk and what lies on it.
pub fn desk() -> (Desk, Inbox) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Desk(sender), Inbox(receiver))
}

impl Desk {
    /// Publishes a message; done once browsers have been told and the peers' queues have it. The room
    /// that its bytes take is free again then, whether or not somebody waits for that.
    ///
    /// # Errors
    /// [`Busy`]: nobody has been told.
    pub async fn publish(
        &self,
        instance: Instance,
        message: Message,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Busy> {
        self.put(What::Message(instance, message), room).await
    }

    /// Tells one recipient a text, with nothing left behind.
    ///
    /// # Errors
    /// [`Busy`]: it hasn't been told.
    pub async fn probe(&self, to: Recipient, text: &str) -> Result<(), Busy> {
        self.put(What::Probe(to, Frame::text(text)), None).await
    }

    async fn put(&self, what: What, room: Option<OwnedSemaphorePermit>) -> Result<(), Busy> {
        let (done, told) = oneshot::channel();
        let errand = Errand { what, at: Instant::now(), done, _room: room };
        self.0.try_send(errand).map_err(|_| Busy)?;
        told.await.map_err(|_| Busy)
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }
}

/// Who publishes.
pub struct Clerk {
    /// Who tells browsers.
    pub hub: Hub,
    /// Where browsers that come back find what they missed.
    pub history: Shelves,
    /// Who else is told.
    pub peers: Peers,
    /// What we are called.
    pub fingerprint: Fingerprint,
    /// Counts what nobody but the probe hears.
    pub probed: Arc<AtomicU64>,
}

impl Clerk {
    /// Publishes what comes, until the hub ends.
    pub async fn run(self, Inbox(mut queue): Inbox) {
        while let Some(Errand { what, at, done, _room }) = queue.recv().await {
            let told = match what {
                What::Message(instance, message) => self.publish(instance, message, at).await,
                What::Probe(to, frame) => self.probe(to, frame, at).await,
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
        instance: Instance,
        message: Message,
        at: Instant,
    ) -> Result<(), HubClosed> {
        let Some((to, relay)) = self.take(instance, message) else { return Ok(()) };
        if !to.is_empty() {
            let notice = Notice::Opaque(relay.frame.clone());
            self.hub.tell_all(Some(to), notice, at).await?;
        }
        self.peers.pass_on(&relay);
        Ok(())
    }

    async fn probe(&self, to: Recipient, frame: Frame, at: Instant) -> Result<(), HubClosed> {
        // A probe may have given up meanwhile: what isn't sent isn't counted.
        let here = u64::try_from(self.hub.count(&to).await?).unwrap_or_default();
        self.probed.fetch_add(here, Relaxed);
        self.hub.tell(to, Notice::Opaque(frame), at).await
    }

    /// What is to be told, and whom here, if that hasn't been done before.
    fn take(&self, instance: Instance, message: Message) -> Option<(Arc<[Recipient]>, Relay)> {
        let own = self.fingerprint.as_str();
        if message.touched.iter().any(|touched| touched == own) {
            return None;
        }
        let to = recipients(&instance, &message.subscribers);
        let frame = Frame::text(&message.touched_by(own));
        let (mark, held) = (Mark::of(&message), Held { to: Arc::clone(&to), frame: frame.clone() });
        let is_new = self.history.lock().take(&instance, &mark, held, Instant::now());
        is_new.then(|| (to, Relay { instance, frame, touched: message.touched.into() }))
    }
}

/// Each once, in order of first appearance.
fn recipients(instance: &Instance, ids: &[String]) -> Arc<[Recipient]> {
    let known: indexmap::IndexSet<Recipient> =
        ids.iter().filter_map(|id| instance.recipient(id)).collect();
    known.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{Busy, Instance, Message, QUEUE, desk, recipients};
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn instance(query: &str) -> Instance {
        Instance::of_query(query).unwrap()
    }

    #[tokio::test]
    async fn of_too_many_messages_the_publisher_is_told_at_once() {
        let (desk, inbox) = desk();
        let room = Arc::new(Semaphore::new(QUEUE));
        let publish = || {
            let message = Message::parse(br#"{"subscribers":[]}"#).unwrap();
            desk.publish(instance(""), message, Arc::clone(&room).try_acquire_owned().ok())
        };
        for waiting in 0..QUEUE {
            assert_eq!((desk.waiting(), room.available_permits()), (waiting, QUEUE - waiting));
            // Its publisher gives up; the message stays, and so does the room that it takes.
            assert_eq!(publish().now_or_never(), None);
        }
        assert_eq!(publish().await, Err(Busy));
        drop(inbox);
        assert_eq!(room.available_permits(), QUEUE);
        assert_eq!(publish().await, Err(Busy));
    }

    #[test]
    fn each_recipient_is_told_once_however_often_it_is_named() {
        let ids = ["b", "a", "b"].map(str::to_owned);
        let told = recipients(&instance("instance=acme"), &ids);
        assert_eq!(*told, ["acme/b".into(), "acme/a".into()]);
        assert!(recipients(&instance("instance=a/b"), &ids).is_empty());
    }
}

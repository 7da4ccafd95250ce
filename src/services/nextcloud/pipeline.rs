//! receive → decode → resolve → tell: one task that keeps the order of what it receives.

use crate::{
    client::{Delivery, Message},
    push::hub::{Hub, HubClosed},
    services::nextcloud::{
        audience_index::{Inquiry, Resolver},
        decoder::Host,
        event::{Access, Event, To},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Deliveries taken in one go.
const BATCH: usize = 256;
/// After a gap everyone is told within this time, or as fast as the push rate allows.
const GAP_SPREAD: Duration = Duration::from_secs(3);

/// What the pipeline reports to whoever counts.
pub trait Observer: Send + Sync + 'static {
    /// A message has come in on this channel.
    fn received(&self, channel: &'static str);
    /// It could not be understood.
    fn malformed(&self, channel: &'static str);
    /// It says that a place changed, and there is no database to look up whom that concerns.
    fn unresolved(&self);
    /// Messages may have been missed.
    fn gap(&self);
}

/// From a source's queue to the hub, for one host.
pub struct Pipeline<H> {
    /// Who understands the messages.
    pub host: Arc<H>,
    /// Who tells the clients.
    pub hub: Hub,
    /// Who knows whom a place concerns; without a database nobody can.
    pub resolver: Option<Resolver>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
}

impl<H: Host> Pipeline<H> {
    /// Runs until the process stops or nothing is left to read from or to tell.
    pub async fn run(self, mut queue: mpsc::Receiver<Delivery>, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.take_all(&mut queue)).await;
    }

    async fn take_all(&self, queue: &mut mpsc::Receiver<Delivery>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            for delivery in batch.drain(..) {
                let done = match delivery {
                    Delivery::Message(message, at) => self.take(&message, at).await,
                    Delivery::Gap => self.gap().await,
                };
                if done.is_err() {
                    return;
                }
            }
        }
    }

    async fn gap(&self) -> Result<(), HubClosed> {
        self.observer.gap();
        self.hub.gap(GAP_SPREAD).await
    }

    async fn take(&self, message: &Message, at: Instant) -> Result<(), HubClosed> {
        self.observer.received(message.channel);
        match self.host.decode(message) {
            Ok(event) => self.carry_out(event, at).await,
            Err(malformed) => {
                self.observer.malformed(message.channel);
                let (channel, bytes) = (message.channel, message.payload.len());
                tracing::debug!(channel, bytes, "message passed over: {malformed}");
                Ok(())
            }
        }
    }

    async fn carry_out(&self, event: Event<H::Order>, at: Instant) -> Result<(), HubClosed> {
        match event {
            Event::Changed(place, ids) => match &self.resolver {
                Some(resolver) => resolver.send(Inquiry::Changed(place, ids, at)).await,
                None => {
                    self.observer.unresolved();
                    Ok(())
                }
            },
            Event::Tell { to: To::One(recipient), notice, access } => {
                self.hub.tell(recipient.clone(), notice, at).await?;
                match (&self.resolver, access) {
                    (Some(resolver), Access::Perhaps | Access::Changed) => {
                        resolver.send(Inquiry::Access(recipient, access)).await
                    }
                    _ => Ok(()),
                }
            }
            Event::Tell { to: To::Everyone, notice, .. } => {
                self.hub.tell_all(None, notice, at).await
            }
            Event::Disconnect(recipient, close) => {
                let sessions = self.hub.disconnect(recipient, close).await?;
                tracing::info!(sessions, reason = close.name(), "closed, as asked over Redis");
                Ok(())
            }
            Event::Order(order) => {
                self.host.obey(order);
                Ok(())
            }
        }
    }
}

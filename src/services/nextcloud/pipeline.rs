//! receive → decode → resolve → notify: one task that keeps the order of what it receives.

use crate::{
    client::SourceMetrics,
    client::{SourceEvent, SourceMessage},
    push::{
        hub::{Hub, HubClosed},
        notice::NoticeAudience,
    },
    services::nextcloud::{
        audience::{AudienceResolver, ResolverRequest},
        event::{AccessChange, NoticeTarget, ServiceEvent},
        message_handler::MessageHandler,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Deliveries taken in one go.
const BATCH: usize = 256;
/// After a gap everyone is notified within this time, or as fast as the push rate allows.
const GAP_SPREAD: Duration = Duration::from_secs(3);

/// What the pipeline reports to whoever counts.
pub trait PipelineObserver: Send + Sync + 'static {
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
pub struct EventPipeline<H> {
    /// Who understands the messages.
    pub host: Arc<H>,
    /// Who notifies the clients.
    pub hub: Hub,
    /// Who knows whom a place concerns; without a database nobody can.
    pub resolver: Option<AudienceResolver>,
    /// Who counts.
    pub observer: Arc<dyn PipelineObserver>,
}

impl<H: MessageHandler> EventPipeline<H> {
    /// Runs until the process stops or nothing is left to read from or to notify.
    pub async fn run(self, mut queue: mpsc::Receiver<SourceEvent>, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.take_all(&mut queue)).await;
    }

    async fn take_all(&self, queue: &mut mpsc::Receiver<SourceEvent>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            for delivery in batch.drain(..) {
                let done = match delivery {
                    SourceEvent::Message(message, at) => self.take(&message, at).await,
                    SourceEvent::Gap => self.gap().await,
                    SourceEvent::Barrier(waiters) => {
                        for waiter in waiters {
                            // A caller may have stopped waiting.
                            let _ = waiter.send(());
                        }
                        Ok(())
                    }
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

    async fn take(&self, message: &SourceMessage, at: Instant) -> Result<(), HubClosed> {
        self.observer.received(message.channel);
        match self.host.decode(message) {
            Ok(event) => self.handle_event(event, at).await,
            Err(malformed) => {
                self.observer.malformed(message.channel);
                let (channel, bytes) = (message.channel, message.payload.len());
                tracing::debug!(channel, bytes, "message passed over: {malformed}");
                Ok(())
            }
        }
    }

    async fn handle_event(
        &self,
        event: ServiceEvent<H::Order>,
        at: Instant,
    ) -> Result<(), HubClosed> {
        match event {
            ServiceEvent::Changed(place, ids) => match &self.resolver {
                Some(resolver) => resolver.send(ResolverRequest::Changed(place, ids, at)).await,
                None => {
                    self.observer.unresolved();
                    Ok(())
                }
            },
            ServiceEvent::Notify { to: NoticeTarget::One(recipient), notice, access } => {
                self.hub.notify(recipient.clone(), notice, at).await?;
                match (&self.resolver, access) {
                    (Some(resolver), AccessChange::Possible | AccessChange::Changed) => {
                        resolver.send(ResolverRequest::Access(recipient, access)).await
                    }
                    _ => Ok(()),
                }
            }
            ServiceEvent::Notify { to: NoticeTarget::Everyone, notice, .. } => {
                self.hub.broadcast(NoticeAudience::Everyone, notice, at).await
            }
            ServiceEvent::Disconnect(recipient, close) => {
                let sessions = self.hub.disconnect(recipient, close).await?;
                tracing::info!(sessions, reason = close.name(), "closed, as asked over Redis");
                Ok(())
            }
            ServiceEvent::Order(order) => {
                self.host.execute(order);
                Ok(())
            }
        }
    }
}

impl PipelineObserver for SourceMetrics {
    fn received(&self, channel: &'static str) {
        SourceMetrics::received(self, channel);
    }

    fn malformed(&self, channel: &'static str) {
        SourceMetrics::malformed(self, channel);
    }

    fn unresolved(&self) {
        self.unresolved.inc();
    }

    fn gap(&self) {
        self.gaps.inc();
    }
}

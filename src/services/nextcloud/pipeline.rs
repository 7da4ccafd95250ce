//! From the queue of Redis messages to the hub: one task that decodes and keeps the order.

use super::{
    audience::{AudienceResolver, StorageChange},
    channels,
    event::NextcloudEvent,
    event_handler::NextcloudEventHandler,
};
use crate::{
    client::{SourceEvent, SourceMessage, SourceMetrics},
    push::hub::{Hub, HubClosed},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Messages taken from the queue at once.
const BATCH: usize = 256;
/// After a gap every client is notified within this time, or as fast as the push rate allows.
const GAP_SPREAD: Duration = Duration::from_secs(3);

/// Everything that one Nextcloud's messages pass through.
pub struct EventPipeline {
    /// Carries out what concerns the daemon itself.
    pub handler: NextcloudEventHandler,
    /// Notifies the clients.
    pub hub: Hub,
    /// Finds the audience of a storage change; without a database there is none.
    pub resolver: Option<AudienceResolver>,
    /// Counts messages by channel.
    pub metrics: Arc<SourceMetrics>,
}

impl EventPipeline {
    /// Runs until the process stops, the queue ends or the hub has ended.
    pub async fn run(self, mut queue: mpsc::Receiver<SourceEvent>, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.handle_all(&mut queue)).await;
    }

    async fn handle_all(&self, queue: &mut mpsc::Receiver<SourceEvent>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            for delivery in batch.drain(..) {
                let handled = match delivery {
                    SourceEvent::Message(message, at) => self.handle_message(&message, at).await,
                    SourceEvent::Gap => self.handle_gap().await,
                    SourceEvent::Barrier(waiters) => {
                        for waiter in waiters {
                            // A caller may have stopped waiting.
                            let _ = waiter.send(());
                        }
                        Ok(())
                    }
                };
                if handled.is_err() {
                    return;
                }
            }
        }
    }

    async fn handle_gap(&self) -> Result<(), HubClosed> {
        self.metrics.gaps.inc();
        self.hub.gap(GAP_SPREAD).await
    }

    async fn handle_message(&self, message: &SourceMessage, at: Instant) -> Result<(), HubClosed> {
        self.metrics.received(message.channel);
        match channels::decode(message) {
            Ok(event) => self.handle_event(event, at).await,
            Err(malformed) => {
                self.metrics.malformed(message.channel);
                let (channel, bytes) = (message.channel, message.payload.len());
                if bytes > channels::MAX_PAYLOAD {
                    // Never rate-limited: each line costs its sender more than a mebibyte.
                    tracing::warn!(channel, bytes, "message not delivered: {malformed}");
                } else {
                    tracing::debug!(channel, bytes, "message ignored: {malformed}");
                }
                Ok(())
            }
        }
    }

    async fn handle_event(&self, event: NextcloudEvent, at: Instant) -> Result<(), HubClosed> {
        match event {
            NextcloudEvent::StorageChanged(place, ids) => match &self.resolver {
                Some(resolver) => resolver.send(StorageChange { place, ids, at }).await,
                None => {
                    self.metrics.unresolved.inc();
                    Ok(())
                }
            },
            NextcloudEvent::Notify(recipient, notice) => {
                self.hub.notify(recipient, notice, at).await
            }
            NextcloudEvent::Disconnect(recipient, close) => {
                let sessions = self.hub.disconnect(recipient, close).await?;
                tracing::info!(sessions, reason = close.name(), "sessions closed over Redis");
                Ok(())
            }
            NextcloudEvent::Command(command) => {
                self.handler.execute(command);
                Ok(())
            }
        }
    }
}

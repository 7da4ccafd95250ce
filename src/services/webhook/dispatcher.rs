//! The dispatcher: one task that delivers messages and joins clients, so that both have one order.
//! A client first receives the messages before its join, then those after it; none twice, none
//! lost.

mod joining;

use super::{
    admission::ClientJoinRequest,
    feed::{ReplicaFeed, ReplicaFeedItem},
    message_id::MessageId,
    registration_key::RegistrationKey,
    replay::MessageReplay,
    replica_events::ReplicaEvent,
    store::{
        ExpiredRegistration, RegistrationRenewal, RegistrationState, RegistrationStore,
        StoredMessage,
    },
};
use crate::push::{
    hub::{Hub, HubClosed, PresenceTracker},
    notice::Notice,
    recipient::Recipient,
    session::CloseReason,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// Events taken from the feed at once.
const BATCH: usize = 256;
/// Minimum interval between two renewals.
const MIN_RENEWAL_INTERVAL: Duration = Duration::from_millis(10);
/// Delay before the store is read again after an error.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Maximum sessions of one pair, since replaced sessions take a moment to close.
pub const MAX_SESSIONS_PER_PAIR: usize = 8;
/// Registrations in use are renewed in this many parts, so that the state queue stays short.
const RENEWAL_PARTS: u32 = 16;
/// Recipient of clients that joined after a newer one, until they are closed.
const SUPERSEDED: &str = "superseded";
/// Recent departures that are kept in memory; those of other replicas are in the store only.
const MAX_DEPARTED: usize = 65_536;

/// The dispatcher's state.
pub struct MessageDispatcher {
    hub: Hub,
    store: Arc<dyn RegistrationStore>,
    feed: ReplicaFeed,
    join_requests: mpsc::Receiver<ClientJoinRequest>,
    noted: mpsc::Sender<RegistrationRenewal>,
    expired: mpsc::Receiver<ExpiredRegistration>,
    presence: Arc<PresenceTracker>,
    replay: MessageReplay,
    /// Interval in which registrations in use are renewed.
    renewal: Duration,
    /// Last message that was delivered.
    notified: MessageId,
    /// Whether the store has been read since the feed connected.
    caught_up: bool,
    /// Sessions of this replica, by primary subscription.
    sessions: HashMap<Recipient, DispatcherSession>,
    /// The part of the registrations that is renewed next.
    part: u32,
    /// Sessions that ended recently; the store may not know yet.
    departed: HashMap<Recipient, DepartedSession>,
}

/// A session of this replica.
#[derive(Debug, Clone, Copy)]
struct DispatcherSession {
    /// Its join in the order of messages.
    at: MessageId,
    /// Whether a newer session replaces it. Its connection may be broken, so its client may not
    /// have received what was delivered.
    replaced: bool,
}

/// A session of this replica that has ended.
#[derive(Debug, Clone, Copy)]
struct DepartedSession {
    notified: MessageId,
    when: Instant,
    /// The join after it, on any replica.
    next: Option<MessageId>,
}

/// Dependencies of a [`MessageDispatcher`].
pub struct DispatcherDependencies {
    /// Delivers to clients.
    pub hub: Hub,
    /// Shared by all replicas.
    pub store: Arc<dyn RegistrationStore>,
    /// Source of messages.
    pub feed: ReplicaFeed,
    /// Clients that wait to join.
    pub join_requests: mpsc::Receiver<ClientJoinRequest>,
    /// Queue of the state writer.
    pub noted: mpsc::Sender<RegistrationRenewal>,
    /// Sessions whose registration turned out to have ended.
    pub expired: mpsc::Receiver<ExpiredRegistration>,
    /// Messages for disconnected clients.
    pub replay: MessageReplay,
    /// Interval in which registrations in use are renewed.
    pub renewal: Duration,
}

impl MessageDispatcher {
    /// Creates a dispatcher that has delivered nothing.
    pub fn new(dependencies: DispatcherDependencies) -> Self {
        let DispatcherDependencies {
            hub,
            store,
            feed,
            join_requests,
            noted,
            expired,
            replay,
            renewal,
        } = dependencies;
        let presence = hub.watch_presence();
        let caught_up = matches!(feed, ReplicaFeed::Memory(_));
        let (sessions, departed, notified) = (HashMap::new(), HashMap::new(), MessageId::default());
        Self {
            hub,
            store,
            feed,
            join_requests,
            noted,
            expired,
            presence,
            replay,
            renewal,
            notified,
            caught_up,
            sessions,
            part: 0,
            departed,
        }
    }

    /// Runs until the process stops, then records what each session has received.
    pub async fn run(mut self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.work()).await;
        self.record_departures(self.notified);
        for (primary, present) in &self.sessions {
            self.note(primary, present.at, RegistrationState::Offline(self.notified));
        }
    }

    async fn work(&mut self) {
        let mut renewal = interval((self.renewal / RENEWAL_PARTS).max(MIN_RENEWAL_INTERVAL));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let presence = Arc::clone(&self.presence);
        let mut connection = self.feed.connection();
        loop {
            let done = tokio::select! {
                biased;
                () = connection.connected(), if !self.caught_up => self.catch_up().await,
                () = presence.changed() => {
                    self.record_departures(self.notified);
                    Ok(())
                }
                _ = renewal.tick() => {
                    self.renew();
                    Ok(())
                }
                Some(expired) = self.expired.recv() => self.close_expired(&expired).await,
                received = self.feed.next(BATCH) => self.handle_feed(received).await,
                Some(join_request) = self.join_requests.recv(), if self.caught_up => self.enter(join_request).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn handle_feed(&mut self, received: Vec<ReplicaFeedItem>) -> Result<(), HubClosed> {
        if received.is_empty() {
            return Err(HubClosed);
        }
        // Every shard has delivered the messages so far: clients that left since have received
        // them.
        let before = self.notified;
        self.record_departures(before);
        for received in received {
            match received {
                ReplicaFeedItem::Gap => {
                    self.catch_up().await?;
                    // An unregistered or replaced pair may have been missed too.
                    self.note_all(|_| true);
                }
                // The store has what arrived before it was read.
                ReplicaFeedItem::Event(..) if !self.caught_up => self.catch_up().await?,
                ReplicaFeedItem::Event(..) => {}
            }
            if let ReplicaFeedItem::Event(replica_events, at) = received {
                self.take(replica_events, at).await?;
            }
        }
        // A client that leaves meanwhile may have missed these messages; they are replayed to it.
        self.wait_for_shards().await?;
        self.record_departures(before);
        Ok(())
    }

    /// Reads from the store what the feed has missed.
    async fn catch_up(&mut self) -> Result<(), HubClosed> {
        loop {
            match self.store.after(self.notified, BATCH).await {
                Ok(missed) if missed.is_empty() => break,
                Ok(missed) => {
                    for stored in missed {
                        self.notify(&stored, Instant::now()).await?;
                    }
                }
                Err(error) => {
                    tracing::debug!("missed messages can't be read yet: {error}");
                    sleep(RETRY_DELAY).await;
                }
            }
        }
        self.caught_up = true;
        Ok(())
    }

    async fn take(&mut self, replica_events: ReplicaEvent, at: Instant) -> Result<(), HubClosed> {
        match replica_events {
            ReplicaEvent::Message(stored) => self.notify(&stored, at).await,
            ReplicaEvent::SessionEntered { claim, at } => {
                self.entered_elsewhere(claim.primary(), at).await
            }
            ReplicaEvent::Unregistered(claim) => {
                self.hub.disconnect(Some(claim.primary()), CloseReason::Revoked).await.map(drop)
            }
        }
    }

    async fn notify(&mut self, stored: &StoredMessage, at: Instant) -> Result<(), HubClosed> {
        if stored.id <= self.notified {
            return Ok(());
        }
        let frame = stored.value.frame(stored.id);
        self.replay.add(stored, frame.clone(), Instant::now());
        self.hub.notify(stored.to.recipient(), Notice::Opaque(frame), at).await?;
        self.notified = stored.id;
        Ok(())
    }

    async fn entered_elsewhere(
        &mut self,
        primary: Recipient,
        at: MessageId,
    ) -> Result<(), HubClosed> {
        if let Some(departure) = self.departed.get_mut(&primary) {
            departure.next.get_or_insert(at);
        }
        if let Some(present) = self.sessions.get_mut(&primary).filter(|present| present.at < at) {
            present.replaced = true;
            self.hub.disconnect(Some(primary), CloseReason::Replaced).await?;
        }
        Ok(())
    }

    /// Closes a session that has lost its registration, unless a newer one has joined meanwhile.
    async fn close_expired(&mut self, expired: &ExpiredRegistration) -> Result<(), HubClosed> {
        let primary = expired.claim.primary();
        let present = self.sessions.get_mut(&primary).filter(|present| present.at == expired.at);
        let Some(present) = present else { return Ok(()) };
        present.replaced = true;
        let close = if expired.newer { CloseReason::Replaced } else { CloseReason::Revoked };
        tracing::debug!("session closed: its registration has ended");
        self.hub.disconnect(Some(primary), close).await.map(drop)
    }

    /// Waits until every shard has processed its commands.
    async fn wait_for_shards(&mut self) -> Result<(), HubClosed> {
        self.hub.count(&Recipient::from("")).await?;
        Ok(())
    }

    /// Records that departed clients have received everything up to this message.
    fn record_departures(&mut self, notified: MessageId) {
        for (primary, sessions) in self.presence.take() {
            if sessions {
                continue;
            }
            let Some(DispatcherSession { at, replaced }) = self.sessions.remove(&primary) else {
                continue;
            };
            tracing::debug!("client disconnected");
            if replaced {
                continue;
            }
            self.note(&primary, at, RegistrationState::Offline(notified));
            if self.departed.len() < MAX_DEPARTED {
                let departure = DepartedSession { notified, when: Instant::now(), next: None };
                self.departed.insert(primary, departure);
            }
        }
    }

    fn renew(&mut self) {
        let part = u64::from(self.part);
        self.part = (self.part + 1) % RENEWAL_PARTS;
        self.note_all(|at| at.0 % u64::from(RENEWAL_PARTS) == part);
        if part > 0 {
            return;
        }
        let now = Instant::now();
        self.replay.forget(now);
        let kept_for = self.replay.kept_for();
        self.departed.retain(|_, departed| now.saturating_duration_since(departed.when) < kept_for);
    }

    /// Renews the registrations of sessions that match.
    fn note_all(&self, of: impl Fn(MessageId) -> bool) {
        for (primary, present) in self.sessions.iter().filter(|(_, present)| of(present.at)) {
            self.note(primary, present.at, RegistrationState::Online);
        }
    }

    fn note(&self, primary: &Recipient, at: MessageId, state: RegistrationState) {
        let Some(claim) = RegistrationKey::from_primary(primary) else { return };
        if self.noted.try_send(RegistrationRenewal { claim, at, state }).is_err() {
            tracing::debug!("session state dropped: the queue is full");
        }
    }
}

#[cfg(test)]
mod tests;

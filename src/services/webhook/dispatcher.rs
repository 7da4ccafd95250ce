//! One task tells clients and lets them in, so that both happen in one order: who enters is sent what
//! was notified before, and is notified what comes after; nothing twice, nothing lost.

use super::{
    admission::ClientJoinRequest,
    feed::{ReplicaFeed, ReplicaFeedItem},
    message_id::MessageId,
    registration_key::RegistrationKey,
    replay::MessageReplay,
    replica_events::ReplicaEvent,
    store::{
        ExpiredRegistration, RegistrationRenewal, RegistrationState, RegistrationStore,
        SessionEntry, StoredMessage,
    },
};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient,
        hub::{Hub, HubClosed, JoinRequest, PresenceTracker},
        notice::Notice,
        recipient::Recipient,
        session::CloseReason,
    },
    websocket::frame::Frame,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// News taken in one go.
const BATCH: usize = 256;
/// Between two parts that are renewed.
const SHORTEST: Duration = Duration::from_millis(10);
/// After a failed look into the store the next one follows after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Sessions with one pair at most: those that are replaced take a moment to go.
pub const MAX_SESSIONS_PER_PAIR: usize = 8;
/// Registrations in use are renewed in so many parts, so that few wait to be noted at a time.
const PARTS: u32 = 16;
/// What clients that came in too late listen as until they are gone.
const SUPERSEDED: &str = "superseded";
/// Departures that are remembered here; those of others are in the store alone.
const MAX_DEPARTED: usize = 65_536;

/// What the dispatcher works with.
pub struct MessageDispatcher {
    hub: Hub,
    store: Arc<dyn RegistrationStore>,
    feed: ReplicaFeed,
    join_requests: mpsc::Receiver<ClientJoinRequest>,
    noted: mpsc::Sender<RegistrationRenewal>,
    expired: mpsc::Receiver<ExpiredRegistration>,
    presence: Arc<PresenceTracker>,
    replay: MessageReplay,
    /// How often registrations in use are renewed.
    renewal: Duration,
    /// The last message that clients were notified.
    notified: MessageId,
    /// The store has been read since the feed is received.
    caught_up: bool,
    /// Sessions by their homes.
    here: HashMap<Recipient, DispatcherSession>,
    /// Which part of them is renewed next.
    part: u32,
    /// Those that have gone lately: the store may not know yet.
    gone: HashMap<Recipient, DepartedSession>,
}

/// A session that lives here.
#[derive(Debug, Clone, Copy)]
struct DispatcherSession {
    /// Its join_request in the order of messages.
    at: MessageId,
    /// A newer one elsewhere takes its place, maybe since its connection has broken: what it was notified
    /// is no measure of what its client has received.
    replaced: bool,
}

/// A session that has ended here.
#[derive(Debug, Clone, Copy)]
struct DepartedSession {
    notified: MessageId,
    when: Instant,
    /// The join_request after it, wherever that was.
    next: Option<MessageId>,
}

/// What a [`MessageDispatcher`] is made of.
pub struct DispatcherDependencies {
    /// Who is notified.
    pub hub: Hub,
    /// What replicas have in common.
    pub store: Arc<dyn RegistrationStore>,
    /// What is to be notified.
    pub feed: ReplicaFeed,
    /// Who wants to come in.
    pub join_requests: mpsc::Receiver<ClientJoinRequest>,
    /// Where it is noted how sessions are.
    pub noted: mpsc::Sender<RegistrationRenewal>,
    /// Those that turned out to have lost their registration.
    pub expired: mpsc::Receiver<ExpiredRegistration>,
    /// Messages for those who are away.
    pub replay: MessageReplay,
    /// How often registrations in use are renewed.
    pub renewal: Duration,
}

impl MessageDispatcher {
    /// A dispatcher who has notified nobody anything.
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
        let (here, gone, notified) = (HashMap::new(), HashMap::new(), MessageId::default());
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
            here,
            part: 0,
            gone,
        }
    }

    /// Tells until the process stops; then notes what everybody has been notified.
    pub async fn run(mut self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.work()).await;
        self.record_departures(self.notified);
        for (home, present) in &self.here {
            self.note(home, present.at, RegistrationState::Offline(self.notified));
        }
    }

    async fn work(&mut self) {
        let mut renewal = interval((self.renewal / PARTS).max(SHORTEST));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let presence = Arc::clone(&self.presence);
        let mut connection = self.feed.connection();
        loop {
            let done = tokio::select! {
                biased;
                () = connection.stands(), if !self.caught_up => self.catch_up().await,
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
        // Every shard has notified all of it: who has left meanwhile has received it.
        let before = self.notified;
        self.record_departures(before);
        for received in received {
            match received {
                ReplicaFeedItem::Gap => {
                    self.catch_up().await?;
                    // That one was unregistered or replaced may have been missed too.
                    self.note_all(|_| true);
                }
                // What came in before the store was read stands in it too.
                ReplicaFeedItem::News(..) if !self.caught_up => self.catch_up().await?,
                ReplicaFeedItem::News(..) => {}
            }
            if let ReplicaFeedItem::News(replica_events, at) = received {
                self.take(replica_events, at).await?;
            }
        }
        // Who leaves while this is notified may have missed it, and is sent it again.
        self.wait_for_shards().await?;
        self.record_departures(before);
        Ok(())
    }

    /// Reads in the store what was not received.
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
                    tracing::debug!("what was missed can't be read yet: {error}");
                    sleep(PAUSE).await;
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
                self.entered_elsewhere(claim.home(), at).await
            }
            ReplicaEvent::Unregistered(claim) => {
                self.hub.disconnect(Some(claim.home()), CloseReason::Revoked).await.map(drop)
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

    async fn entered_elsewhere(&mut self, home: Recipient, at: MessageId) -> Result<(), HubClosed> {
        if let Some(departure) = self.gone.get_mut(&home) {
            departure.next.get_or_insert(at);
        }
        if let Some(present) = self.here.get_mut(&home).filter(|present| present.at < at) {
            present.replaced = true;
            self.hub.disconnect(Some(home), CloseReason::Replaced).await?;
        }
        Ok(())
    }

    /// Ends a session that has lost its registration, unless a newer one has come in here meanwhile.
    async fn close_expired(&mut self, expired: &ExpiredRegistration) -> Result<(), HubClosed> {
        let home = expired.claim.home();
        let present = self.here.get_mut(&home).filter(|present| present.at == expired.at);
        let Some(present) = present else { return Ok(()) };
        present.replaced = true;
        let close = if expired.newer { CloseReason::Replaced } else { CloseReason::Revoked };
        tracing::debug!("a session has lost its registration unheard");
        self.hub.disconnect(Some(home), close).await.map(drop)
    }

    /// Waits until every shard has notified what it was given.
    async fn wait_for_shards(&mut self) -> Result<(), HubClosed> {
        self.hub.count(&Recipient::from("")).await?;
        Ok(())
    }

    /// Those who have left were notified everything up to this message.
    fn record_departures(&mut self, notified: MessageId) {
        for (home, here) in self.presence.take() {
            if here {
                continue;
            }
            let Some(DispatcherSession { at, replaced }) = self.here.remove(&home) else {
                continue;
            };
            tracing::debug!("a client has left");
            if replaced {
                continue;
            }
            self.note(&home, at, RegistrationState::Offline(notified));
            if self.gone.len() < MAX_DEPARTED {
                let departure = DepartedSession { notified, when: Instant::now(), next: None };
                self.gone.insert(home, departure);
            }
        }
    }

    async fn enter(&mut self, join_request: ClientJoinRequest) -> Result<(), HubClosed> {
        self.record_departures(self.notified);
        let ClientJoinRequest { claim, entry, transport, leftover, since, welcome, permit, done } =
            join_request;
        let home = claim.home();
        if done.is_closed() {
            self.note(&home, entry.at, RegistrationState::Offline(entry.received()));
            return Ok(());
        }
        let before = self.here.get(&home).map(|present| present.at);
        let superseded = before.is_some_and(|before| before > entry.at);
        let named = if superseded { Recipient::from(SUPERSEDED) } else { home.clone() };
        if let Some(present) = self.here.get_mut(&named) {
            present.replaced = true;
        }
        if before.is_some() && self.replace(&named).await? >= MAX_SESSIONS_PER_PAIR {
            // Too many that are going: it comes back.
            self.note(&home, entry.at, RegistrationState::Offline(entry.received()));
            return Ok(());
        }
        let missed = self.missed(&claim, &entry, since);
        let frames: Vec<_> = welcome.into_iter().chain(missed).collect();
        let authenticated =
            AuthenticatedClient { recipient: named.clone(), auth_method: AuthMethod::Open };
        let subscriptions = if superseded {
            Vec::new()
        } else {
            vec![RegistrationKey::user_recipient(&claim.user)]
        };
        let greeting = Some(Box::new(move || frames) as _);
        let permit = Some(permit);
        let join_request =
            JoinRequest { transport, leftover, authenticated, subscriptions, greeting, permit };
        self.hub.join(join_request).await?;
        tracing::debug!(user = claim.user, "a client has come in");
        if superseded {
            self.replace(&named).await?;
        } else {
            self.has_joined(home, entry.at, before.is_some()).await?;
        }
        // A client that didn't wait is in all the same.
        let _ = done.send(());
        Ok(())
    }

    /// Sees off who listens as this; says how many those are, with those that were going already.
    async fn replace(&self, home: &Recipient) -> Result<usize, HubClosed> {
        self.hub.disconnect(Some(home.clone()), CloseReason::Replaced).await
    }

    async fn has_joined(
        &mut self,
        home: Recipient,
        at: MessageId,
        took_over: bool,
    ) -> Result<(), HubClosed> {
        if took_over {
            // The one before may have gone while nobody else was there. Once the newer is, what is
            // said of who has left is about both.
            self.wait_for_shards().await?;
        }
        // Its registration may have ended while it waited here.
        self.note(&home, at, RegistrationState::Online);
        self.here.insert(home, DispatcherSession { at, replaced: false });
        Ok(())
    }

    /// What a client is to be sent first.
    fn missed(
        &mut self,
        claim: &RegistrationKey,
        entry: &SessionEntry,
        since: Option<MessageId>,
    ) -> Vec<Frame> {
        let departure = self.gone.remove(&claim.home());
        let own = departure.filter(|gone| gone.next.is_none_or(|next| next == entry.at));
        let notified = entry.notified.max(own.map(|gone| gone.notified));
        let after = since.or(notified).unwrap_or_else(|| entry.received());
        self.replay.since(&claim.user, &claim.connection, after)
    }

    fn renew(&mut self) {
        let part = u64::from(self.part);
        self.part = (self.part + 1) % PARTS;
        self.note_all(|at| at.0 % u64::from(PARTS) == part);
        if part > 0 {
            return;
        }
        let now = Instant::now();
        self.replay.forget(now);
        let kept_for = self.replay.kept_for();
        self.gone.retain(|_, gone| now.saturating_duration_since(gone.when) < kept_for);
    }

    /// Renews the registrations of those that are here and of which this is true.
    fn note_all(&self, of: impl Fn(MessageId) -> bool) {
        for (home, present) in self.here.iter().filter(|(_, present)| of(present.at)) {
            self.note(home, present.at, RegistrationState::Online);
        }
    }

    fn note(&self, home: &Recipient, at: MessageId, state: RegistrationState) {
        let Some(claim) = RegistrationKey::from_home(home) else { return };
        if self.noted.try_send(RegistrationRenewal { claim, at, state }).is_err() {
            tracing::debug!("how a session is isn't noted: too many wait for it");
        }
    }
}

#[cfg(test)]
mod tests;

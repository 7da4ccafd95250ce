//! Joins a client: replaces the pair's former session and replays what the client missed.

use super::{DispatcherSession, MAX_SESSIONS_PER_PAIR, MessageDispatcher, SUPERSEDED};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient,
        hub::{HubClosed, JoinRequest},
        recipient::Recipient,
        session::CloseReason,
    },
    services::webhook::{
        admission::ClientJoinRequest,
        dialect,
        message_id::MessageId,
        registration_key::RegistrationKey,
        replay::MissedMessages,
        store::{RegistrationState, SessionEntry},
    },
};

impl MessageDispatcher {
    pub(super) async fn enter(&mut self, join_request: ClientJoinRequest) -> Result<(), HubClosed> {
        self.record_departures(self.notified);
        let ClientJoinRequest { claim, entry, transport, leftover, since, greeting, permit, done } =
            join_request;
        let primary = claim.primary();
        if done.is_closed() {
            self.note(&primary, entry.at, RegistrationState::Offline(entry.received()));
            return Ok(());
        }
        let before = self.sessions.get(&primary).map(|present| present.at);
        let superseded = before.is_some_and(|before| before > entry.at);
        let named = if superseded { Recipient::from(SUPERSEDED) } else { primary.clone() };
        if let Some(present) = self.sessions.get_mut(&named) {
            present.replaced = true;
        }
        if before.is_some() && self.replace(&named).await? >= MAX_SESSIONS_PER_PAIR {
            // Too many sessions are still closing: the client reconnects.
            self.note(&primary, entry.at, RegistrationState::Offline(entry.received()));
            return Ok(());
        }
        let missed = self.missed(&claim, &entry, since);
        let incomplete = missed.incomplete.then(dialect::messages_missing);
        let frames: Vec<_> = greeting.into_iter().chain(incomplete).chain(missed.frames).collect();
        let authenticated =
            AuthenticatedClient { recipient: named.clone(), auth_method: AuthMethod::Open };
        let subscriptions = if superseded {
            Vec::new()
        } else {
            vec![RegistrationKey::user_recipient(&claim.user)]
        };
        let greeting = Some(Box::new(move || frames) as _);
        self.hub
            .join(JoinRequest {
                transport,
                leftover,
                authenticated,
                subscriptions,
                greeting,
                permit: Some(permit),
                guard: None,
            })
            .await?;
        tracing::debug!(user = claim.user, "client connected");
        if superseded {
            self.replace(&named).await?;
        } else {
            self.has_joined(primary, entry.at, before.is_some()).await?;
        }
        // The client has joined even if it no longer waits.
        let _ = done.send(());
        Ok(())
    }

    /// Closes all sessions of a recipient and returns their number, including those already
    /// closing.
    async fn replace(&self, primary: &Recipient) -> Result<usize, HubClosed> {
        self.hub.disconnect(Some(primary.clone()), CloseReason::Replaced).await
    }

    async fn has_joined(
        &mut self,
        primary: Recipient,
        at: MessageId,
        took_over: bool,
    ) -> Result<(), HubClosed> {
        if took_over {
            // The former session may have ended before the newer one joined. Once the shards have
            // seen the newer one, presence reports are about both.
            self.wait_for_shards().await?;
        }
        // Its registration may have expired while it waited.
        self.note(&primary, at, RegistrationState::Online);
        self.sessions.insert(primary, DispatcherSession { at, replaced: false });
        Ok(())
    }

    /// Messages that a client is sent first.
    fn missed(
        &mut self,
        claim: &RegistrationKey,
        entry: &SessionEntry,
        since: Option<MessageId>,
    ) -> MissedMessages {
        let departure = self.departed.remove(&claim.primary());
        let own = departure.filter(|departed| departed.next.is_none_or(|next| next == entry.at));
        let notified = entry.notified.max(own.map(|departed| departed.notified));
        match since {
            Some(since) => self.replay.since(claim, since),
            None => self.replay.after(claim, notified.unwrap_or_else(|| entry.received())),
        }
    }
}

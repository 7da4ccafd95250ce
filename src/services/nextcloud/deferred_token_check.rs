//! Asks Nextcloud about app passwords that were accepted although Nextcloud's own last check of them
//! is old: one after the other at a bounded rate, after the login.

use super::{
    login::{AttemptRecord, Authenticator},
    session_recheck::same_recipient,
};
use crate::push::{
    AuthDecision, AuthMethod, LoginAttempt,
    hub::{Hub, HubClosed, ListedSession, SessionId},
    session::CloseReason,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Sessions listed at once.
const CHUNK: usize = 300;
/// The pause between two searches for new sessions.
const TICK: Duration = Duration::from_secs(2);
/// The pause before Nextcloud is asked again about a session that it could not decide.
const RETRY: Duration = Duration::from_secs(300);
/// Requests that run at once.
const MAX_CONCURRENT: usize = 4;

/// Asks about each such session once, and closes it if Nextcloud refuses.
pub struct DeferredTokenCheck {
    /// The hub with the sessions.
    pub hub: Hub,
    /// The client of Nextcloud's HTTP API.
    pub nextcloud: Arc<dyn Authenticator>,
    /// Requests a second.
    pub rate: NonZeroU32,
}

/// When to ask about each session; `None`: Nextcloud has accepted it.
type NextChecks = HashMap<SessionId, Option<Instant>>;

impl DeferredTokenCheck {
    /// Runs until the hub ends.
    pub async fn run(self) {
        let (mut next_checks, mut turn) = (HashMap::new(), Instant::now());
        while self.round(&mut next_checks, &mut turn).await.is_ok() {
            sleep(TICK).await;
        }
    }

    /// Asks about every session that is due. Sessions that ended are dropped from `next_checks`;
    /// `turn` is the earliest time of the next request.
    async fn round(
        &self,
        next_checks: &mut NextChecks,
        turn: &mut Instant,
    ) -> Result<(), HubClosed> {
        let mut known = HashMap::new();
        for shard in 0..self.hub.shards() {
            let mut from = 0;
            loop {
                let sessions = self.hub.list(shard, from, CHUNK).await?;
                let Some(last) = sessions.last() else { break };
                from = last.id.slot + 1;
                let due = due_sessions(sessions, next_checks, &mut known);
                self.ask(due, &mut known, turn).await?;
            }
        }
        *next_checks = known;
        Ok(())
    }

    async fn ask(
        &self,
        due: Vec<(ListedSession, LoginAttempt)>,
        known: &mut NextChecks,
        turn: &mut Instant,
    ) -> Result<(), HubClosed> {
        let mut running = FuturesUnordered::new();
        for (session, attempt) in due {
            loop {
                tokio::select! {
                    Some((session, decision)) = running.next() => {
                        self.apply(session, decision, known).await?;
                    }
                    () = sleep_until(*turn), if running.len() < MAX_CONCURRENT => break,
                }
            }
            *turn = Instant::now() + Duration::from_secs(1) / self.rate.get();
            running.push(async move {
                let decision = self.nextcloud.check(&attempt, &AttemptRecord::default()).await;
                (session.id, same_recipient(&session, decision))
            });
        }
        while let Some((session, decision)) = running.next().await {
            self.apply(session, decision, known).await?;
        }
        Ok(())
    }

    async fn apply(
        &self,
        session: SessionId,
        decision: AuthDecision<()>,
        known: &mut NextChecks,
    ) -> Result<(), HubClosed> {
        match decision {
            AuthDecision::Accept(()) => {
                known.insert(session, None);
            }
            AuthDecision::Abstain | AuthDecision::Unavailable => {
                known.insert(session, Some(Instant::now() + RETRY));
            }
            AuthDecision::Reject => {
                tracing::info!("session closed: Nextcloud no longer accepts its app password");
                self.hub.close(session, CloseReason::Revoked).await?;
            }
        }
        Ok(())
    }
}

/// The sessions to ask about now; the others are copied to `known`.
fn due_sessions(
    sessions: Vec<ListedSession>,
    next_checks: &NextChecks,
    known: &mut NextChecks,
) -> Vec<(ListedSession, LoginAttempt)> {
    let now = Instant::now();
    let mut due = Vec::new();
    for session in sessions {
        let AuthMethod::UncheckedAppPassword(unchecked) = &session.auth_method else { continue };
        let next_check = next_checks.get(&session.id).copied();
        if let Some(later) = next_check.filter(|next| next.is_none_or(|at| at > now)) {
            known.insert(session.id, later);
        } else {
            let attempt = unchecked.1.clone();
            due.push((session, attempt));
        }
    }
    due
}

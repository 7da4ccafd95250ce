//! Checks sessions again while they live, and closes those that are no longer valid.

use super::accounts::{RevocationBasis, RevocationChecker, SessionCheck};
use crate::{
    push::{
        AuthDecision, AuthMethod, LoginAttempt,
        hub::{Hub, HubClosed, ListedSession, SessionId},
        session::CloseReason,
    },
    services::nextcloud::login::{AttemptRecord, Authenticator},
};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// Sessions that are checked with one set of queries.
const CHUNK: usize = 300;
/// The pause before a database that failed is asked again.
const RETRY: Duration = Duration::from_secs(2);
/// The pause between two searches for sessions whose reauthentication is due.
const REAUTHENTICATION_TICK: Duration = Duration::from_secs(15);
/// The least such pause where the interval is shorter.
const MIN_REAUTHENTICATION_TICK: Duration = Duration::from_secs(1);
/// The pause before Nextcloud is asked about a session again that it could not decide.
const REAUTHENTICATION_RETRY: Duration = Duration::from_secs(300);
/// Sessions that Nextcloud is asked about at once.
const MAX_CONCURRENT: usize = 4;

/// Sessions that Nextcloud has to be asked about soon. Clones share them; each session is in it at
/// most once.
#[derive(Clone, Default)]
pub struct ReauthenticationRequests(Arc<Mutex<HashSet<SessionId>>>);

/// Checks the sessions against the database, a few hundred with each query, spread over the round.
pub struct DatabaseRecheck {
    /// The hub with the sessions.
    pub hub: Hub,
    /// Finds the sessions that are no longer valid.
    pub revocation: RevocationChecker,
    /// Every session is checked once in this time.
    pub round: Duration,
    /// Takes the sessions that only Nextcloud can check.
    pub requests: ReauthenticationRequests,
}

impl DatabaseRecheck {
    /// Runs until the hub ends.
    pub async fn run(self) {
        let mut second_factors = HashSet::new();
        while self.round(&mut second_factors).await.is_ok() {}
    }

    /// Checks every session once. The pauses depend on the number of sessions now, not on their
    /// distribution over the shards: no session waits longer because others come or leave.
    ///
    /// `second_factors` holds the sessions accepted by Nextcloud whose users had a second factor in
    /// the last round: Nextcloud was asked about them.
    async fn round(&self, second_factors: &mut HashSet<SessionId>) -> Result<(), HubClosed> {
        let (mut empty, mut known) = (true, HashSet::new());
        for shard in 0..self.hub.shards() {
            let mut from = 0;
            loop {
                let sessions = self.hub.list(shard, from, CHUNK).await?;
                let Some(last) = sessions.last() else { break };
                (empty, from) = (false, last.id.slot + 1);
                let pause = share(self.round, sessions.len(), self.hub.connections());
                let next = Instant::now() + pause;
                for session in self.recheck_sessions(&sessions).await? {
                    known.insert(session);
                    if !second_factors.contains(&session) {
                        self.requests.0.lock().insert(session);
                    }
                }
                sleep_until(next).await;
            }
        }
        *second_factors = known;
        if empty {
            sleep(self.round).await;
        }
        Ok(())
    }

    /// Closes the sessions that are no longer valid; returns those accepted by Nextcloud whose users
    /// have a second factor. A database that is unavailable closes no session; it is asked again.
    async fn recheck_sessions(
        &self,
        sessions: &[ListedSession],
    ) -> Result<Vec<SessionId>, HubClosed> {
        let session_checks: Vec<_> = sessions.iter().map(session_check).collect();
        let findings = loop {
            match self.revocation.check(&session_checks).await {
                Ok(findings) => break findings,
                Err(error) => {
                    tracing::debug!("sessions not checked: {error}");
                    sleep(RETRY).await;
                }
            }
        };
        for session in findings.revoked {
            tracing::info!("session closed: its login is no longer valid");
            self.hub.close(session, CloseReason::Revoked).await?;
        }
        Ok(findings.second_factor)
    }
}

/// The part of a round that the checks of some of all sessions may take.
fn share(round: Duration, sessions: usize, all: usize) -> Duration {
    let count = |sessions| u32::try_from(sessions).unwrap_or(u32::MAX).max(1);
    round * count(sessions) / count(all.max(sessions))
}

fn session_check(session: &ListedSession) -> SessionCheck<SessionId> {
    let basis = RevocationBasis::from(&session.auth_method);
    SessionCheck { session: session.id, recipient: session.recipient.clone(), basis }
}

/// Asks Nextcloud again about the sessions that Nextcloud itself accepted.
pub struct NextcloudReauthentication {
    /// The hub with the sessions.
    pub hub: Hub,
    /// The client of Nextcloud's HTTP API.
    pub nextcloud: Arc<dyn Authenticator>,
    /// How long a decision of Nextcloud is valid.
    pub interval: Duration,
    /// Randomness, to spread the requests.
    pub rng: fastrand::Rng,
    /// Sessions to ask about before their time.
    pub requests: ReauthenticationRequests,
}

impl NextcloudReauthentication {
    /// Runs until the hub ends.
    pub async fn run(mut self) {
        let mut due = HashMap::new();
        let turn = self.interval.clamp(MIN_REAUTHENTICATION_TICK, REAUTHENTICATION_TICK);
        while self.round(&mut due).await.is_ok() {
            sleep(turn).await;
        }
    }

    /// `due` holds when to ask about each session; sessions that ended are dropped from it.
    async fn round(&mut self, due: &mut HashMap<SessionId, Instant>) -> Result<(), HubClosed> {
        let mut known = HashMap::new();
        for session in mem::take(&mut *self.requests.0.lock()) {
            due.insert(session, Instant::now());
        }
        for shard in 0..self.hub.shards() {
            let mut from = 0;
            loop {
                let sessions = self.hub.list(shard, from, CHUNK).await?;
                let Some(last) = sessions.last() else { break };
                from = last.id.slot + 1;
                let due_now = self.due_sessions(sessions, due, &mut known);
                self.ask(due_now, &mut known).await?;
            }
        }
        *due = known;
        Ok(())
    }

    fn due_sessions(
        &mut self,
        sessions: Vec<ListedSession>,
        due: &HashMap<SessionId, Instant>,
        known: &mut HashMap<SessionId, Instant>,
    ) -> Vec<(ListedSession, LoginAttempt)> {
        let now = Instant::now();
        let mut due_now = Vec::new();
        for session in sessions {
            let AuthMethod::Service(attempt) = &session.auth_method else { continue };
            let at = due.get(&session.id).copied().unwrap_or_else(|| now + self.spread());
            known.insert(session.id, at);
            if at <= now {
                let attempt = (**attempt).clone();
                due_now.push((session, attempt));
            }
        }
        due_now
    }

    async fn ask(
        &mut self,
        due_now: Vec<(ListedSession, LoginAttempt)>,
        known: &mut HashMap<SessionId, Instant>,
    ) -> Result<(), HubClosed> {
        let nextcloud = Arc::clone(&self.nextcloud);
        let decisions = stream::iter(due_now).map(|(session, attempt)| {
            let nextcloud = Arc::clone(&nextcloud);
            async move {
                let decision = nextcloud.check(&attempt, &AttemptRecord::default()).await;
                (session.id, same_recipient(&session, decision))
            }
        });
        let mut decisions = std::pin::pin!(decisions.buffer_unordered(MAX_CONCURRENT));
        while let Some((session, decision)) = decisions.next().await {
            let again = match decision {
                AuthDecision::Accept(()) => self.spread(),
                AuthDecision::Abstain | AuthDecision::Unavailable => REAUTHENTICATION_RETRY,
                AuthDecision::Reject => {
                    tracing::info!("session closed: Nextcloud no longer accepts its login");
                    self.hub.close(session, CloseReason::Revoked).await?;
                    continue;
                }
            };
            known.insert(session, Instant::now() + again);
        }
        Ok(())
    }

    fn spread(&mut self) -> Duration {
        self.interval.mul_f64(0.75 + 0.25 * self.rng.f64())
    }
}

/// The decision, which is a rejection if the credentials belong to another user by now.
pub(super) fn same_recipient(session: &ListedSession, decision: AuthDecision) -> AuthDecision<()> {
    match decision {
        AuthDecision::Accept(client) if client.recipient != session.recipient => {
            AuthDecision::Reject
        }
        decision => decision.kind(),
    }
}

#[cfg(test)]
mod tests {
    use super::share;
    use std::time::Duration;

    #[test]
    fn a_round_takes_its_time_however_the_sessions_are_distributed() {
        let round = Duration::from_secs(40);
        assert_eq!(share(round, 1, 2), round / 2);
        assert_eq!(share(round, 300, 3000), round / 10);
        // Some sessions ended since they were listed.
        for (sessions, all) in [(2, 2), (300, 10), (1, 0)] {
            assert_eq!(share(round, sessions, all), round, "{sessions} of {all}");
        }
    }
}

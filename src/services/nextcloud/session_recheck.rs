//! Sessions are looked at again while they live: who is no longer entitled is sent away.

use super::accounts::{RevocationBasis, RevocationChecker, SessionCheck};
use crate::{
    push::{
        AuthMethod, LoginAttempt,
        hub::{Hub, HubClosed, ListedSession, SessionId},
        session::CloseReason,
    },
    services::nextcloud::login::{AuthVerdict, Authenticator},
};
use futures_util::{StreamExt, stream};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Sessions looked at in one go.
const CHUNK: usize = 300;
/// A database that can't be asked is asked again after this.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is seen whose turn it is to be asked about at the host again.
const REAUTHENTICATION_TICK: Duration = Duration::from_secs(30);
/// The same where the interval is shorter than that, at least.
const MIN_REAUTHENTICATION_TICK: Duration = Duration::from_secs(1);
/// A host that can't answer is asked about the same session again after this.
const REAUTHENTICATION_RETRY: Duration = Duration::from_secs(300);
/// Sessions that the host is asked about at once.
const MAX_CONCURRENT: usize = 4;

/// Looks at the sessions in the database, a few hundred with each query, spread over the minute.
pub struct DatabaseRecheck {
    /// Whose sessions.
    pub hub: Hub,
    /// Who knows.
    pub revocation: RevocationChecker,
    /// Everybody is looked at once in this time.
    pub round: Duration,
}

impl DatabaseRecheck {
    /// Until the hub ends.
    pub async fn run(self) {
        while self.round().await.is_ok() {}
    }

    /// One look at everybody. The time goes by how many there are now, not by how they lie in the
    /// shards: nobody waits longer because others come or leave meanwhile.
    async fn round(&self) -> Result<(), HubClosed> {
        let mut nobody = true;
        for shard in 0..self.hub.shards() {
            let mut from = 0;
            loop {
                let sessions = self.hub.list(shard, from, CHUNK).await?;
                let Some(last) = sessions.last() else { break };
                (nobody, from) = (false, last.id.slot + 1);
                let pause = share(self.round, sessions.len(), self.hub.connections());
                let next = Instant::now() + pause;
                self.recheck_sessions(&sessions).await?;
                sleep_until(next).await;
            }
        }
        if nobody {
            sleep(self.round).await;
        }
        Ok(())
    }

    /// A database that is away closes nobody; it is asked again.
    async fn recheck_sessions(&self, sessions: &[ListedSession]) -> Result<(), HubClosed> {
        let session_checks: Vec<_> = sessions.iter().map(session_check).collect();
        let revoked = loop {
            match self.revocation.revoked(&session_checks).await {
                Ok(revoked) => break revoked,
                Err(error) => {
                    tracing::debug!("sessions not looked at again: {error}");
                    sleep(RETRY).await;
                }
            }
        };
        for session in revoked {
            tracing::info!("a session is closed: its log-in is no longer good");
            self.hub.close(session, CloseReason::Revoked).await?;
        }
        Ok(())
    }
}

/// What part of a round the looks at so many of all sessions take.
fn share(round: Duration, sessions: usize, all: usize) -> Duration {
    let count = |sessions| u32::try_from(sessions).unwrap_or(u32::MAX).max(1);
    round * count(sessions) / count(all.max(sessions))
}

fn session_check(session: &ListedSession) -> SessionCheck<SessionId> {
    let claim = RevocationBasis::from(&session.auth_method);
    SessionCheck { session: session.id, recipient: session.recipient.clone(), claim }
}

/// Asks the host again about the sessions that the host itself let in.
pub struct NextcloudReauthentication {
    /// Whose sessions.
    pub hub: Hub,
    /// Who knows.
    pub host: Arc<dyn Authenticator>,
    /// How long the host's decision is good.
    pub interval: Duration,
    /// Chance, to spread the questions.
    pub rng: fastrand::Rng,
}

/// What asking again led to.
enum ReauthenticationDecision {
    StillValid,
    Rejected,
    Unknown,
}

impl NextcloudReauthentication {
    /// Until the hub ends.
    pub async fn run(mut self) {
        let mut due = HashMap::new();
        let turn = self.interval.clamp(MIN_REAUTHENTICATION_TICK, REAUTHENTICATION_TICK);
        while self.round(&mut due).await.is_ok() {
            sleep(turn).await;
        }
    }

    /// `due` says when which session is to be asked about; those that left are dropped from it.
    async fn round(&mut self, due: &mut HashMap<SessionId, Instant>) -> Result<(), HubClosed> {
        let mut known = HashMap::new();
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
        let host = Arc::clone(&self.host);
        let decisions = stream::iter(due_now).map(|(session, attempt)| {
            let host = Arc::clone(&host);
            async move { (session.id, decision(&session, host.check(&attempt).await)) }
        });
        let mut decisions = std::pin::pin!(decisions.buffer_unordered(MAX_CONCURRENT));
        while let Some((session, decision)) = decisions.next().await {
            let again = match decision {
                ReauthenticationDecision::StillValid => self.spread(),
                ReauthenticationDecision::Unknown => REAUTHENTICATION_RETRY,
                ReauthenticationDecision::Rejected => {
                    tracing::info!("a session is closed: Nextcloud no longer accepts its log-in");
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

/// Whoever the credentials now belong to must still be the one who listens.
fn decision(session: &ListedSession, verdict: AuthVerdict) -> ReauthenticationDecision {
    match verdict {
        AuthVerdict::Accept(authenticated) if authenticated.recipient == session.recipient => {
            ReauthenticationDecision::StillValid
        }
        AuthVerdict::Accept(_) | AuthVerdict::Reject => ReauthenticationDecision::Rejected,
        AuthVerdict::Abstain | AuthVerdict::Unavailable => ReauthenticationDecision::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::share;
    use std::time::Duration;

    #[test]
    fn a_round_takes_its_time_and_no_more_however_the_sessions_lie() {
        let round = Duration::from_secs(40);
        assert_eq!(share(round, 1, 2), round / 2);
        assert_eq!(share(round, 300, 3000), round / 10);
        // Those who left since they were listed.
        for (sessions, all) in [(2, 2), (300, 10), (1, 0)] {
            assert_eq!(share(round, sessions, all), round, "{sessions} of {all}");
        }
    }
}

//! Sessions are looked at again while they live: who is no longer entitled is sent away.

use super::accounts::{Claim, Revocation, Tenure};
use crate::{
    push::{
        hub::{Hub, HubClosed, Present, SessionId},
        session::Close,
    },
    services::nextcloud::login::{Attempt, Authenticator, Grounds, Verdict},
};
use futures_util::{StreamExt, stream};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Sessions looked at in one go.
const CHUNK: usize = 300;
/// A database that can't be asked is asked again after this.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is seen whose turn it is to be asked about at the host again.
const TURN: Duration = Duration::from_secs(30);
/// The same where the interval is shorter than that, at least.
const SHORTEST_TURN: Duration = Duration::from_secs(1);
/// A host that can't answer is asked about the same session again after this.
const REASK: Duration = Duration::from_secs(300);
/// Sessions that the host is asked about at once.
const AT_ONCE: usize = 4;

/// Looks at the sessions in the database, a few hundred with each query, spread over the minute.
pub struct Recheck {
    /// Whose sessions.
    pub hub: Hub,
    /// Who knows.
    pub revocation: Revocation,
    /// Everybody is looked at once in this time.
    pub round: Duration,
}

impl Recheck {
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
                self.look_at(&sessions).await?;
                sleep_until(next).await;
            }
        }
        if nobody {
            sleep(self.round).await;
        }
        Ok(())
    }

    /// A database that is away closes nobody; it is asked again.
    async fn look_at(&self, sessions: &[Present]) -> Result<(), HubClosed> {
        let tenures: Vec<_> = sessions.iter().map(tenure).collect();
        let revoked = loop {
            match self.revocation.revoked(&tenures).await {
                Ok(revoked) => break revoked,
                Err(error) => {
                    tracing::debug!("sessions not looked at again: {error}");
                    sleep(RETRY).await;
                }
            }
        };
        for session in revoked {
            tracing::info!("a session is closed: its log-in is no longer good");
            self.hub.close(session, Close::Revoked).await?;
        }
        Ok(())
    }
}

/// What part of a round the looks at so many of all sessions take.
fn share(round: Duration, sessions: usize, all: usize) -> Duration {
    let count = |sessions| u32::try_from(sessions).unwrap_or(u32::MAX).max(1);
    round * count(sessions) / count(all.max(sessions))
}

fn tenure(session: &Present) -> Tenure<SessionId> {
    let claim = Claim::from(&session.grounds);
    Tenure { session: session.id, recipient: session.recipient.clone(), claim }
}

/// Asks the host again about the sessions that the host itself let in.
pub struct Reauthentication {
    /// Whose sessions.
    pub hub: Hub,
    /// Who knows.
    pub host: Arc<dyn Authenticator>,
    /// How long the host's word is good.
    pub interval: Duration,
    /// Chance, to spread the questions.
    pub rng: fastrand::Rng,
}

/// What asking again led to.
enum Word {
    Good,
    Gone,
    Unknown,
}

impl Reauthentication {
    /// Until the hub ends.
    pub async fn run(mut self) {
        let mut due = HashMap::new();
        let turn = self.interval.clamp(SHORTEST_TURN, TURN);
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
                let turns = self.whose_turn(sessions, due, &mut known);
                self.ask(turns, &mut known).await?;
            }
        }
        *due = known;
        Ok(())
    }

    fn whose_turn(
        &mut self,
        sessions: Vec<Present>,
        due: &HashMap<SessionId, Instant>,
        known: &mut HashMap<SessionId, Instant>,
    ) -> Vec<(Present, Attempt)> {
        let now = Instant::now();
        let mut turns = Vec::new();
        for session in sessions {
            let Grounds::Host(attempt) = &session.grounds else { continue };
            let at = due.get(&session.id).copied().unwrap_or_else(|| now + self.spread());
            known.insert(session.id, at);
            if at <= now {
                let attempt = (**attempt).clone();
                turns.push((session, attempt));
            }
        }
        turns
    }

    async fn ask(
        &mut self,
        turns: Vec<(Present, Attempt)>,
        known: &mut HashMap<SessionId, Instant>,
    ) -> Result<(), HubClosed> {
        let host = Arc::clone(&self.host);
        let words = stream::iter(turns).map(|(session, attempt)| {
            let host = Arc::clone(&host);
            async move { (session.id, word(&session, host.check(&attempt).await)) }
        });
        let mut words = std::pin::pin!(words.buffer_unordered(AT_ONCE));
        while let Some((session, word)) = words.next().await {
            let again = match word {
                Word::Good => self.spread(),
                Word::Unknown => REASK,
                Word::Gone => {
                    tracing::info!("a session is closed: Nextcloud no longer accepts its log-in");
                    self.hub.close(session, Close::Revoked).await?;
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
fn word(session: &Present, verdict: Verdict) -> Word {
    match verdict {
        Verdict::Accept(admission) if admission.recipient == session.recipient => Word::Good,
        Verdict::Accept(_) | Verdict::Reject => Word::Gone,
        Verdict::Abstain | Verdict::Unavailable => Word::Unknown,
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

//! Log-ins that Nextcloud decides: `/uid` with the client's own credentials.

use super::{
    RemoteSettings, answer,
    client::{Client, Extras},
    forwarded,
    line::{Joined, Line},
    trouble::{Complaints, Trouble},
};
use crate::{
    config::recent_map::Recent,
    lifecycle::Tasks,
    push::recipient::Recipient,
    runtime::status::Condition,
    server::client_address::{Origin, Origins, Welcome},
    services::nextcloud::login::{
        Admission, Attempt, Authenticator, Fingerprint, Fingerprints, Grounds, Verdict,
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};

/// How long a client waits for its answer before it is told to try later.
const PATIENCE: Duration = Duration::from_secs(30);

/// While the line moves a client may wait a little more, again and again, up to this in all.
const A_LITTLE_MORE: Duration = Duration::from_secs(5);
const MAX_PATIENCE: Duration = Duration::from_secs(75);

/// How long nobody asks for a client whose address Nextcloud throttles. It does so for up to half
/// an hour, and each try makes it longer.
const THROTTLED_FOR: Duration = Duration::from_secs(60);

/// How many such addresses are remembered; beyond, the oldest is asked for again.
const MAX_THROTTLED: usize = 4096;

/// The pause after a request that got no answer: doubled from one to the next, up to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// The longest user name and password that are passed on, in bytes.
const MAX_USER: usize = 1024;
const MAX_PASSWORD: usize = 4096;

/// Nextcloud as an authenticator. Cheap to clone.
///
/// Requests stand in a line (`Line`): so many at once, the others in turn, the same claim once.
/// A request that is under way is finished even if its client leaves, as Nextcloud works on it
/// anyway; the client finds the answer when it comes back.
#[derive(Clone)]
pub struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    client: Arc<Client>,
    tasks: Tasks,
    origins: Origins,
    fingerprints: Fingerprints,
    welcome: Welcome,
    line: Mutex<Line<Question, Answer>>,
    throttled: Mutex<Recent<Origin, ()>>,
    complaints: Mutex<Complaints>,
}

struct Question {
    attempt: Attempt,
    origin: Origin,
}

/// What is told to all who wait for the answer about one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Is(Recipient),
    Wrong,
    Unavailable,
}

/// What a turn led to.
enum Turn {
    /// An answer of Nextcloud.
    Answered(Answer),
    /// Not now for this client; says nothing of Nextcloud's health.
    NotForThis,
    /// Nextcloud has trouble: better not hurry with the next.
    Trouble,
}

impl Remote {
    /// Talks to nobody yet. `origins` tells clients apart, `welcome` is asked before each request,
    /// `fingerprints` recognizes claims.
    pub fn new(
        settings: RemoteSettings,
        tasks: Tasks,
        origins: Origins,
        fingerprints: Fingerprints,
        welcome: Welcome,
    ) -> Self {
        let line = Mutex::new(Line::new(settings.at_once));
        let client = Arc::new(Client::new(settings));
        let throttled = Mutex::new(Recent::new(MAX_THROTTLED, THROTTLED_FOR));
        let complaints = Mutex::default();
        let shared =
            Shared { client, tasks, origins, fingerprints, welcome, line, throttled, complaints };
        Self { shared: Arc::new(shared) }
    }

    /// How many claims wait to be asked about.
    pub fn waiting(&self) -> usize {
        lock(&self.shared.line).waiting()
    }

    /// How Nextcloud is, as far as its answers so far tell: it is never asked only for that.
    pub fn condition(&self) -> Condition {
        self.shared.client.condition()
    }

    pub(super) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.shared.client)
    }

    async fn ask(&self, attempt: &Attempt) -> Answer {
        let shared = &self.shared;
        let origin = shared.origins.of(&attempt.peer);
        let claim = shared.fingerprints.of(origin, &attempt.credentials);
        let question = Question { attempt: attempt.clone(), origin };
        let joined = lock(&shared.line).join(claim, origin, question, Instant::now());
        match joined {
            Joined::Answered(answer) => answer,
            Joined::Full => Answer::Unavailable,
            Joined::Waits { answer, start } => {
                if start {
                    shared.tasks.spawn(Arc::clone(shared).work_off());
                }
                shared.wait(answer).await
            }
        }
    }
}

impl Authenticator for Remote {
    fn name(&self) -> &'static str {
        "nextcloud"
    }

    fn check<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Verdict> {
        async move {
            let (user, password) = (&attempt.credentials.user, &attempt.credentials.password);
            if user.is_empty() {
                return Verdict::Abstain;
            }
            if !expressible(user, password.expose()) {
                return Verdict::Reject;
            }
            match self.ask(attempt).await {
                Answer::Wrong => Verdict::Reject,
                Answer::Unavailable => Verdict::Unavailable,
                Answer::Is(recipient) => {
                    let grounds = Grounds::Host(Box::new(attempt.clone()));
                    Verdict::Accept(Admission { recipient, grounds })
                }
            }
        }
        .boxed()
    }
}

/// Whether basic auth can say it (RFC 7617 section 2): a colon in the user name would move into the
/// password, and PHP ends a text at a NUL. No user or password of Nextcloud has them; passing them
/// on would let one guess wear many faces.
fn expressible(user: &str, password: &str) -> bool {
    user.len() <= MAX_USER
        && password.len() <= MAX_PASSWORD
        && !user.contains(|c: char| c == ':' || c.is_control())
        && !password.contains('\0')
}

impl Shared {
    async fn wait(&self, mut answer: oneshot::Receiver<Answer>) -> Answer {
        let start = Instant::now();
        let mut until = start + PATIENCE;
        loop {
            match timeout_at(until, &mut answer).await {
                Ok(answer) => return answer.unwrap_or(Answer::Unavailable),
                Err(_) if until < start + MAX_PATIENCE && lock(&self.line).moves(until) => {
                    until += A_LITTLE_MORE;
                }
                Err(_) => return Answer::Unavailable,
            }
        }
    }

    /// Asks about one claim after the other until there is none.
    async fn work_off(self: Arc<Self>) {
        let stop = self.tasks.stopping().clone();
        let work = async {
            let mut pause = PAUSES[0];
            while let Some((claim, question)) = self.next() {
                let turn = AssertUnwindSafe(self.decide(&question)).catch_unwind().await;
                let (answer, trouble) = match turn {
                    Ok(Turn::Answered(answer)) => (answer, false),
                    Ok(Turn::NotForThis) => (Answer::Unavailable, false),
                    Ok(Turn::Trouble) | Err(_) => (Answer::Unavailable, true),
                };
                let real = answer != Answer::Unavailable;
                lock(&self.line).answered(claim, &answer, real, Instant::now());
                if trouble {
                    sleep(pause).await;
                    pause = PAUSES[1].min(pause * 2);
                } else if real {
                    pause = PAUSES[0];
                }
            }
        };
        // When the process stops nobody takes an answer any more.
        let _ = stop.run_until_cancelled(work).await;
    }

    fn next(&self) -> Option<(Fingerprint, Question)> {
        lock(&self.line).next(Instant::now())
    }

    async fn decide(&self, question: &Question) -> Turn {
        let origin = question.origin;
        let throttled = lock(&self.throttled).get(&origin, Instant::now()).is_some();
        if throttled || !(self.welcome)(origin) {
            return Turn::NotForThis;
        }
        match self.uid(&question.attempt).await {
            Ok(Some(recipient)) => Turn::Answered(Answer::Is(recipient)),
            Ok(None) => Turn::Answered(Answer::Wrong),
            Err(trouble) => {
                self.complain(&trouble);
                if trouble != Trouble::Throttled {
                    return Turn::Trouble;
                }
                lock(&self.throttled).insert(origin, (), Instant::now());
                Turn::NotForThis
            }
        }
    }

    async fn uid(&self, attempt: &Attempt) -> Result<Option<Recipient>, Trouble> {
        let extras = Extras {
            credentials: Some(&attempt.credentials),
            forwarded: forwarded::chain(&attempt.peer),
            ..Extras::default()
        };
        let asked = self.client.get(&["uid"], extras).await;
        self.client.noted(asked.and_then(|reply| answer::uid(&reply)))
    }

    fn complain(&self, trouble: &Trouble) {
        if lock(&self.complaints).worth_a_line(trouble, Instant::now()) {
            let nextcloud = self.client.shown();
            tracing::warn!(%nextcloud, "a log-in could not be decided: {trouble}");
        } else {
            tracing::debug!("a log-in could not be decided: {trouble}");
        }
    }
}

/// The guard is gone before the next await: each use is one expression.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::expressible;

    #[test]
    fn what_basic_auth_cannot_say_is_not_said() {
        assert!(expressible("alice@example.com", "p:a ß\tw"));
        assert!(!expressible("ali:ce", "secret"));
        assert!(!expressible("alice\0", "secret"));
        assert!(!expressible("alice", "secret\0"));
        assert!(!expressible(&"a".repeat(1025), "secret"));
    }
}

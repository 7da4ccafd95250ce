//! Log-ins that Nextcloud decides: `/uid` with the client's own credentials.

use super::{
    NextcloudClientSettings,
    client::{NextcloudHttpClient, RequestExtras},
    coalescing_queue::{CoalescingQueue, JoinOutcome},
    error::NextcloudError,
    forwarded_header, reply,
};
use crate::{
    client::LogLimiter,
    config::recent_map::RecentMap,
    health::DependencyState,
    lifecycle::TaskGroup,
    push::{AuthMethod, AuthenticatedClient, LoginAttempt, recipient::Recipient},
    server::client_address::{ClientAddressResolver, ClientNetwork, StillAllowed},
    services::nextcloud::login::{
        AuthVerdict, Authenticator, ClaimFingerprint, ClaimFingerprinter,
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    mem::Discriminant,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};

/// The same kind of error is logged once per interval.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How long a client waits for its answer before it is told to try later.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// While the queue is_progressing a client may wait a little more, again and again, up to this in all.
const TIMEOUT_EXTENSION: Duration = Duration::from_secs(5);
const MAX_ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// How long nobody asks for a client whose address Nextcloud throttles. It does so for up to half
/// an hour, and each try makes it longer.
const THROTTLED_TTL: Duration = Duration::from_secs(60);

/// How many such addresses are remembered; beyond, the oldest is asked for again.
const MAX_THROTTLED: usize = 4096;

/// The pause after a request that got no answer: doubled from one to the next, up to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// The longest user name and password that are passed on, in bytes.
const MAX_USER: usize = 1024;
const MAX_PASSWORD: usize = 4096;

/// Nextcloud as an authenticator. Cheap to clone.
///
/// Requests stand in a queue (`CoalescingQueue`): so many at once, the others in turn, the same claim once.
/// A request that is under way is finished even if its client leaves, as Nextcloud works on it
/// anyway; the client finds the answer when it comes back.
#[derive(Clone)]
pub struct NextcloudAuthenticator {
    shared: Arc<NextcloudAuthenticatorState>,
}

struct NextcloudAuthenticatorState {
    client: Arc<NextcloudHttpClient>,
    tasks: TaskGroup,
    origins: ClientAddressResolver,
    fingerprints: ClaimFingerprinter,
    still_allowed: StillAllowed,
    queue: Mutex<CoalescingQueue<UidRequest, UidDecision>>,
    throttled: Mutex<RecentMap<ClientNetwork, ()>>,
    log_limiter: Mutex<LogLimiter<Discriminant<NextcloudError>>>,
}

struct UidRequest {
    attempt: LoginAttempt,
    origin: ClientNetwork,
}

/// What is told to all who wait for the answer about one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
enum UidDecision {
    Accepted(Recipient),
    Rejected,
    Unavailable,
}

/// What a turn led to.
enum UidRequestOutcome {
    /// An answer of Nextcloud.
    Answered(UidDecision),
    /// Not now for this client; says nothing of Nextcloud's health.
    ClientDeferred,
    /// Nextcloud has trouble: better not hurry with the next.
    Trouble,
}

impl NextcloudAuthenticator {
    /// Talks to nobody yet. `origins` tells clients apart, `still_allowed` is asked before each request,
    /// `fingerprints` recognizes claims.
    pub fn new(
        settings: NextcloudClientSettings,
        tasks: TaskGroup,
        origins: ClientAddressResolver,
        fingerprints: ClaimFingerprinter,
        still_allowed: StillAllowed,
    ) -> Self {
        let queue = Mutex::new(CoalescingQueue::new(settings.at_once));
        let client = Arc::new(NextcloudHttpClient::new(settings));
        let throttled = Mutex::new(RecentMap::new(MAX_THROTTLED, THROTTLED_TTL));
        let log_limiter = Mutex::new(LogLimiter::new(LOG_INTERVAL));
        let shared = NextcloudAuthenticatorState {
            client,
            tasks,
            origins,
            fingerprints,
            still_allowed,
            queue,
            throttled,
            log_limiter,
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many claims wait to be asked about.
    pub fn waiting(&self) -> usize {
        lock(&self.shared.queue).waiting()
    }

    /// How Nextcloud is, as far as its answers so far tell: it is never asked only for that.
    pub fn condition(&self) -> DependencyState {
        self.shared.client.condition()
    }

    pub(super) fn client(&self) -> Arc<NextcloudHttpClient> {
        Arc::clone(&self.shared.client)
    }

    async fn ask(&self, attempt: &LoginAttempt) -> UidDecision {
        let shared = &self.shared;
        let origin = shared.origins.of(&attempt.peer);
        let claim = shared.fingerprints.of(origin, &attempt.credentials);
        let question = UidRequest { attempt: attempt.clone(), origin };
        let joined = lock(&shared.queue).join(claim, origin, question, Instant::now());
        match joined {
            JoinOutcome::Answered(answer) => answer,
            JoinOutcome::Full => UidDecision::Unavailable,
            JoinOutcome::Waits { answer, start } => {
                if start {
                    shared.tasks.spawn(Arc::clone(shared).run_worker());
                }
                shared.wait(answer).await
            }
        }
    }
}

impl Authenticator for NextcloudAuthenticator {
    fn name(&self) -> &'static str {
        "nextcloud"
    }

    fn check<'a>(&'a self, attempt: &'a LoginAttempt) -> BoxFuture<'a, AuthVerdict> {
        async move {
            let (user, password) = (&attempt.credentials.user, &attempt.credentials.password);
            if user.is_empty() {
                return AuthVerdict::Abstain;
            }
            if !expressible(user, password.expose()) {
                return AuthVerdict::Reject;
            }
            match self.ask(attempt).await {
                UidDecision::Rejected => AuthVerdict::Reject,
                UidDecision::Unavailable => AuthVerdict::Unavailable,
                UidDecision::Accepted(recipient) => {
                    let auth_method = AuthMethod::Service(Box::new(attempt.clone()));
                    AuthVerdict::Accept(AuthenticatedClient { recipient, auth_method })
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

impl NextcloudAuthenticatorState {
    async fn wait(&self, mut answer: oneshot::Receiver<UidDecision>) -> UidDecision {
        let start = Instant::now();
        let mut until = start + ANSWER_TIMEOUT;
        loop {
            match timeout_at(until, &mut answer).await {
                Ok(answer) => return answer.unwrap_or(UidDecision::Unavailable),
                Err(_)
                    if until < start + MAX_ANSWER_TIMEOUT
                        && lock(&self.queue).is_progressing(until) =>
                {
                    until += TIMEOUT_EXTENSION;
                }
                Err(_) => return UidDecision::Unavailable,
            }
        }
    }

    /// Asks about one claim after the other until there is none.
    async fn run_worker(self: Arc<Self>) {
        let stop = self.tasks.stopping().clone();
        let work = async {
            let mut pause = PAUSES[0];
            while let Some((claim, question)) = self.next() {
                let turn = AssertUnwindSafe(self.decide(&question)).catch_unwind().await;
                let (answer, trouble) = match turn {
                    Ok(UidRequestOutcome::Answered(answer)) => (answer, false),
                    Ok(UidRequestOutcome::ClientDeferred) => (UidDecision::Unavailable, false),
                    Ok(UidRequestOutcome::Trouble) | Err(_) => (UidDecision::Unavailable, true),
                };
                let real = answer != UidDecision::Unavailable;
                lock(&self.queue).answered(claim, &answer, real, Instant::now());
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

    fn next(&self) -> Option<(ClaimFingerprint, UidRequest)> {
        lock(&self.queue).next(Instant::now())
    }

    async fn decide(&self, question: &UidRequest) -> UidRequestOutcome {
        let origin = question.origin;
        let throttled = lock(&self.throttled).get(&origin, Instant::now()).is_some();
        if throttled || !(self.still_allowed)(origin) {
            return UidRequestOutcome::ClientDeferred;
        }
        match self.uid(&question.attempt).await {
            Ok(Some(recipient)) => UidRequestOutcome::Answered(UidDecision::Accepted(recipient)),
            Ok(None) => UidRequestOutcome::Answered(UidDecision::Rejected),
            Err(trouble) => {
                self.log_error(&trouble);
                if trouble != NextcloudError::Throttled {
                    return UidRequestOutcome::Trouble;
                }
                lock(&self.throttled).insert(origin, (), Instant::now());
                UidRequestOutcome::ClientDeferred
            }
        }
    }

    async fn uid(&self, attempt: &LoginAttempt) -> Result<Option<Recipient>, NextcloudError> {
        let extras = RequestExtras {
            credentials: Some(&attempt.credentials),
            forwarded: forwarded_header::chain(&attempt.peer),
            ..RequestExtras::default()
        };
        let asked = self.client.get(&["uid"], extras).await;
        self.client.record_health(asked.and_then(|reply| reply::uid(&reply)))
    }

    fn log_error(&self, trouble: &NextcloudError) {
        if lock(&self.log_limiter).should_log(trouble.kind(), Instant::now()) {
            let nextcloud = self.client.display_url();
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

//! Logins that Nextcloud decides: `/uid` with the client's own credentials.

use super::{
    NextcloudClientSettings,
    client::{NextcloudHttpClient, RequestExtras},
    coalescing_queue::{CoalescingQueue, JoinOutcome},
    error::NextcloudError,
    forwarded_header, reply,
};
use crate::{
    client::LogLimiter,
    health::DependencyState,
    lifecycle::TaskGroup,
    push::{AuthDecision, AuthMethod, AuthenticatedClient, LoginAttempt, recipient::Recipient},
    server::client_address::{ClientAddressResolver, ClientNetwork, StillAllowed},
    services::nextcloud::{
        login::{AttemptRecord, Authenticator, ClaimFingerprint, ClaimFingerprinter},
        recent_map::RecentMap,
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use std::{
    mem::Discriminant,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};

/// The same kind of error is logged once per interval.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How long a client waits for a decision before it has to try again later.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// While the queue is moving a client waits longer, step by step, up to this time in all.
const TIMEOUT_EXTENSION: Duration = Duration::from_secs(5);
const MAX_ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// How long Nextcloud isn't asked for a client whose address it throttles. It throttles for up to
/// half an hour, and each request prolongs that.
const THROTTLED_TTL: Duration = Duration::from_secs(60);

/// Such addresses that are remembered; then the oldest is dropped.
const MAX_THROTTLED: usize = 4096;

/// The pause after a request without an answer: doubled from the first up to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// The longest user name and password that are passed on, in bytes.
const MAX_USER: usize = 1024;
const MAX_PASSWORD: usize = 4096;

/// Nextcloud as an authenticator. Cheap to clone.
///
/// Requests wait in a queue (`CoalescingQueue`): a few run at once, the others in turn, the same claim
/// only once. A running request is finished even if its client disconnects, as Nextcloud works on it
/// anyway; the client finds the answer when it comes back.
#[derive(Clone)]
pub struct NextcloudAuthenticator {
    shared: Arc<NextcloudAuthenticatorState>,
}

struct NextcloudAuthenticatorState {
    client: Arc<NextcloudHttpClient>,
    tasks: TaskGroup,
    addresses: ClientAddressResolver,
    fingerprints: ClaimFingerprinter,
    still_allowed: StillAllowed,
    queue: Mutex<CoalescingQueue<UidRequest, AuthDecision<Recipient>>>,
    throttled: Mutex<RecentMap<ClientNetwork, ()>>,
    wrong_secret_logged: AtomicBool,
    log_limiter: Mutex<LogLimiter<Discriminant<NextcloudError>>>,
}

struct UidRequest {
    attempt: LoginAttempt,
    network: ClientNetwork,
    record: AttemptRecord,
}

/// Why a request brought no decision.
enum UidRequestError {
    /// This client has to wait; Nextcloud is well.
    ClientDeferred,
    /// Nextcloud fails: the next request waits.
    NextcloudFailed,
}

impl NextcloudAuthenticator {
    /// Connects to nothing yet. `addresses` distinguishes networks, `still_allowed` is asked before
    /// each request, `fingerprints` recognizes claims.
    pub fn new(
        settings: NextcloudClientSettings,
        tasks: TaskGroup,
        addresses: ClientAddressResolver,
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
            addresses,
            fingerprints,
            still_allowed,
            queue,
            throttled,
            wrong_secret_logged: AtomicBool::new(false),
            log_limiter,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The number of waiting claims.
    pub fn waiting(&self) -> usize {
        self.shared.queue.lock().waiting()
    }

    /// The state of Nextcloud according to its answers so far; no request is made only for that.
    pub fn condition(&self) -> DependencyState {
        self.shared.client.condition()
    }

    pub(super) fn client(&self) -> Arc<NextcloudHttpClient> {
        Arc::clone(&self.shared.client)
    }

    async fn ask(&self, attempt: &LoginAttempt, record: &AttemptRecord) -> AuthDecision<Recipient> {
        let shared = &self.shared;
        let network = shared.addresses.of(&attempt.peer);
        let claim = shared.fingerprints.of(network, &attempt.credentials);
        let request = UidRequest { attempt: attempt.clone(), network, record: record.clone() };
        let joined = shared.queue.lock().join(claim, network, request, Instant::now());
        match joined {
            JoinOutcome::Answered(answer) => answer,
            JoinOutcome::Full => AuthDecision::Unavailable,
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

    fn check<'a>(
        &'a self,
        attempt: &'a LoginAttempt,
        record: &'a AttemptRecord,
    ) -> BoxFuture<'a, AuthDecision> {
        async move {
            let (user, password) = (&attempt.credentials.user, &attempt.credentials.password);
            if user.is_empty() {
                return AuthDecision::Abstain;
            }
            if !expressible(user, password.expose()) {
                return AuthDecision::Reject;
            }
            self.ask(attempt, record).await.map(|recipient| {
                let auth_method = AuthMethod::Service(Box::new(attempt.clone()));
                AuthenticatedClient { recipient, auth_method }
            })
        }
        .boxed()
    }
}

/// Whether basic auth can express the credentials (RFC 7617 section 2): a colon in the user name
/// would move into the password, and PHP ends a text at a NUL. No user or password of Nextcloud has
/// them; forwarding them would make one guess look like many.
fn expressible(user: &str, password: &str) -> bool {
    user.len() <= MAX_USER
        && password.len() <= MAX_PASSWORD
        && !user.contains(|c: char| c == ':' || c.is_control())
        && !password.contains('\0')
}

impl NextcloudAuthenticatorState {
    async fn wait(
        &self,
        mut answer: oneshot::Receiver<AuthDecision<Recipient>>,
    ) -> AuthDecision<Recipient> {
        let start = Instant::now();
        let mut until = start + ANSWER_TIMEOUT;
        loop {
            match timeout_at(until, &mut answer).await {
                Ok(answer) => return answer.unwrap_or(AuthDecision::Unavailable),
                Err(_)
                    if until < start + MAX_ANSWER_TIMEOUT
                        && self.queue.lock().is_progressing(until) =>
                {
                    until += TIMEOUT_EXTENSION;
                }
                Err(_) => return AuthDecision::Unavailable,
            }
        }
    }

    /// Asks about one claim after the other until the queue is empty.
    async fn run_worker(self: Arc<Self>) {
        let stop = self.tasks.stopping().clone();
        let work = async {
            let mut pause = PAUSES[0];
            while let Some((claim, request)) = self.next() {
                let decided = AssertUnwindSafe(self.decide(&request)).catch_unwind().await;
                let (answer, trouble) = match decided {
                    Ok(Ok(answer)) => (answer, false),
                    Ok(Err(UidRequestError::ClientDeferred)) => (AuthDecision::Unavailable, false),
                    Ok(Err(UidRequestError::NextcloudFailed)) | Err(_) => {
                        (AuthDecision::Unavailable, true)
                    }
                };
                let real = answer != AuthDecision::Unavailable;
                self.queue.lock().answered(claim, &answer, real, Instant::now());
                if trouble {
                    sleep(pause).await;
                    pause = PAUSES[1].min(pause * 2);
                } else if real {
                    pause = PAUSES[0];
                }
            }
        };
        // When the process stops, no client waits for an answer any more.
        let _ = stop.run_until_cancelled(work).await;
    }

    fn next(&self) -> Option<(ClaimFingerprint, UidRequest)> {
        self.queue.lock().next(Instant::now())
    }

    async fn decide(
        &self,
        request: &UidRequest,
    ) -> Result<AuthDecision<Recipient>, UidRequestError> {
        let UidRequest { attempt, network, record } = request;
        let throttled = self.throttled.lock().get(network, Instant::now()).is_some();
        if throttled || !(self.still_allowed)(*network) {
            return Err(UidRequestError::ClientDeferred);
        }
        match self.uid(attempt).await {
            Ok(Some(recipient)) => {
                record.accepted();
                if record.is_unrecognized_token() {
                    self.warn_of_wrong_secret();
                }
                Ok(AuthDecision::Accept(recipient))
            }
            Ok(None) => {
                record.comparison_failed();
                Ok(AuthDecision::Reject)
            }
            Err(NextcloudError::Throttled) => {
                self.log_error(&NextcloudError::Throttled);
                self.throttled.lock().insert(*network, (), Instant::now());
                Err(UidRequestError::ClientDeferred)
            }
            Err(error) => {
                self.log_error(&error);
                Err(UidRequestError::NextcloudFailed)
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

    /// Logs once that app passwords aren't found in the database although Nextcloud accepts them.
    fn warn_of_wrong_secret(&self) {
        if !self.wrong_secret_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "Nextcloud accepts an app password that its database doesn't hold under this secret: \
                 every such login costs a PHP request. Compare NEXTCLOUD_SECRET, if set, with \
                 secret in config.php, and check that this is Nextcloud's own database"
            );
        }
    }

    fn log_error(&self, error: &NextcloudError) {
        let logged = self.log_limiter.lock().should_log(error.kind(), Instant::now());
        if logged {
            let nextcloud = self.client.display_url();
            tracing::warn!(%nextcloud, "login not decided: {error}");
        } else {
            tracing::debug!("login not decided: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expressible;

    #[test]
    fn credentials_that_basic_auth_cannot_express_are_rejected() {
        assert!(expressible("alice@example.com", "p:a ß\tw"));
        assert!(!expressible("ali:ce", "secret"));
        assert!(!expressible("alice\0", "secret"));
        assert!(!expressible("alice", "secret\0"));
        assert!(!expressible(&"a".repeat(1025), "secret"));
    }
}

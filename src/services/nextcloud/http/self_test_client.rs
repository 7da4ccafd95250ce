//! The self-test's requests to Nextcloud (`specs/nextcloud.md` section 5).

use super::{
    NextcloudAuthenticator, NextcloudError,
    client::{NextcloudHttpClient, RequestExtras},
    reply,
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// Requests that may run at once; a self-test sends one after the other.
const MAX_CONCURRENT: usize = 4;

/// The time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests Nextcloud's self-test routes, past the queue of logins. Cheap to clone.
#[derive(Clone)]
pub struct SelfTestClient {
    client: Arc<NextcloudHttpClient>,
    permits: Arc<Semaphore>,
}

impl SelfTestClient {
    /// A client that shares the connections of `remote`.
    pub fn new(remote: &NextcloudAuthenticator) -> Self {
        Self { client: remote.client(), permits: Arc::new(Semaphore::new(MAX_CONCURRENT)) }
    }

    /// The cookie that Nextcloud knows.
    ///
    /// # Errors
    /// [`NextcloudError`], as for the others.
    pub async fn test_cookie(&self, token: &str) -> Result<String, NextcloudError> {
        self.ask("cookie", token, None).await
    }

    /// The address that Nextcloud assumes for a client at `ip` behind the daemon.
    pub async fn test_remote(&self, token: &str, ip: IpAddr) -> Result<String, NextcloudError> {
        self.ask("remote", token, Some(ip)).await
    }

    /// Makes Nextcloud write its app's version to Redis.
    pub async fn test_version(&self, token: &str) -> Result<String, NextcloudError> {
        self.ask("version", token, None).await
    }

    async fn ask(
        &self,
        what: &str,
        token: &str,
        ip: Option<IpAddr>,
    ) -> Result<String, NextcloudError> {
        let _turn = self.permits.try_acquire().map_err(|_| NextcloudError::Busy)?;
        let forwarded = ip.map(|ip| ip.to_string());
        let extras = RequestExtras { forwarded, token: Some(token), ..RequestExtras::default() };
        let path = ["test", what];
        let asked = timeout(REQUEST_TIMEOUT, self.client.get(&path, extras)).await;
        let reply = asked.unwrap_or(Err(NextcloudError::Late));
        self.client.record_health(reply.and_then(|reply| reply::text(&reply).map(str::to_owned)))
    }
}

//! The self-test's questions to Nextcloud: `specs/nextcloud.md` section 5.

use super::{
    Remote, Trouble, answer,
    client::{Client, Extras},
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// How many such questions may be under way; a self-test asks one after the other.
const AT_ONCE: usize = 4;

/// The self-test itself doesn't wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks Nextcloud's self-test routes, past the line of log-ins. Cheap to clone.
#[derive(Clone)]
pub struct Probe {
    client: Arc<Client>,
    turns: Arc<Semaphore>,
}

impl Probe {
    /// Shares the connections of `remote`.
    pub fn new(remote: &Remote) -> Self {
        Self { client: remote.client(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The cookie that Nextcloud knows.
    ///
    /// # Errors
    /// [`Trouble`], as for the others.
    pub async fn test_cookie(&self, token: &str) -> Result<String, Trouble> {
        self.ask("cookie", token, None).await
    }

    /// As what address Nextcloud sees a client at `ip` that comes through us.
    pub async fn test_remote(&self, token: &str, ip: IpAddr) -> Result<String, Trouble> {
        self.ask("remote", token, Some(ip)).await
    }

    /// Makes Nextcloud write its app's version into Redis.
    pub async fn test_version(&self, token: &str) -> Result<String, Trouble> {
        self.ask("version", token, None).await
    }

    async fn ask(&self, what: &str, token: &str, ip: Option<IpAddr>) -> Result<String, Trouble> {
        let _turn = self.turns.try_acquire().map_err(|_| Trouble::Busy)?;
        let forwarded = ip.map(|ip| ip.to_string());
        let extras = Extras { forwarded, token: Some(token), ..Extras::default() };
        let path = ["test", what];
        let asked = timeout(PATIENCE, self.client.get(&path, extras)).await;
        let reply = asked.unwrap_or(Err(Trouble::Late));
        self.client.noted(reply.and_then(|reply| answer::text(&reply).map(str::to_owned)))
    }
}

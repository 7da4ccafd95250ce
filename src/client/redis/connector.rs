//! Finds the server to connect to: a single one, any node of a cluster, or the master of sentinels.

use super::{
    RedisAddress, RedisClientError, RedisSettings, RedisTimeouts, RedisTopology, cluster,
    connection::{RedisConnection, RedisLogin},
    dialer::RedisDialer,
    sentinel,
    sentinel::SentinelQuery,
};
use parking_lot::{Mutex, MutexGuard};

/// Most cluster nodes that are remembered beside the configured seeds.
const MAX_LEARNED: usize = 32;

/// Connects to the right server and remembers the nodes that it learned of.
#[derive(Debug)]
pub(super) struct RedisConnector {
    settings: RedisSettings,
    dialer: RedisDialer,
    timeouts: RedisTimeouts,
    known: Mutex<KnownServers>,
}

/// What was learned; the lock is held only for look-ups.
#[derive(Debug)]
struct KnownServers {
    rng: fastrand::Rng,
    /// Where the last connection succeeded: tried first.
    last: Option<RedisAddress>,
    /// Cluster nodes that other nodes announced, in case all seeds are gone.
    learned: Vec<RedisAddress>,
}

impl RedisConnector {
    pub(super) fn new(
        settings: RedisSettings,
        timeouts: RedisTimeouts,
        rng: fastrand::Rng,
    ) -> Self {
        let dialer = RedisDialer { tls: settings.tls.clone(), step_timeout: timeouts.step_timeout };
        let known = Mutex::new(KnownServers { rng, last: None, learned: Vec::new() });
        Self { settings, dialer, timeouts, known }
    }

    /// A connection to the right server, logged in.
    pub(super) async fn connect(&self) -> Result<RedisConnection, RedisClientError> {
        match &self.settings.topology {
            RedisTopology::Single(at) => self.open(at).await,
            RedisTopology::Cluster(seeds) => self.any_node(seeds).await,
            RedisTopology::Sentinel { sentinels, master, user, password } => {
                let login =
                    RedisLogin { user: user.as_deref(), password: password.as_ref(), database: 0 };
                self.master(sentinels, SentinelQuery { dialer: &self.dialer, login, master }).await
            }
        }
    }

    /// A connection to exactly this server, logged in.
    pub(super) async fn open(
        &self,
        at: &RedisAddress,
    ) -> Result<RedisConnection, RedisClientError> {
        let mut login = RedisLogin::from(&self.settings);
        if matches!(self.settings.topology, RedisTopology::Cluster(_)) {
            login.database = 0;
        }
        RedisConnection::open(&self.dialer, at, &login).await
    }

    /// Resolves once another server than `at` is the right one; never for a single server. Servers that
    /// don't answer change nothing: pings show whether `at` is alive.
    pub(super) async fn wait_until_outdated(&self, at: &RedisAddress) -> RedisClientError {
        loop {
            tokio::time::sleep(self.timeouts.look).await;
            let better = match &self.settings.topology {
                RedisTopology::Single(_) => std::future::pending().await,
                RedisTopology::Cluster(seeds) => self.find_healthier_node(at, seeds).await,
                RedisTopology::Sentinel { sentinels, master, user, password } => {
                    let login = RedisLogin {
                        user: user.as_deref(),
                        password: password.as_ref(),
                        database: 0,
                    };
                    let ask = SentinelQuery { dialer: &self.dialer, login, master };
                    self.new_master(at, sentinels, ask).await
                }
            };
            if let Some(why) = better {
                return RedisClientError::Moved { at: at.clone(), why };
            }
        }
    }

    /// Connects to any node, since a published message reaches them all; to a node that is cut off
    /// from its cluster only if there is no other.
    async fn any_node(&self, seeds: &[RedisAddress]) -> Result<RedisConnection, RedisClientError> {
        let (mut last, mut partitioned) = (RedisClientError::NoServerConfigured, None);
        for at in self.candidates(seeds) {
            let mut connection = match self.open(&at).await {
                Ok(connection) => connection,
                Err(fault) => {
                    last = fault;
                    continue;
                }
            };
            if cluster::is_partitioned(&mut connection).await {
                partitioned.get_or_insert(connection);
                continue;
            }
            let nodes = cluster::nodes(&mut connection).await;
            self.remember(&at, nodes);
            return Ok(connection);
        }
        partitioned.ok_or(last)
    }

    async fn find_healthier_node(
        &self,
        at: &RedisAddress,
        seeds: &[RedisAddress],
    ) -> Option<String> {
        if !cluster::is_partitioned(&mut self.open(at).await.ok()?).await {
            return None;
        }
        for other in self.candidates(seeds).into_iter().filter(|other| other != at) {
            let Ok(mut connection) = self.open(&other).await else { continue };
            if !cluster::is_partitioned(&mut connection).await {
                self.remember(&other, Vec::new());
                return Some(format!("it is cut off from its cluster, {other} is not"));
            }
        }
        None
    }

    /// Queries the sentinels in turn and connects to the first server that is a master.
    async fn master(
        &self,
        sentinels: &[RedisAddress],
        ask: SentinelQuery<'_>,
    ) -> Result<RedisConnection, RedisClientError> {
        let (mut last, mut tried) = (RedisClientError::NoServerConfigured, Vec::new());
        for sentinel in self.candidates(sentinels) {
            let at = match ask.master_at(&sentinel).await {
                Ok(at) if tried.contains(&at) => continue,
                Ok(at) => at,
                Err(fault) => {
                    last = fault;
                    continue;
                }
            };
            match self.open_master(&at).await {
                Ok(connection) => {
                    self.remember(&sentinel, Vec::new());
                    return Ok(connection);
                }
                Err(fault) => last = fault,
            }
            tried.push(at);
        }
        Err(last)
    }

    async fn open_master(&self, at: &RedisAddress) -> Result<RedisConnection, RedisClientError> {
        let mut connection = self.open(at).await?;
        sentinel::check_is_master(&mut connection).await?;
        Ok(connection)
    }

    async fn new_master(
        &self,
        at: &RedisAddress,
        sentinels: &[RedisAddress],
        ask: SentinelQuery<'_>,
    ) -> Option<String> {
        for sentinel in self.candidates(sentinels) {
            if let Ok(master) = ask.master_at(&sentinel).await {
                return (master != *at).then(|| format!("sentinel {sentinel} names {master}"));
            }
        }
        None
    }

    /// Addresses to try: the last that worked, the configured ones in random order so that many
    /// daemons spread, then the learned ones.
    fn candidates(&self, configured: &[RedisAddress]) -> Vec<RedisAddress> {
        let mut known = self.known();
        let mut configured = configured.to_vec();
        known.rng.shuffle(&mut configured);
        let mut all: Vec<RedisAddress> = Vec::new();
        for at in known.last.iter().chain(&configured).chain(&known.learned) {
            if !all.contains(at) {
                all.push(at.clone());
            }
        }
        all
    }

    fn remember(&self, at: &RedisAddress, mut nodes: Vec<RedisAddress>) {
        let mut known = self.known();
        known.last = Some(at.clone());
        if !nodes.is_empty() {
            nodes.truncate(MAX_LEARNED);
            known.rng.shuffle(&mut nodes);
            known.learned = nodes;
        }
    }

    fn known(&self) -> MutexGuard<'_, KnownServers> {
        self.known.lock()
    }
}

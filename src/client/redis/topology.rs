//! Finds the server to talk to: the one, any of a cluster, or the master that sentinels name.

use super::{
    Address, Fault, Pace, RedisSettings, Topology, cluster,
    dial::Dialer,
    sentinel::{self, Sentinels},
    wire::{Login, Wire},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// No more cluster nodes than this are remembered beside the configured seeds.
const MAX_LEARNED: usize = 32;

/// Connects to the right server each time, and remembers what it learned on the way.
#[derive(Debug)]
pub(super) struct Finder {
    settings: RedisSettings,
    dialer: Dialer,
    pace: Pace,
    known: Mutex<Known>,
}

/// What was learned; the lock is held for moments only.
#[derive(Debug)]
struct Known {
    rng: fastrand::Rng,
    /// Where the last connection succeeded: tried first.
    last: Option<Address>,
    /// Cluster nodes that other nodes told us of, for the day all seeds are gone.
    learned: Vec<Address>,
}

impl Finder {
    pub(super) fn new(settings: RedisSettings, pace: Pace, rng: fastrand::Rng) -> Self {
        let dialer = Dialer { tls: settings.tls.clone(), patience: pace.patience };
        let known = Mutex::new(Known { rng, last: None, learned: Vec::new() });
        Self { settings, dialer, pace, known }
    }

    /// A connection to the right server, logged in.
    pub(super) async fn connect(&self) -> Result<Wire, Fault> {
        match &self.settings.topology {
            Topology::Single(at) => self.open(at).await,
            Topology::Cluster(seeds) => self.any_node(seeds).await,
            Topology::Sentinel { sentinels, master, user, password } => {
                let login =
                    Login { user: user.as_deref(), password: password.as_ref(), database: 0 };
                self.master(sentinels, Sentinels { dialer: &self.dialer, login, master }).await
            }
        }
    }

    /// A connection to exactly this server, logged in.
    pub(super) async fn open(&self, at: &Address) -> Result<Wire, Fault> {
        let mut login = Login::from(&self.settings);
        if matches!(self.settings.topology, Topology::Cluster(_)) {
            login.database = 0;
        }
        Wire::open(&self.dialer, at, &login).await
    }

    /// Resolves once another server than `at` is the right one to listen to; pends for ever for a
    /// single server. Servers that can't be asked change nothing: the pings tell whether `at` lives.
    pub(super) async fn outdated(&self, at: &Address) -> Fault {
        loop {
            tokio::time::sleep(self.pace.look).await;
            let better = match &self.settings.topology {
                Topology::Single(_) => std::future::pending().await,
                Topology::Cluster(seeds) => self.healthier(at, seeds).await,
                Topology::Sentinel { sentinels, master, user, password } => {
                    let login =
                        Login { user: user.as_deref(), password: password.as_ref(), database: 0 };
                    let ask = Sentinels { dialer: &self.dialer, login, master };
                    self.new_master(at, sentinels, ask).await
                }
            };
            if let Some(why) = better {
                return Fault::Moved { at: at.clone(), why };
            }
        }
    }

    /// Any node will do, for a published message reaches them all; one that is cut off from the
    /// rest of its cluster only if there is no other.
    async fn any_node(&self, seeds: &[Address]) -> Result<Wire, Fault> {
        let (mut last, mut cut_off) = (Fault::Nowhere, None);
        for at in self.candidates(seeds) {
            let mut wire = match self.open(&at).await {
                Ok(wire) => wire,
                Err(fault) => {
                    last = fault;
                    continue;
                }
            };
            if cluster::is_cut_off(&mut wire).await {
                cut_off.get_or_insert(wire);
                continue;
            }
            let nodes = cluster::nodes(&mut wire).await;
            self.remember(&at, nodes);
            return Ok(wire);
        }
        cut_off.ok_or(last)
    }

    async fn healthier(&self, at: &Address, seeds: &[Address]) -> Option<String> {
        if !cluster::is_cut_off(&mut self.open(at).await.ok()?).await {
            return None;
        }
        for other in self.candidates(seeds).into_iter().filter(|other| other != at) {
            let Ok(mut wire) = self.open(&other).await else { continue };
            if !cluster::is_cut_off(&mut wire).await {
                self.remember(&other, Vec::new());
                return Some(format!("it is cut off from its cluster, {other} is not"));
            }
        }
        None
    }

    /// Asks the sentinels one after the other and takes the first master that is one.
    async fn master(&self, sentinels: &[Address], ask: Sentinels<'_>) -> Result<Wire, Fault> {
        let (mut last, mut tried) = (Fault::Nowhere, Vec::new());
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
                Ok(wire) => {
                    self.remember(&sentinel, Vec::new());
                    return Ok(wire);
                }
                Err(fault) => last = fault,
            }
            tried.push(at);
        }
        Err(last)
    }

    async fn open_master(&self, at: &Address) -> Result<Wire, Fault> {
        let mut wire = self.open(at).await?;
        sentinel::check_is_master(&mut wire).await?;
        Ok(wire)
    }

    async fn new_master(
        &self,
        at: &Address,
        sentinels: &[Address],
        ask: Sentinels<'_>,
    ) -> Option<String> {
        for sentinel in self.candidates(sentinels) {
            if let Ok(master) = ask.master_at(&sentinel).await {
                return (master != *at).then(|| format!("sentinel {sentinel} names {master}"));
            }
        }
        None
    }

    /// Everywhere worth trying: where it worked last, the configured ones in random order so that
    /// many daemons spread, then what was learned.
    fn candidates(&self, configured: &[Address]) -> Vec<Address> {
        let mut known = self.known();
        let mut configured = configured.to_vec();
        known.rng.shuffle(&mut configured);
        let mut all: Vec<Address> = Vec::new();
        for at in known.last.iter().chain(&configured).chain(&known.learned) {
            if !all.contains(at) {
                all.push(at.clone());
            }
        }
        all
    }

    fn remember(&self, at: &Address, mut nodes: Vec<Address>) {
        let mut known = self.known();
        known.last = Some(at.clone());
        if !nodes.is_empty() {
            nodes.truncate(MAX_LEARNED);
            known.rng.shuffle(&mut nodes);
            known.learned = nodes;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

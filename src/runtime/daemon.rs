//! A daemon from its first listener to its last goodbye.

use super::{
    Rim, StartError,
    listeners::{Listeners, Served},
    probe::{Entrance, Probe},
    reload::{Following, Live, Reread},
};
use crate::{
    config::{Entry, HostName, Place},
    health::{Dependency, Health},
    lifecycle,
    lifecycle::{Exit, ServiceManager, Shutdown, Signal, Tasks, feed_watchdog},
    runtime::{Page, Settings},
    server::{Local, client_address::Origins},
    services::{Boxed, Clock, Ground, Groups, Running},
};
use futures_util::Stream;
use ipnet::IpNet;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long listeners and sources may take to end; sessions get the drain time of the settings.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Beyond the drain time, for clients that don't answer a close frame.
const GOODBYE: Duration = Duration::from_secs(2);

/// A daemon that serves its clients.
pub struct Daemon {
    tasks: Tasks,
    shutdown: Shutdown,
    live: Box<Live>,
    manager: ServiceManager,
    local: Local,
    own: Vec<Local>,
    watched: Option<Local>,
    probe: Probe,
}

/// A host that runs, with what the settings say of it.
pub(super) struct Placed {
    pub(super) name: Option<HostName>,
    pub(super) place: Place,
    pub(super) running: Running,
    /// Where its probe begins, if not at the shared listener.
    pub(super) entrance: Option<Entrance>,
}

impl Placed {
    /// What it depends on, under its name.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let host: Option<Arc<str>> = self.name.as_ref().map(|name| name.as_str().into());
        let own = |dependency: &Dependency| Dependency { host: host.clone(), ..dependency.clone() };
        self.running.dependencies.iter().map(own).collect()
    }

    /// Whether this host alone can do its job.
    pub(super) fn health(&self, whole: &Health) -> Health {
        whole.of(self.dependencies())
    }
}

/// What all hosts are started with.
struct Beginning<'a> {
    settings: &'a Settings,
    groups: Groups,
    rim: Rim,
}

impl Daemon {
    /// Binds, puts everything together and serves.
    ///
    /// # Errors
    /// [`StartError`]: nothing has been served then.
    pub async fn start(
        settings: &Settings,
        entries: Vec<Entry<Boxed>>,
        mut rim: Rim,
    ) -> Result<Self, StartError> {
        apart(&entries)?;
        let shared = !entries.iter().all(|entry| entry.host.is_apart());
        let sockets = rim.manager.take_sockets();
        let mut listeners = Listeners::bind(settings, sockets, shared).await?;
        let tasks = Tasks::default();
        let groups =
            Groups { listeners: tasks.group(), sources: tasks.group(), sessions: tasks.group() };
        let origins = Origins::new(proxies(&entries));
        let mut beginning = Beginning { settings, groups, rim };
        let mut hosts = beginning.start(entries)?;
        let Beginning { groups, rim, .. } = beginning;
        listeners.open(&mut hosts, &groups).await?;
        let (local, own, watched) = (listeners.local()?, listeners.own()?, listeners.watched()?);
        let probe = Probe::new(listeners.entrance(settings)?.as_ref(), &hosts);
        let page = page(&hosts)?;
        let health = health(&hosts, &rim.clock);
        let (log, shared, play) = (rim.log.clone(), origins.clone(), rim.play);
        let served = Served { hosts: &hosts, origins: shared, page, health, log, play };
        let (certificates, strangers) = listeners.serve(served, settings, &groups.listeners);
        let live = Box::new(Live {
            settings: settings.clone(),
            hosts: hosts.into_iter().map(Following::from).collect(),
            reread: None,
            log: rim.log,
            origins,
            strangers,
            certificates,
        });
        let drain = settings.drain_time + GOODBYE;
        let shutdown = Shutdown::within(2 * BRIEFLY + drain)
            .then("listeners", groups.listeners, BRIEFLY)
            .then("sources", groups.sources, BRIEFLY)
            .then("sessions", groups.sessions, drain);
        let manager = rim.manager;
        Ok(Self { tasks, shutdown, live, manager, local, own, watched, probe })
    }

    /// The same daemon, which on SIGHUP reads its settings again; without it, certificates alone.
    #[must_use]
    pub fn rereading(mut self, reread: Reread) -> Self {
        self.live.reread = Some(reread);
        self
    }

    /// Where clients connect: the shared listener, else the first of a host's own.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// Where the hosts' own listeners are, host by host in the order of their doorways.
    pub fn own(&self) -> &[Local] {
        &self.own
    }

    /// Where it is watched and controlled, the first of such listeners.
    pub fn watched(&self) -> Option<&Local> {
        self.watched.as_ref()
    }

    /// Goes on until a signal asks it to end, and ends in order.
    pub async fn run(self, signals: impl Stream<Item = Signal> + Unpin) -> Exit {
        let Self { tasks, shutdown, mut live, manager, probe, .. } = self;
        let stop = tasks.stopping().clone();
        tokio::select! {
            exit = lifecycle::run(&tasks, signals, &manager, shutdown, &mut *live) => exit,
            // Fed until the very end: a daemon that sees its clients off is not hung.
            () = feed_watchdog(&manager, || probe.go(), stop) => Exit::Clean,
        }
    }
}

impl Beginning<'_> {
    /// Starts every host, or none: one that can't start is a mistake in the settings, and whoever
    /// starts the daemon is there to read of it.
    fn start(&mut self, entries: Vec<Entry<Boxed>>) -> Result<Vec<Placed>, StartError> {
        let start = |Entry { name, place, host }: Entry<Boxed>| {
            let ground = self.ground(name.clone(), place.clone());
            match (host.start(ground), name) {
                (Ok(running), name) => Ok(Placed { name, place, running, entrance: None }),
                (Err(error), Some(name)) => Err(StartError::NamedHost(name, error)),
                (Err(error), None) => Err(StartError::Host(error)),
            }
        };
        entries.into_iter().map(start).collect()
    }

    fn ground(&mut self, name: Option<HostName>, place: Place) -> Ground {
        Ground {
            groups: self.groups.of(name.as_ref()),
            name,
            place,
            log: self.rim.log.clone(),
            clock: self.rim.clock.clone(),
            rng: self.rim.rng.fork(),
            cores: self.rim.cores,
            drain_time: self.settings.drain_time,
        }
    }
}

/// What all hosts depend on.
fn health(hosts: &[Placed], clock: &Clock) -> Health {
    let dependencies: Vec<_> = hosts.iter().flat_map(Placed::dependencies).collect();
    Health::new(dependencies, Arc::clone(clock))
}

/// The numbers of the daemon and of all its hosts.
fn page(hosts: &[Placed]) -> Result<Page, StartError> {
    let mut page = Page::new(env!("CARGO_PKG_VERSION"))?;
    for Placed { name, running, .. } in hosts {
        let name = name.as_ref().map(HostName::as_str);
        page.add(name, running.metrics.clone(), running.snapshot.clone());
    }
    Ok(page)
}

/// No two hosts may listen at one place.
fn apart(entries: &[Entry<Boxed>]) -> Result<(), StartError> {
    let mut taken: HashMap<String, HostName> = HashMap::new();
    for Entry { name, host, .. } in entries {
        let Some(name) = name else { continue };
        for place in host.listens_to() {
            if let Some(other) = taken.get(&place).filter(|other| *other != name) {
                return Err(StartError::SameSource(other.clone(), name.clone(), place));
            }
            taken.insert(place, name.clone());
        }
    }
    Ok(())
}

/// The proxies of all hosts: the listener doesn't know yet for which of them a connection is.
fn proxies(entries: &[Entry<Boxed>]) -> Vec<IpNet> {
    entries.iter().flat_map(|entry| entry.host.trusted_proxies().iter().copied()).collect()
}

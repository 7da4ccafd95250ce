//! A daemon from its first listener to its last goodbye.

use super::{
    DaemonStartError, RuntimeEnvironment,
    listeners::{DaemonListeners, ListenerContext},
    reload::{ConfigReader, LiveSettings, ReloadableService},
    self_probe::{DaemonProbe, ProbeEndpoint},
};
use crate::{
    config::{ServiceEntry, ServiceName, ServiceRoute},
    health::{HealthRegistry, ServiceDependency},
    lifecycle,
    lifecycle::{
        ExitReason, ProcessSignal, ServiceManager, ShutdownSequence, TaskGroup, feed_watchdog,
    },
    runtime::{DaemonSettings, MetricsPage},
    server::{LocalAddress, client_address::ClientAddressResolver},
    services::{BoxedService, RunningService, ServiceContext, TaskGroups, WallClock},
};
use futures_util::Stream;
use ipnet::IpNet;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long listeners and sources may take to end; sessions get the drain time of the settings.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// Beyond the drain time, for clients that don't answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A daemon that serves its clients.
pub struct Daemon {
    tasks: TaskGroup,
    shutdown: ShutdownSequence,
    live: Box<LiveSettings>,
    manager: ServiceManager,
    local: LocalAddress,
    own: Vec<LocalAddress>,
    watched: Option<LocalAddress>,
    probe: DaemonProbe,
}

/// A host that runs, with what the settings say of it.
pub(super) struct StartedService {
    pub(super) name: Option<ServiceName>,
    pub(super) place: ServiceRoute,
    pub(super) running: RunningService,
    /// Where its probe begins, if not at the shared listener.
    pub(super) entrance: Option<ProbeEndpoint>,
}

impl StartedService {
    /// What it depends on, under its name.
    pub(super) fn dependencies(&self) -> Vec<ServiceDependency> {
        let host: Option<Arc<str>> = self.name.as_ref().map(|name| name.as_str().into());
        let own = |dependency: &ServiceDependency| ServiceDependency {
            host: host.clone(),
            ..dependency.clone()
        };
        self.running.dependencies.iter().map(own).collect()
    }

    /// Whether this host alone can do its job.
    pub(super) fn health(&self, whole: &HealthRegistry) -> HealthRegistry {
        whole.of(self.dependencies())
    }
}

/// What all hosts are started with.
struct ServiceStarter<'a> {
    settings: &'a DaemonSettings,
    groups: TaskGroups,
    environment: RuntimeEnvironment,
}

impl Daemon {
    /// Binds, puts everything together and serves.
    ///
    /// # Errors
    /// [`DaemonStartError`]: nothing has been served then.
    pub async fn start(
        settings: &DaemonSettings,
        entries: Vec<ServiceEntry<BoxedService>>,
        mut environment: RuntimeEnvironment,
    ) -> Result<Self, DaemonStartError> {
        check_no_shared_source(&entries)?;
        let shared = !entries.iter().all(|entry| entry.host.has_own_listeners());
        let sockets = environment.manager.take_sockets();
        let mut listeners = DaemonListeners::bind(settings, sockets, shared).await?;
        let tasks = TaskGroup::default();
        let groups = TaskGroups {
            listeners: tasks.group(),
            sources: tasks.group(),
            sessions: tasks.group(),
        };
        let origins = ClientAddressResolver::new(proxies(&entries));
        let mut beginning = ServiceStarter { settings, groups, environment };
        let mut hosts = beginning.start(entries)?;
        let ServiceStarter { groups, environment, .. } = beginning;
        listeners.open(&mut hosts, &groups).await?;
        let (local, own, watched) = (listeners.local()?, listeners.own()?, listeners.watched()?);
        let probe = DaemonProbe::new(listeners.entrance(settings)?.as_ref(), &hosts);
        let page = page(&hosts)?;
        let health = health(&hosts, &environment.clock);
        let (log, shared, play) = (environment.log.clone(), origins.clone(), environment.play);
        let served = ListenerContext { hosts: &hosts, origins: shared, page, health, log, play };
        let (certificates, pre_auth) = listeners.serve(served, settings, &groups.listeners);
        let live = Box::new(LiveSettings {
            settings: settings.clone(),
            hosts: hosts.into_iter().map(ReloadableService::from).collect(),
            reload_settings: None,
            log: environment.log,
            origins,
            pre_auth,
            certificates,
        });
        let drain = settings.drain_time + CLOSE_TIMEOUT;
        let shutdown = ShutdownSequence::within(2 * STOP_TIMEOUT + drain)
            .then("listeners", groups.listeners, STOP_TIMEOUT)
            .then("sources", groups.sources, STOP_TIMEOUT)
            .then("sessions", groups.sessions, drain);
        let manager = environment.manager;
        Ok(Self { tasks, shutdown, live, manager, local, own, watched, probe })
    }

    /// The same daemon, which on SIGHUP reads its settings again; without it, certificates alone.
    #[must_use]
    pub fn rereading(mut self, reload_settings: ConfigReader) -> Self {
        self.live.reload_settings = Some(reload_settings);
        self
    }

    /// Where clients connect: the shared listener, else the first of a host's own.
    pub fn local(&self) -> &LocalAddress {
        &self.local
    }

    /// Where the hosts' own listeners are, host by host in the order of their service_listeners.
    pub fn own(&self) -> &[LocalAddress] {
        &self.own
    }

    /// Where it is watched and controlled, the first of such listeners.
    pub fn watched(&self) -> Option<&LocalAddress> {
        self.watched.as_ref()
    }

    /// Goes on until a signal asks it to end, and ends in order.
    pub async fn run(self, signals: impl Stream<Item = ProcessSignal> + Unpin) -> ExitReason {
        let Self { tasks, shutdown, mut live, manager, probe, .. } = self;
        let stop = tasks.stopping().clone();
        tokio::select! {
            exit = lifecycle::run(&tasks, signals, &manager, shutdown, &mut *live) => exit,
            // Fed until the very end: a daemon that sees its clients off is not hung.
            () = feed_watchdog(&manager, || probe.go(), stop) => ExitReason::Clean,
        }
    }
}

impl ServiceStarter<'_> {
    /// Starts every host, or none: one that can't start is a mistake in the settings, and whoever
    /// starts the daemon is there to read of it.
    fn start(
        &mut self,
        entries: Vec<ServiceEntry<BoxedService>>,
    ) -> Result<Vec<StartedService>, DaemonStartError> {
        let start = |ServiceEntry { name, place, host }: ServiceEntry<BoxedService>| {
            let context = self.context(name.clone(), place.clone());
            match (host.start(context), name) {
                (Ok(running), name) => Ok(StartedService { name, place, running, entrance: None }),
                (Err(error), Some(name)) => Err(DaemonStartError::NamedHost(name, error)),
                (Err(error), None) => Err(DaemonStartError::Host(error)),
            }
        };
        entries.into_iter().map(start).collect()
    }

    fn context(&mut self, name: Option<ServiceName>, place: ServiceRoute) -> ServiceContext {
        ServiceContext {
            groups: self.groups.of(name.as_ref()),
            name,
            place,
            log: self.environment.log.clone(),
            clock: self.environment.clock.clone(),
            rng: self.environment.rng.fork(),
            cores: self.environment.cores,
            drain_time: self.settings.drain_time,
        }
    }
}

/// What all hosts depend on.
fn health(hosts: &[StartedService], clock: &WallClock) -> HealthRegistry {
    let dependencies: Vec<_> = hosts.iter().flat_map(StartedService::dependencies).collect();
    HealthRegistry::new(dependencies, Arc::clone(clock))
}

/// The numbers of the daemon and of all its hosts.
fn page(hosts: &[StartedService]) -> Result<MetricsPage, DaemonStartError> {
    let mut page = MetricsPage::new(env!("CARGO_PKG_VERSION"))?;
    for StartedService { name, running, .. } in hosts {
        let name = name.as_ref().map(ServiceName::as_str);
        page.add(name, running.metrics.clone(), running.snapshot.clone());
    }
    Ok(page)
}

/// No two hosts may listen at one place.
fn check_no_shared_source(entries: &[ServiceEntry<BoxedService>]) -> Result<(), DaemonStartError> {
    let mut taken: HashMap<String, ServiceName> = HashMap::new();
    for ServiceEntry { name, host, .. } in entries {
        let Some(name) = name else { continue };
        for place in host.inputs() {
            if let Some(other) = taken.get(&place).filter(|other| *other != name) {
                return Err(DaemonStartError::SharedRedis(other.clone(), name.clone(), place));
            }
            taken.insert(place, name.clone());
        }
    }
    Ok(())
}

/// The proxies of all hosts: the listener doesn't know yet for which of them a connection is.
fn proxies(entries: &[ServiceEntry<BoxedService>]) -> Vec<IpNet> {
    entries.iter().flat_map(|entry| entry.host.trusted_proxies().iter().copied()).collect()
}

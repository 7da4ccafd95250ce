//! The daemon from its first listener to the end of its shutdown.

use super::{
    DaemonStartError, RuntimeEnvironment,
    listeners::{DaemonListeners, ListenerContext},
    reload::{ConfigReader, LiveSettings, ReloadableService},
    self_probe::DaemonProbe,
    started_service::StartedService,
};
use crate::{
    config::{ServiceEntry, ServiceName, ServiceRoute},
    health::HealthRegistry,
    lifecycle,
    lifecycle::{
        ExitReason, ProcessSignal, ServiceManager, ShutdownSequence, TaskGroup, feed_watchdog,
    },
    push::hub::BacklogMemory,
    runtime::{DaemonSettings, MetricsPage},
    server::{LocalAddress, client_address::ClientAddressResolver},
    services::{BoxedService, ServiceContext, ServiceInput, ShutdownPhases, WallClock},
};
use futures_util::Stream;
use ipnet::IpNet;
use rustix::process::{Resource, getrlimit};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long the first two phases of a shutdown may take; the last has the services' drain time.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// Beyond the drain time, for clients that don't answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A running daemon.
pub struct Daemon {
    tasks: TaskGroup,
    shutdown: ShutdownSequence,
    live: Box<LiveSettings>,
    manager: ServiceManager,
    local: Option<LocalAddress>,
    service_listeners: Vec<LocalAddress>,
    admin: Option<LocalAddress>,
    probe: DaemonProbe,
}

/// Starts the services.
struct ServiceStarter<'a> {
    drain_time: Duration,
    max_sessions: usize,
    backlog_memory: BacklogMemory,
    phases: &'a ShutdownPhases,
    environment: &'a mut RuntimeEnvironment,
}

impl Daemon {
    /// Binds, starts every service, and serves.
    ///
    /// # Errors
    /// [`DaemonStartError`]: nothing has been served then.
    pub async fn start(
        settings: &DaemonSettings,
        entries: Vec<ServiceEntry<BoxedService>>,
        mut environment: RuntimeEnvironment,
    ) -> Result<Self, DaemonStartError> {
        check_distinct_inputs(&entries)?;
        let shared = entries.iter().any(|entry| entry.service.needs_shared_listener());
        let sockets = environment.manager.take_sockets();
        let mut listeners = DaemonListeners::bind(settings, sockets, shared).await?;
        let tasks = TaskGroup::default();
        let phases =
            ShutdownPhases { accept: tasks.group(), consume: tasks.group(), work: tasks.group() };
        let addresses = ClientAddressResolver::new(trusted_proxies(&entries));
        let drain_time = settings.drain_time;
        let mut starter = ServiceStarter {
            drain_time,
            max_sessions: session_share(entries.len()),
            backlog_memory: BacklogMemory::default(),
            phases: &phases,
            environment: &mut environment,
        };
        let mut services = starter.start(entries)?;
        listeners.bind_services(&mut services, &phases).await?;
        let local = listeners.local()?;
        let (service_listeners, admin) = (listeners.service_addresses()?, listeners.admin()?);
        let probe = DaemonProbe::new(listeners.probe_endpoint(settings)?.as_ref(), &services);
        let context = ListenerContext {
            services: &services,
            addresses: addresses.clone(),
            page: metrics_page(&services)?,
            health: health(&services, &environment.clock),
            log: environment.log.clone(),
            play: environment.play,
        };
        let (certificates, pre_auth) = listeners.serve(context, settings, &phases.accept);
        let shutdown = shutdown_sequence(phases, drain_time, &services);
        let live = Box::new(LiveSettings {
            settings: settings.clone(),
            services: services.into_iter().map(ReloadableService::from).collect(),
            config_reader: None,
            log: environment.log,
            addresses,
            pre_auth,
            certificates,
        });
        let manager = environment.manager;
        Ok(Self { tasks, shutdown, live, manager, local, service_listeners, admin, probe })
    }

    /// Reloads the whole configuration on SIGHUP; without it, certificates only.
    #[must_use]
    pub fn with_config_reader(mut self, config_reader: ConfigReader) -> Self {
        self.live.config_reader = Some(config_reader);
        self
    }

    /// Where clients connect: the shared listener, else the first of a service's own, if any.
    pub fn local(&self) -> Option<&LocalAddress> {
        self.local.as_ref()
    }

    /// The services' own listeners, service by service.
    pub fn service_listeners(&self) -> &[LocalAddress] {
        &self.service_listeners
    }

    /// The first listener for operators.
    pub fn admin(&self) -> Option<&LocalAddress> {
        self.admin.as_ref()
    }

    /// Runs until a signal ends it, and shuts down in order.
    pub async fn run(self, signals: impl Stream<Item = ProcessSignal> + Unpin) -> ExitReason {
        let Self { tasks, shutdown, mut live, manager, probe, .. } = self;
        let stop = tasks.stopping().clone();
        tokio::select! {
            exit = lifecycle::run(&tasks, signals, &manager, shutdown, &mut *live) => exit,
            // Until the very end: a daemon that drains its clients doesn't hang.
            () = feed_watchdog(&manager, || probe.run(), stop) => ExitReason::Clean,
        }
    }
}

impl ServiceStarter<'_> {
    /// Starts all services or none: one that can't start is a mistake in the configuration, which the
    /// administrator who starts the daemon is there to read.
    fn start(
        &mut self,
        entries: Vec<ServiceEntry<BoxedService>>,
    ) -> Result<Vec<StartedService>, DaemonStartError> {
        let start = |ServiceEntry { name, route, service }: ServiceEntry<BoxedService>| {
            let context = self.context(name.clone(), route.clone());
            match (service.start(context), name) {
                (Ok(running), name) => {
                    Ok(StartedService { name, route, running, probe_endpoint: None })
                }
                (Err(error), Some(name)) => Err(DaemonStartError::NamedService(name, error)),
                (Err(error), None) => Err(DaemonStartError::Service(error)),
            }
        };
        entries.into_iter().map(start).collect()
    }

    fn context(&mut self, name: Option<ServiceName>, route: ServiceRoute) -> ServiceContext {
        ServiceContext {
            phases: self.phases.of(name.as_ref()),
            name,
            route,
            log: self.environment.log.clone(),
            clock: self.environment.clock.clone(),
            rng: self.environment.rng.fork(),
            cores: self.environment.cores,
            max_sessions: self.max_sessions,
            backlog_memory: self.backlog_memory.clone(),
            drain_time: self.drain_time,
        }
    }
}

/// The sessions that each of so many services may have: equal shares of the file descriptors, less an eighth
/// for connections without a session, databases and files. So no service can starve another.
fn session_share(services: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    (limit - limit / 8) / services.max(1)
}

/// The phases in order; the last lasts as long as the service with the longest drain time needs.
fn shutdown_sequence(
    phases: ShutdownPhases,
    drain_time: Duration,
    services: &[StartedService],
) -> ShutdownSequence {
    let longest = services.iter().map(|service| service.running.drain_time).max();
    let drain = longest.unwrap_or(drain_time) + CLOSE_TIMEOUT;
    ShutdownSequence::within(2 * STOP_TIMEOUT + drain)
        .then("accept", phases.accept, STOP_TIMEOUT)
        .then("consume", phases.consume, STOP_TIMEOUT)
        .then("work", phases.work, drain)
}

/// The dependencies of all services.
fn health(services: &[StartedService], clock: &WallClock) -> HealthRegistry {
    let dependencies: Vec<_> = services.iter().flat_map(StartedService::dependencies).collect();
    HealthRegistry::new(dependencies, Arc::clone(clock))
}

/// The metrics of the daemon and of all services.
fn metrics_page(services: &[StartedService]) -> Result<MetricsPage, DaemonStartError> {
    let mut page = MetricsPage::new(env!("CARGO_PKG_VERSION"))?;
    for StartedService { name, running, .. } in services {
        let name = name.as_ref().map(ServiceName::as_str);
        page.add(name, running.metrics.clone(), running.compat_metrics.clone());
    }
    Ok(page)
}

/// Two services with one input would receive each other's messages.
fn check_distinct_inputs(entries: &[ServiceEntry<BoxedService>]) -> Result<(), DaemonStartError> {
    let mut taken: HashMap<ServiceInput, ServiceName> = HashMap::new();
    for ServiceEntry { name, service, .. } in entries {
        let Some(name) = name else { continue };
        for input in service.inputs() {
            if let Some(other) = taken.get(&input).filter(|other| *other != name) {
                return Err(DaemonStartError::SharedInput(other.clone(), name.clone(), input));
            }
            taken.insert(input, name.clone());
        }
    }
    Ok(())
}

/// The proxies of all services: the listener doesn't know yet which service a connection is for.
fn trusted_proxies(entries: &[ServiceEntry<BoxedService>]) -> Vec<IpNet> {
    entries.iter().flat_map(|entry| entry.service.trusted_proxies().iter().copied()).collect()
}

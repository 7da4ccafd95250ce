//! Binds early, so that a mistake ends the start, and serves late, when everything behind is there.

use super::{
    DaemonStartError, certificates::ServerCertificates, daemon::StartedService, routes::all,
    self_probe::ProbeEndpoint,
};
use crate::{
    health::HealthRegistry,
    lifecycle::{SocketActivation, TaskGroup},
    runtime::{
        DaemonSettings, MetricsPage, admin,
        admin::{AdminApi, StatusContext},
        status::{DemoControls, StatusSampler},
    },
    server::{
        BoundListener, ConnectionTimeouts, HttpRoutes, HttpServer, ListenError, ListenSettings,
        LocalAddress, NoopConnectionObserver, PreAuthLimiter, RELOAD_INTERVAL, ReloadableTls,
        TlsFiles, client_address::ClientAddressResolver, routes,
    },
    services::{ListenerAudience, ServiceListener, TaskGroups, spawn_until_stopped},
    telemetry::log::LogControl,
};
use std::{net::IpAddr, os::fd::OwnedFd, slice, sync::Arc};

/// Everything that is bound.
pub(super) struct DaemonListeners {
    /// Empty only where every host has its own.
    clients: Vec<DaemonListener>,
    metrics: Vec<DaemonListener>,
    control: Vec<DaemonListener>,
    own: Vec<BoundServiceListener>,
}

/// A host's own listener.
struct BoundServiceListener {
    name: &'static str,
    bound: DaemonListener,
    routes: HttpRoutes,
    audience: ListenerAudience,
    proxy_protocol: bool,
    tasks: TaskGroup,
}

struct DaemonListener {
    listener: BoundListener,
    tls: Option<Arc<ReloadableTls>>,
}

/// What listeners answer with.
pub(super) struct ListenerContext<'a> {
    /// Who answers clients.
    pub(super) hosts: &'a [StartedService],
    /// Behind whom many clients share an address.
    pub(super) origins: ClientAddressResolver,
    /// What whoever watches sees.
    pub(super) page: MetricsPage,
    /// Whether the daemon can do its job.
    pub(super) health: HealthRegistry,
    /// What whoever controls may change.
    pub(super) log: LogControl,
    /// In a demo, what visitors of the status page can do.
    pub(super) play: Option<DemoControls>,
}

impl DaemonListeners {
    /// Binds them all, but where the service manager has bound some already; nobody is accepted
    /// yet. Those of hosts come later ([`DaemonListeners::open`]); `shared` says whether any host needs others.
    pub(super) async fn bind(
        settings: &DaemonSettings,
        passed: SocketActivation,
        shared: bool,
    ) -> Result<Self, DaemonStartError> {
        let SocketActivation { clients, metrics, control } = passed;
        let for_clients = if shared { slice::from_ref(&settings.listen) } else { &[] };
        Ok(Self {
            metrics: bind_all(&settings.metrics, metrics).await?,
            control: bind_all(&settings.admin, control).await?,
            clients: bind_all(for_clients, clients).await?,
            own: Vec::new(),
        })
    }

    /// Binds the hosts' own; each host knows from then on where its probe begins.
    pub(super) async fn open(
        &mut self,
        hosts: &mut [StartedService],
        tasks: &TaskGroups,
    ) -> Result<(), DaemonStartError> {
        for host in hosts {
            let tasks = tasks.of(host.name.as_ref()).listeners;
            let service_listeners = std::mem::take(&mut host.running.service_listeners);
            for (number, ServiceListener { name, listen, routes: answers, audience }) in
                (0..).zip(service_listeners)
            {
                let bound =
                    with_tls(BoundListener::bind(&listen.bind)?, listen.tls.as_ref()).await?;
                let local = bound.listener.local()?;
                if host.running.probe_listener == Some(number) {
                    host.entrance = Some(ProbeEndpoint { local, opening: listen.opening() });
                }
                let (tasks, proxy_protocol) = (tasks.clone(), listen.proxy_protocol);
                self.own.push(BoundServiceListener {
                    name,
                    bound,
                    routes: routes(answers),
                    audience,
                    proxy_protocol,
                    tasks,
                });
            }
        }
        Ok(())
    }

    /// Where clients connect: the shared listener, else the first of a host's own for them.
    pub(super) fn local(&self) -> Result<LocalAddress, ListenError> {
        let own = self.own.iter().filter(|own| own.audience == ListenerAudience::Clients);
        let mut all = self.clients.iter().chain(own.map(|own| &own.bound));
        all.next().map_or(Err(ListenError::None), |bound| bound.listener.local())
    }

    /// Where the hosts' own listeners are, in their order.
    pub(super) fn own(&self) -> Result<Vec<LocalAddress>, ListenError> {
        self.own.iter().map(|own| own.bound.listener.local()).collect()
    }

    /// Where a client of the shared listener begins, if there is one.
    pub(super) fn entrance(
        &self,
        settings: &DaemonSettings,
    ) -> Result<Option<ProbeEndpoint>, ListenError> {
        let Some(bound) = self.clients.first() else { return Ok(None) };
        let local = bound.listener.local()?;
        Ok(Some(ProbeEndpoint { local, opening: settings.listen.opening() }))
    }

    /// Where the daemon is watched, if anywhere: what is for control alone first.
    pub(super) fn watched(&self) -> Result<Option<LocalAddress>, ListenError> {
        let mut bound = self.control.iter().chain(&self.metrics);
        bound.next().map(|bound| bound.listener.local()).transpose()
    }

    /// Serves them until the group stops.
    pub(super) fn serve(
        self,
        served: ListenerContext<'_>,
        settings: &DaemonSettings,
        tasks: &TaskGroup,
    ) -> (ServerCertificates, [PreAuthLimiter; 2]) {
        let origins = served.origins.clone();
        let trusted = move |address| origins.trusts(address);
        let observer = Arc::clone(&served.page.front);
        let pre_auth =
            PreAuthLimiter::new(settings.pre_auth.clone(), trusted.clone(), observer.clone());
        let mut certificates = ServerCertificates::default();
        let client_routes = all(served.hosts, &served.health);
        // Whoever watches must get through while pre_auth crowd the door.
        let unobserved = Arc::new(NoopConnectionObserver);
        let operator_limiter =
            PreAuthLimiter::new(settings.pre_auth.clone(), trusted.clone(), unobserved);
        let front = |routes: HttpRoutes, pre_auth: &PreAuthLimiter| HttpServer {
            routes,
            pre_auth: pre_auth.clone(),
            limits: ConnectionTimeouts::default(),
            tasks: tasks.clone(),
            observer: observer.clone(),
        };
        for bound in self.clients {
            let bound = bound.introduced(settings.listen.proxy_protocol, &trusted);
            let tls = start("clients", bound, front(client_routes.clone(), &pre_auth), tasks);
            certificates.shared.extend(tls);
        }
        for BoundServiceListener { name, bound, routes, audience, proxy_protocol, tasks } in
            self.own
        {
            let bound = bound.introduced(proxy_protocol, &trusted);
            let pre_auth = match audience {
                ListenerAudience::Clients => &pre_auth,
                ListenerAudience::Operators => &operator_limiter,
            };
            let front = HttpServer { tasks: tasks.clone(), ..front(routes, pre_auth) };
            let tls = start(name, bound, front, &tasks);
            certificates.own.extend(tls);
        }
        let watched: Vec<DaemonListener> = self.metrics.into_iter().chain(self.control).collect();
        if watched.is_empty() {
            return (certificates, [pre_auth, operator_limiter]);
        }
        let play = served.play.clone();
        let admin = served.admin();
        let status = status(&admin, play, tasks);
        let admin_routes = routes(admin::admin(admin, status));
        for bound in watched {
            certificates.shared.extend(start(
                "control",
                bound,
                front(admin_routes.clone(), &operator_limiter),
                tasks,
            ));
        }
        (certificates, [pre_auth, operator_limiter])
    }
}

impl ListenerContext<'_> {
    /// What whoever watches or controls is answered.
    fn admin(self) -> AdminApi {
        let page = self.page;
        let revoke = |host: &StartedService| {
            let name = host.name.as_ref().map(ToString::to_string);
            (name, Arc::clone(&host.running.revoke))
        };
        AdminApi {
            page: Arc::new(move || page.text()),
            log: self.log,
            health: self.health,
            hosts: self.hosts.iter().map(revoke).collect(),
        }
    }
}

/// What the status page shows; its history is kept from now on.
fn status(admin: &AdminApi, play: Option<DemoControls>, tasks: &TaskGroup) -> StatusContext {
    let (page, log) = (Arc::clone(&admin.page), admin.log.clone());
    let sampler =
        StatusSampler::new(admin.health.clone(), move || page().ok(), move || log.current());
    let (sampler, stopping) = (Arc::new(sampler), tasks.stopping().clone());
    let keeping = Arc::clone(&sampler);
    spawn_until_stopped(tasks, "history", async move { keeping.record_history().await });
    StatusContext { sampler, log: admin.log.clone(), play, stopping }
}

impl DaemonListener {
    /// The same, where clients are introduced by proxies if that is `wanted`.
    fn introduced(
        mut self,
        wanted: bool,
        trusted: &(impl Fn(IpAddr) -> bool + Clone + Send + Sync + 'static),
    ) -> Self {
        if wanted {
            let may = trusted.clone();
            self.listener = self.listener.require_proxy_header(move |ip| ip.is_none_or(&may));
        }
        self
    }
}

/// Serves a listener, and watches its certificate if it has one.
fn start(
    name: &str,
    bound: DaemonListener,
    front: HttpServer,
    tasks: &TaskGroup,
) -> Option<Arc<ReloadableTls>> {
    if let Ok(local) = bound.listener.local() {
        tracing::info!("{name}: listening on {local}");
    }
    if let Some(watched) = bound.tls.clone() {
        spawn_until_stopped(tasks, "certificates", async move {
            watched.watch(RELOAD_INTERVAL).await;
        });
    }
    let tls = bound.tls.clone();
    tasks.core("listener", front.serve(bound.listener, bound.tls));
    tls
}

/// What the service manager passed takes the place of what is set.
async fn bind_all(
    set: &[ListenSettings],
    passed: Vec<OwnedFd>,
) -> Result<Vec<DaemonListener>, DaemonStartError> {
    let mut bound = Vec::new();
    if passed.is_empty() {
        for listen in set {
            bound.push(with_tls(BoundListener::bind(&listen.bind)?, listen.tls.as_ref()).await?);
        }
        return Ok(bound);
    }
    let tls = set.first().and_then(|listen| listen.tls.as_ref());
    for socket in passed {
        let listener = BoundListener::inherited(socket)?;
        tracing::info!("the service manager listens for us on {}", listener.local()?);
        bound.push(with_tls(listener, tls).await?);
    }
    Ok(bound)
}

async fn with_tls(
    listener: BoundListener,
    tls: Option<&TlsFiles>,
) -> Result<DaemonListener, DaemonStartError> {
    let tls = match tls {
        Some(files) => Some(Arc::new(ReloadableTls::load(files.clone()).await?)),
        None => None,
    };
    Ok(DaemonListener { listener, tls })
}

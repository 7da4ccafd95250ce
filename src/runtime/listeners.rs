//! The daemon's listeners: bound before anything else can fail, served when everything has started.

use super::{
    DaemonStartError, certificates::ServerCertificates, probe_endpoint::ProbeEndpoint,
    routes::service_routes, started_service::StartedService,
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
        ServerMetrics, TlsFiles, client_address::ClientAddressResolver, routes,
    },
    services::{ListenerAudience, SelfTest, ServiceListener, ShutdownPhases, spawn_until_stopped},
    telemetry::log::LogControl,
};
use std::{net::IpAddr, os::fd::OwnedFd, slice, sync::Arc};

/// All bound listeners.
pub(super) struct DaemonListeners {
    /// The shared listener; empty if no service needs it.
    clients: Vec<DaemonListener>,
    metrics: Vec<DaemonListener>,
    admin: Vec<DaemonListener>,
    services: Vec<BoundServiceListener>,
}

/// A service's own listener.
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

/// What the listeners serve.
pub(super) struct ListenerContext<'a> {
    pub(super) services: &'a [StartedService],
    /// Tells which peers are trusted proxies.
    pub(super) addresses: ClientAddressResolver,
    pub(super) page: MetricsPage,
    pub(super) health: HealthRegistry,
    pub(super) log: LogControl,
    /// The controls of a demo's status page.
    pub(super) play: Option<DemoControls>,
}

impl DaemonListeners {
    /// Binds the daemon's own listeners, or takes those that the service manager passed. Nothing is
    /// accepted yet.
    pub(super) async fn bind(
        settings: &DaemonSettings,
        passed: SocketActivation,
        shared: bool,
    ) -> Result<Self, DaemonStartError> {
        let SocketActivation { clients, metrics, control } = passed;
        let for_clients = if shared { slice::from_ref(&settings.listen) } else { &[] };
        Ok(Self {
            metrics: bind_all(&settings.metrics, metrics).await?,
            admin: bind_all(&settings.admin, control).await?,
            clients: bind_all(for_clients, clients).await?,
            services: Vec::new(),
        })
    }

    /// Binds the services' own listeners and remembers which of them a self-test connects to.
    pub(super) async fn bind_services(
        &mut self,
        services: &mut [StartedService],
        phases: &ShutdownPhases,
    ) -> Result<(), DaemonStartError> {
        for service in services {
            let tasks = phases.of(service.name.as_ref()).accept;
            let probed = match &service.running.self_test {
                SelfTest::Client { listener, .. } => *listener,
                SelfTest::Task(_) => None,
            };
            let listeners = std::mem::take(&mut service.running.listeners);
            for (index, listener) in listeners.into_iter().enumerate() {
                let preamble = listener.listen.preamble();
                let bound = BoundServiceListener::bind(listener, tasks.clone()).await?;
                if probed == Some(index) {
                    let local = bound.bound.listener.local()?;
                    service.probe_endpoint = Some(ProbeEndpoint { local, preamble });
                }
                self.services.push(bound);
            }
        }
        Ok(())
    }

    /// Where clients connect: the shared listener, else the first of a service's own, if any.
    pub(super) fn local(&self) -> Result<Option<LocalAddress>, ListenError> {
        let own = self.services.iter().filter(|own| own.audience == ListenerAudience::Clients);
        let mut all = self.clients.iter().chain(own.map(|own| &own.bound));
        all.next().map(|bound| bound.listener.local()).transpose()
    }

    /// The addresses of the services' own listeners, in their order.
    pub(super) fn service_addresses(&self) -> Result<Vec<LocalAddress>, ListenError> {
        self.services.iter().map(|own| own.bound.listener.local()).collect()
    }

    /// How to connect to the shared listener, if there is one.
    pub(super) fn probe_endpoint(
        &self,
        settings: &DaemonSettings,
    ) -> Result<Option<ProbeEndpoint>, ListenError> {
        let Some(bound) = self.clients.first() else { return Ok(None) };
        let local = bound.listener.local()?;
        Ok(Some(ProbeEndpoint { local, preamble: settings.listen.preamble() }))
    }

    /// The first listener for operators, an admin listener if there is one.
    pub(super) fn admin(&self) -> Result<Option<LocalAddress>, ListenError> {
        let mut bound = self.admin.iter().chain(&self.metrics);
        bound.next().map(|bound| bound.listener.local()).transpose()
    }

    /// Serves all listeners until the group stops.
    pub(super) fn serve(
        self,
        context: ListenerContext<'_>,
        settings: &DaemonSettings,
        tasks: &TaskGroup,
    ) -> (ServerCertificates, [PreAuthLimiter; 2]) {
        let server = ServerParts::new(&context, settings);
        let mut certificates = ServerCertificates::default();
        let client_routes = service_routes(context.services, &context.health);
        for bound in self.clients {
            let bound = bound.with_proxy_header(settings.listen.proxy_protocol, &server.addresses);
            let http = server.http(client_routes.clone(), ListenerAudience::Clients, tasks);
            certificates.shared.extend(start("clients", bound, http, tasks));
        }
        for own in self.services {
            let bound = own.bound.with_proxy_header(own.proxy_protocol, &server.addresses);
            let http = server.http(own.routes, own.audience, &own.tasks);
            certificates.own.extend(start(own.name, bound, http, &own.tasks));
        }
        if !self.metrics.is_empty() || !self.admin.is_empty() {
            let operators = OperatorRoutes::new(context, tasks);
            for bound in self.metrics {
                let http = server.operators(operators.metrics.clone(), tasks);
                certificates.shared.extend(start("metrics", bound, http, tasks));
            }
            for bound in self.admin {
                let http = server.operators(operators.admin.clone(), tasks);
                certificates.shared.extend(start("admin", bound, http, tasks));
            }
        }
        (certificates, server.pre_auth())
    }
}

impl BoundServiceListener {
    async fn bind(listener: ServiceListener, tasks: TaskGroup) -> Result<Self, DaemonStartError> {
        let ServiceListener { name, listen, routes: filter, audience } = listener;
        let bound = with_tls(BoundListener::bind(&listen.bind)?, listen.tls.as_ref()).await?;
        let proxy_protocol = listen.proxy_protocol;
        Ok(Self { name, bound, routes: routes(filter), audience, proxy_protocol, tasks })
    }
}

/// What the HTTP servers of all listeners share: limits and metrics.
struct ServerParts {
    clients: PreAuthLimiter,
    /// Operators have limits of their own, so that they get through while clients use up theirs.
    operators: PreAuthLimiter,
    addresses: ClientAddressResolver,
    metrics: Arc<ServerMetrics>,
}

impl ServerParts {
    fn new(context: &ListenerContext<'_>, settings: &DaemonSettings) -> Self {
        let (addresses, metrics) = (context.addresses.clone(), Arc::clone(&context.page.front));
        let trusted = {
            let addresses = addresses.clone();
            move |address| addresses.trusts(address)
        };
        let limits = &settings.pre_auth;
        Self {
            clients: PreAuthLimiter::new(limits.clone(), trusted.clone(), metrics.clone()),
            operators: PreAuthLimiter::new(
                limits.clone(),
                trusted,
                Arc::new(NoopConnectionObserver),
            ),
            addresses,
            metrics,
        }
    }

    fn http(
        &self,
        routes: HttpRoutes,
        audience: ListenerAudience,
        tasks: &TaskGroup,
    ) -> HttpServer {
        let pre_auth = match audience {
            ListenerAudience::Clients => &self.clients,
            ListenerAudience::Operators => &self.operators,
        };
        HttpServer {
            routes,
            pre_auth: pre_auth.clone(),
            limits: ConnectionTimeouts::default(),
            tasks: tasks.clone(),
            observer: self.metrics.clone(),
        }
    }

    fn operators(&self, routes: HttpRoutes, tasks: &TaskGroup) -> HttpServer {
        self.http(routes, ListenerAudience::Operators, tasks)
    }

    fn pre_auth(self) -> [PreAuthLimiter; 2] {
        [self.clients, self.operators]
    }
}

/// The routes of the listeners for operators.
struct OperatorRoutes {
    metrics: HttpRoutes,
    admin: HttpRoutes,
}

impl OperatorRoutes {
    fn new(context: ListenerContext<'_>, tasks: &TaskGroup) -> Self {
        let play = context.play.clone();
        let api = context.admin_api();
        let status = status_context(&api, play, tasks);
        let metrics = routes(admin::metrics(&api));
        Self { metrics, admin: routes(admin::admin(api, status)) }
    }
}

impl ListenerContext<'_> {
    fn admin_api(self) -> AdminApi {
        let page = self.page;
        let sessions = self.services.iter().filter_map(|service| {
            let name = service.name.as_ref().map(ToString::to_string);
            Some((name, service.running.sessions.clone()?))
        });
        AdminApi {
            page: Arc::new(move || page.text()),
            log: self.log,
            sessions: sessions.collect(),
            health: self.health,
        }
    }
}

/// The data of the status page; its history is recorded from now on.
fn status_context(api: &AdminApi, play: Option<DemoControls>, tasks: &TaskGroup) -> StatusContext {
    let (page, log) = (Arc::clone(&api.page), api.log.clone());
    let sampler =
        StatusSampler::new(api.health.clone(), move || page().ok(), move || log.current());
    let (sampler, stopping) = (Arc::new(sampler), tasks.stopping().clone());
    let history = Arc::clone(&sampler);
    spawn_until_stopped(tasks, "history", async move { history.record_history().await });
    StatusContext { sampler, log: api.log.clone(), play, stopping }
}

impl DaemonListener {
    /// Requires the PROXY protocol from trusted proxies, if `required`.
    fn with_proxy_header(mut self, required: bool, addresses: &ClientAddressResolver) -> Self {
        if required {
            let addresses = addresses.clone();
            let trusted = move |ip: Option<IpAddr>| ip.is_none_or(|ip| addresses.trusts(ip));
            self.listener = self.listener.require_proxy_header(trusted);
        }
        self
    }
}

/// Serves a listener and watches its certificate.
fn start(
    name: &str,
    bound: DaemonListener,
    http: HttpServer,
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
    tasks.core("listener", http.serve(bound.listener, bound.tls));
    tls
}

/// Binds the configured addresses, or takes the sockets that the service manager passed instead.
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
        tracing::info!("socket passed by the service manager: {}", listener.local()?);
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

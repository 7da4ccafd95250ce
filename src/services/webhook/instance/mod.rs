//! Puts the parts of one webhook host together: store, dispatcher, hub, authenticated, hooks, REST side.

mod counters;
mod diagnose;
mod feed;
mod hook_worker;
mod probe;
mod reload;

use super::{
    admission::{ClientAdmission, ProbeSession},
    backend_access::BackendAccess,
    dialect::{HookJob, WebhookDialect},
    dispatcher::{DispatcherDependencies, MAX_SESSIONS_PER_PAIR, MessageDispatcher},
    event_stream::event_stream,
    feed::channels,
    hooks::{HookRules, HookService},
    registration_key::RegistrationKey,
    replay::MessageReplay,
    rest,
    rest::RestHandler,
    settings::{FLAGS, SETTINGS, WebhookSettings},
    socket,
    socketio::socket_io,
    state_writer,
    store::{ExpiredRegistration, RegistrationRenewal, RegistrationStore},
};
use crate::{
    config::{ConfigError, ServiceConfigRequest, ServiceKind, SettingsReport},
    doctor::{CheckRun, DiagnosisContext},
    health::{HealthRegistry, QueueGauge, ServiceDependency},
    push::{
        ConnectionLimit,
        hub::{Hub, HubLimits, HubSettings, SessionPolicy, ShardPolicy},
        session::DebouncePolicy,
    },
    server::client_address::ClientAddressResolver,
    services::{
        BoxedService, MetricLabelNames, RunningService, SelfTest, Service, ServiceContext,
        ServiceInput, ServiceMetrics, ServiceStartError, gauges,
        sessions::{self, HubSessions},
        spawn_until_stopped,
    },
    telemetry::metrics::MetricsError,
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use probe::WebhookSelfProbe;
use reload::WebhookReload;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// The port of the original.
const PORT: u16 = 3000;
/// Sessions with one pair: the one that is there, and those it replaces until they are gone. The
/// dispatcher lets nobody in past it.
const SESSIONS_PER_PAIR: usize = MAX_SESSIONS_PER_PAIR;
/// What a session listens as besides its pair: its user.
const SUBSCRIPTIONS: usize = 1;
/// Messages that may wait for the dispatcher.
const EVENT_QUEUE: usize = 4096;
/// Clients that may wait for it.
const ENTRANCES: usize = 1024;
/// Sessions that have lost their registration, until the dispatcher sees them off.
const EXPIRED_QUEUE: usize = 256;
/// Wishes of clients for hooks that may wait.
const HOOK_QUEUE: usize = 256;

/// Webhook push, as the registry knows it.
pub const KIND: ServiceKind<'static, BoxedService> = ServiceKind {
    about: "Serve back ends that push to browsers over Socket.IO, WebSocket or event streams",
    port: PORT,
    flags: FLAGS,
    ..ServiceKind::new("webhook", SETTINGS, &|request, report| {
        Ok(Box::new(WebhookService::read(request, report)?))
    })
};

/// One webhook host, ready to start.
#[derive(Debug)]
pub struct WebhookService {
    /// What it is told.
    pub settings: WebhookSettings,
}

impl WebhookService {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(
        request: &ServiceConfigRequest<'_>,
        report: &mut SettingsReport,
    ) -> Result<Self, ConfigError> {
        Ok(Self { settings: WebhookSettings::read(request, report)? })
    }
}

impl Service for WebhookService {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn diagnose<'a, 'r: 'a>(
        &'a self,
        visit: DiagnosisContext,
        round: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(diagnose::diagnose(&self.settings, visit, round))
    }

    fn inputs(&self) -> Vec<ServiceInput> {
        let remedy = "Give each webhook service a Redis of its own (another port, socket or server) \
                      in redis_url";
        let servers = self.settings.redis.as_ref().map(|redis| redis.topology.servers());
        let input = |address| ServiceInput { kind: "Redis", address, remedy };
        servers.into_iter().flatten().map(input).collect()
    }

    fn needs_shared_listener(&self) -> bool {
        true
    }

    fn start(self: Box<Self>, ground: ServiceContext) -> Result<RunningService, ServiceStartError> {
        let database = self.settings.redis.as_ref().map_or(0, |redis| redis.database);
        let channels = channels(database);
        let observers = ServiceMetrics::register(MetricLabelNames {
            service: ground.name.as_ref().map(|name| name.as_str()),
            topics: &[],
            channels,
            methods: &["registration"],
        })?;
        WebhookBuilder { settings: self.settings, channels, observers, ground }.start()
    }
}

/// What the parts are made from.
struct WebhookBuilder {
    settings: WebhookSettings,
    /// Those that replicas tell each other on.
    channels: &'static [&'static str],
    observers: ServiceMetrics,
    ground: ServiceContext,
}

/// What fronts are made from.
#[derive(Clone)]
pub struct WebhookHandlers {
    /// The way in.
    pub authenticated: ClientAdmission,
    /// Private URLs.
    pub hooks: HookService,
}

impl WebhookBuilder {
    fn start(mut self) -> Result<RunningService, ServiceStartError> {
        let (hook_sender, hook_jobs) = mpsc::channel(HOOK_QUEUE);
        let hub = self.hub(hook_sender)?;
        let (store, feed, dependency) = self.feed();
        let origins = ClientAddressResolver::new(self.settings.proxies.trusted.clone());
        let probe = probe::claim(&mut self.ground.rng);
        let room = self.room(&hub, &probe);
        let (dispatcher, join_requests) = mpsc::channel(ENTRANCES);
        let waiting = dispatcher.clone();
        let own = Some(ProbeSession { claim: probe.clone(), hub: hub.clone() });
        let observe = counters::join_requests(&self.observers.auth);
        let authenticated = ClientAdmission::new(
            Arc::clone(&store),
            dispatcher,
            room.clone(),
            origins.clone(),
            observe,
            own,
        );
        let clock = Arc::clone(&self.ground.clock);
        let hooks = HookService::new(Arc::clone(&store), clock, self.hook_rules());
        let (noted, expired) = self.state_writer(&store);
        self.dispatcher(DispatcherDependencies {
            hub: hub.clone(),
            store: Arc::clone(&store),
            feed,
            join_requests,
            noted,
            expired,
            replay: MessageReplay::new(self.settings.limits),
            renewal: self.settings.limits.registration / 4,
        });
        let sources = &self.ground.phases.consume;
        spawn_until_stopped(
            sources,
            "hooks",
            hook_worker::run(hub.clone(), hooks.clone(), hook_jobs),
        );
        let queues = [
            QueueGauge::new("join_requests", ENTRANCES, move || {
                waiting.max_capacity() - waiting.capacity()
            }),
            self.hub_queue(&hub),
        ];
        self.gauges(std::slice::from_ref(&dependency), &hub, &queues)?;
        let desk = self.desk(&store, &hooks)?;
        let rng = self.ground.rng.fork();
        let probe = WebhookSelfProbe::new(hub.clone(), room.clone(), probe, rng);
        let inside = WebhookHandlers { authenticated, hooks };
        let routes = self.routes(inside, &desk, &room);
        let reload = WebhookReload::new(self.settings.clone(), hub.clone(), room, origins, desk);
        Ok(RunningService {
            routes: Some(routes),
            listeners: Vec::new(),
            dependencies: vec![dependency],
            metrics: self.observers.metrics().clone(),
            compat_metrics: None,
            sessions: Some(Arc::new(HubSessions::new(&hub, RegistrationKey::user_recipient))),
            drain_time: self.ground.drain_time,
            self_test: SelfTest::Client { probe: Arc::new(probe), listener: None },
            reload: Box::new(reload),
        })
    }

    fn hub(&mut self, hook_jobs: mpsc::Sender<HookJob>) -> Result<Hub, ServiceStartError> {
        let settings = HubSettings {
            dialect: Arc::new(WebhookDialect::new(hook_jobs)),
            session_policy: session_policy(&self.settings),
            push_rate: 0,
            shards: self.ground.shards(),
            shard_policy: ShardPolicy::ByPrimary,
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        self.ground.start_hub(settings)
    }

    fn room(&self, hub: &Hub, probe: &RegistrationKey) -> ConnectionLimit {
        sessions::connection_limit(
            hub,
            self.settings.max_connections,
            probe.home(),
            &self.observers.hub,
        )
    }

    fn hook_rules(&self) -> HookRules {
        let (usual, longest) = self.settings.hook_time;
        let public = self.settings.public_url.as_deref().unwrap_or_default();
        let base = format!("{public}{}", self.ground.route.path);
        HookRules { usual, longest, per_minute: self.settings.hook_rate, base }
    }

    /// Notes how sessions are. It outlives the dispatcher by the time that its last notes take.
    fn state_writer(
        &self,
        store: &Arc<dyn RegistrationStore>,
    ) -> (mpsc::Sender<RegistrationRenewal>, mpsc::Receiver<ExpiredRegistration>) {
        let (noted, notes) = state_writer::notes();
        let (expirations, expired) = mpsc::channel(EXPIRED_QUEUE);
        let state_writer = state_writer::run(Arc::clone(store), notes, expirations);
        self.ground.phases.consume.core("registrations", state_writer);
        (noted, expired)
    }

    fn dispatcher(&self, dependencies: DispatcherDependencies) {
        let sources = &self.ground.phases.consume;
        sources.core(
            "dispatcher",
            MessageDispatcher::new(dependencies).run(sources.stopping().clone()),
        );
    }

    fn desk(
        &self,
        store: &Arc<dyn RegistrationStore>,
        hooks: &HookService,
    ) -> Result<Arc<RestHandler>, MetricsError> {
        let access = access(&self.settings);
        let counts = counters::message_counters(self.observers.metrics())?;
        Ok(Arc::new(RestHandler::new(Arc::clone(store), hooks.clone(), access, counts)))
    }

    fn hub_queue(&self, hub: &Hub) -> QueueGauge {
        let (room, shards) = (hub.depths().room, hub.clone());
        QueueGauge::new("hub", room, move || shards.depths().commands)
    }

    fn gauges(
        &self,
        dependencies: &[ServiceDependency],
        hub: &Hub,
        queues: &[QueueGauge],
    ) -> Result<(), MetricsError> {
        let health = HealthRegistry::new(dependencies, Arc::clone(&self.ground.clock));
        gauges::register(self.observers.metrics(), &health, hub, queues)
    }

    /// What clients and back ends are answered.
    fn routes(
        &self,
        inside: WebhookHandlers,
        desk: &Arc<RestHandler>,
        room: &ConnectionLimit,
    ) -> BoxedFilter<(Response,)> {
        let names: Arc<[_]> = self.settings.proxies.headers.as_slice().into();
        let tasks = self.ground.phases.accept.clone();
        let socket =
            socket::routes(inside.authenticated.clone(), tasks.clone(), Arc::clone(&names));
        let events = event_stream(inside.authenticated.clone(), &tasks, Arc::clone(&names));
        let socketio = socket_io(inside, tasks, names);
        let clients = socket.or(events).unify().or(socketio).unify();
        room.reject_when_full(rest::routes(Arc::clone(desk)).or(clients).unify().boxed())
    }
}

/// Who may use the REST side.
fn access(settings: &WebhookSettings) -> BackendAccess {
    settings.token.as_ref().map_or(BackendAccess::Open, BackendAccess::token)
}

/// What the settings mean for sessions. There is nothing to debounce: each message is told at once.
fn session_policy(settings: &WebhookSettings) -> SessionPolicy {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    SessionPolicy {
        debounce: DebouncePolicy { max: 0, enabled: false },
        limits: HubLimits {
            per_recipient: SESSIONS_PER_PAIR,
            subscriptions: SUBSCRIPTIONS,
            max_connection: settings.max_connection.map(millis),
        },
    }
}

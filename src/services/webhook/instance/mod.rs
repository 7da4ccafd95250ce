//! Builds one webhook service from its parts: store, dispatcher, hub, admission, hooks, REST API.

mod counters;
mod diagnose;
mod feed;
mod hook_worker;
mod probe;
mod reload;

use super::{
    admission::{ClientAdmission, ProbeSession},
    backend_access::BackendAccess,
    body_budget::BodyBudget,
    dialect::{HookJob, WebhookDialect},
    dispatcher::{DispatcherDependencies, MAX_SESSIONS_PER_PAIR, MessageDispatcher},
    event_stream::event_stream,
    feed::channels,
    hooks::{HookRules, HookService},
    intake,
    intake::{INTAKE_QUEUE, MessageIntake},
    message_id::{MessageId, micros},
    registration_key::RegistrationKey,
    replay::MessageReplay,
    rest,
    rest::RestHandler,
    setting_table::{SETTINGS, WEBHOOK_PORT},
    settings::WebhookSettings,
    socket,
    socketio::socket_io,
    state_writer,
    store::{ExpiredRegistration, RegistrationRenewal, RegistrationStore},
};
use crate::{
    config::{ConfigError, ServiceConfigRequest, ServiceKind, SettingsReport},
    doctor::{CheckRun, DiagnosisContext},
    health::QueueGauge,
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
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tokio::sync::mpsc;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// Sessions of one pair: the current one, and replaced ones until they are closed. The dispatcher
/// admits no more.
const SESSIONS_PER_PAIR: usize = MAX_SESSIONS_PER_PAIR;
/// Subscriptions of a session besides its pair: its user.
const SUBSCRIPTIONS: usize = 1;
/// Messages that wait for the dispatcher.
const EVENT_QUEUE: usize = 4096;
/// Clients that wait for the dispatcher.
const JOIN_QUEUE: usize = 1024;
/// Sessions without registration that the dispatcher has to close.
const EXPIRED_QUEUE: usize = 256;
/// Requests of clients about hooks that wait.
const HOOK_QUEUE: usize = 256;

/// Entry of the service registry.
pub const KIND: ServiceKind<'static, BoxedService> = ServiceKind {
    about: "Serve back ends that push messages to browsers",
    port: WEBHOOK_PORT,
    ..ServiceKind::new("webhook", SETTINGS, &|request, report| {
        Ok(Box::new(WebhookService::read(request, report)?))
    })
};

/// A webhook service that hasn't started.
#[derive(Debug)]
pub struct WebhookService {
    /// The settings of the service.
    pub settings: WebhookSettings,
}

impl WebhookService {
    /// Reads the service's settings.
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
        context: DiagnosisContext,
        run: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(diagnose::diagnose(&self.settings, context, run))
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

    fn start(
        self: Box<Self>,
        context: ServiceContext,
    ) -> Result<RunningService, ServiceStartError> {
        let database = self.settings.redis.as_ref().map_or(0, |redis| redis.database);
        let channels = channels(database);
        let observers = ServiceMetrics::register(MetricLabelNames {
            service: context.name.as_ref().map(|name| name.as_str()),
            topics: &[],
            channels,
            methods: &["registration"],
        })?;
        WebhookBuilder { settings: self.settings, channels, observers, context }.start()
    }
}

/// Parts from which the service is built.
struct WebhookBuilder {
    settings: WebhookSettings,
    /// Channels on which replicas notify each other.
    channels: &'static [&'static str],
    observers: ServiceMetrics,
    context: ServiceContext,
}

/// What every transport needs.
#[derive(Clone)]
pub struct WebhookHandlers {
    /// Admission of clients.
    pub admission: ClientAdmission,
    /// Private URLs of clients.
    pub hooks: HookService,
}

impl WebhookBuilder {
    fn start(mut self) -> Result<RunningService, ServiceStartError> {
        let (hook_sender, hook_jobs) = mpsc::channel(HOOK_QUEUE);
        let hub = self.hub(hook_sender)?;
        let (store, feed, dependency) = self.feed();
        let addresses = ClientAddressResolver::new(self.settings.proxies.trusted.clone());
        let probe = probe::claim(&mut self.context.rng);
        let connection_limit = self.build_connection_limit(&hub, &probe);
        let (dispatcher, join_requests) = mpsc::channel(JOIN_QUEUE);
        let waiting = dispatcher.clone();
        let own = Some(ProbeSession { claim: probe.clone(), hub: hub.clone() });
        let observe = counters::join_requests(&self.observers.auth);
        let admission = ClientAdmission::new(
            Arc::clone(&store),
            dispatcher,
            connection_limit.clone(),
            addresses.clone(),
            observe,
            own,
        );
        let clock = Arc::clone(&self.context.clock);
        let (intake, jobs) = MessageIntake::new();
        self.context.phases.consume.core("intake", intake::run(Arc::clone(&store), jobs));
        let hooks = HookService::new(Arc::clone(&store), intake.clone(), clock, self.hook_rules());
        let (noted, expired) = self.state_writer(&store);
        self.dispatcher(DispatcherDependencies {
            hub: hub.clone(),
            store: Arc::clone(&store),
            feed,
            join_requests,
            noted,
            expired,
            replay: MessageReplay::new(self.settings.limits, self.replay_start()),
            renewal: self.settings.limits.registration / 4,
        });
        let sources = &self.context.phases.consume;
        spawn_until_stopped(
            sources,
            "hooks",
            hook_worker::run(hub.clone(), hooks.clone(), hook_jobs),
        );
        let waiting_messages = intake.clone();
        let queues = [
            QueueGauge::new("intake", INTAKE_QUEUE, move || waiting_messages.queued()),
            QueueGauge::new("join_requests", JOIN_QUEUE, move || {
                waiting.max_capacity() - waiting.capacity()
            }),
            self.hub_queue(&hub),
        ];
        let metrics = self.observers.metrics();
        let dependencies = std::slice::from_ref(&dependency);
        gauges::register(metrics, dependencies, &self.context.clock, &hub, &queues)?;
        let rest_handler = self.rest_handler(&store, intake, &hooks)?;
        let rng = self.context.rng.fork();
        let probe = WebhookSelfProbe::new(hub.clone(), connection_limit.clone(), probe, rng);
        let handlers = WebhookHandlers { admission, hooks };
        let routes = self.routes(handlers, &rest_handler, &connection_limit);
        let reload = WebhookReload::new(
            self.settings.clone(),
            hub.clone(),
            connection_limit,
            addresses,
            rest_handler,
        );
        Ok(RunningService {
            routes: Some(routes),
            listeners: Vec::new(),
            dependencies: vec![dependency],
            metrics: self.observers.metrics().clone(),
            compat_metrics: None,
            sessions: Some(Arc::new(HubSessions::new(&hub, RegistrationKey::user_recipient))),
            drain_time: self.context.drain_time,
            self_test: SelfTest::Client { probe: Arc::new(probe), listener: None },
            reload: Box::new(reload),
        })
    }

    fn hub(&mut self, hook_jobs: mpsc::Sender<HookJob>) -> Result<Hub, ServiceStartError> {
        let settings = HubSettings {
            dialect: Arc::new(WebhookDialect::new(hook_jobs)),
            session_policy: session_policy(&self.settings),
            push_rate: 0,
            shards: self.context.shards(),
            shard_policy: ShardPolicy::ByPrimary,
            grace: self.context.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        self.context.start_hub(settings)
    }

    fn build_connection_limit(&self, hub: &Hub, probe: &RegistrationKey) -> ConnectionLimit {
        sessions::connection_limit(
            hub,
            self.settings.max_connections,
            probe.primary(),
            &self.observers.hub,
        )
    }

    fn hook_rules(&self) -> HookRules {
        let (usual, longest) = self.settings.hook_time;
        let public = self.settings.public_url.as_deref().unwrap_or_default();
        let base = format!("{public}{}", self.context.route.path);
        HookRules { usual, longest, per_minute: self.settings.hook_rate, base }
    }

    /// Starts the state writer. It ends after the dispatcher, when the last states are written.
    fn state_writer(
        &self,
        store: &Arc<dyn RegistrationStore>,
    ) -> (mpsc::Sender<RegistrationRenewal>, mpsc::Receiver<ExpiredRegistration>) {
        let (noted, notes) = state_writer::notes();
        let (expirations, expired) = mpsc::channel(EXPIRED_QUEUE);
        let state_writer = state_writer::run(Arc::clone(store), notes, expirations);
        self.context.phases.consume.core("registrations", state_writer);
        (noted, expired)
    }

    /// The last message that a replay may lack: in memory the last before the start, in Redis the last
    /// that has expired there.
    fn replay_start(&self) -> MessageId {
        let kept =
            self.settings.redis.as_ref().map_or(Duration::ZERO, |_| self.settings.limits.replay);
        let start = (self.context.clock)().checked_sub(kept).unwrap_or(UNIX_EPOCH);
        MessageId::default().next(micros(start))
    }

    fn dispatcher(&self, dependencies: DispatcherDependencies) {
        let sources = &self.context.phases.consume;
        sources.core(
            "dispatcher",
            MessageDispatcher::new(dependencies).run(sources.stopping().clone()),
        );
    }

    fn rest_handler(
        &self,
        store: &Arc<dyn RegistrationStore>,
        intake: MessageIntake,
        hooks: &HookService,
    ) -> Result<Arc<RestHandler>, MetricsError> {
        let access = access(&self.settings);
        let counts = counters::message_counters(self.observers.metrics())?;
        Ok(Arc::new(RestHandler::new(Arc::clone(store), intake, hooks.clone(), access, counts)))
    }

    fn hub_queue(&self, hub: &Hub) -> QueueGauge {
        let (capacity, shards) = (hub.depths().room, hub.clone());
        QueueGauge::new("hub", capacity, move || shards.depths().commands)
    }

    /// Routes for clients and back ends.
    fn routes(
        &self,
        handlers: WebhookHandlers,
        rest_handler: &Arc<RestHandler>,
        connection_limit: &ConnectionLimit,
    ) -> BoxedFilter<(Response,)> {
        let names: Arc<[_]> = self.settings.proxies.headers.as_slice().into();
        let tasks = self.context.phases.accept.clone();
        let socket = socket::routes(handlers.admission.clone(), tasks.clone(), Arc::clone(&names));
        let events = event_stream(handlers.admission.clone(), &tasks, Arc::clone(&names));
        let socketio = socket_io(handlers, tasks, names);
        let clients = socket.or(events).unify().or(socketio).unify();
        connection_limit.reject_when_full(
            rest::routes(Arc::clone(rest_handler), BodyBudget::default())
                .or(clients)
                .unify()
                .boxed(),
        )
    }
}

/// Access control of the REST API.
fn access(settings: &WebhookSettings) -> BackendAccess {
    settings.token.as_ref().map_or(BackendAccess::Open, BackendAccess::token)
}

/// The hub's session policy. Nothing is debounced: each message is delivered at once.
fn session_policy(settings: &WebhookSettings) -> SessionPolicy {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    SessionPolicy {
        debounce: DebouncePolicy { max: 0, enabled: false },
        limits: HubLimits {
            per_recipient: SESSIONS_PER_PAIR,
            subscriptions: SUBSCRIPTIONS,
            subscription_bytes: usize::MAX,
            max_connection: settings.max_connection.map(millis),
        },
    }
}

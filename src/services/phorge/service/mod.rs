//! Assembles one notification server: listeners, hub, history, peers.

mod diagnose;
mod reload;
mod self_probe;

use super::{
    address_limit::AddressLimit,
    admin_server,
    admin_server::AphlictAdminHandler,
    admission,
    admission::BrowserAdmission,
    background,
    config::{PHORGE_PORT, PhorgeSettings, SETTINGS},
    dialect::{AphlictDialect, SubscriptionLimit},
    fingerprint::ServerFingerprint,
    history::SharedMessageHistory,
    instance::PhorgeInstance,
    peers,
    peers::{PeerRelay, PeerRelayConfig},
    publish_queue,
    publish_queue::{PublishQueue, PublishWorker, publish_queue},
    status::ClientTotals,
};
use crate::{
    config::{ConfigError, ServiceConfigRequest, ServiceKind, SettingsReport},
    doctor::{CheckRun, DiagnosisContext},
    health::{QueueGauge, ServiceDependency},
    push::{
        ConnectionLimit, HubMetrics,
        hub::{Hub, HubSettings, ShardPolicy},
    },
    services::{
        BoxedService, ListenerAudience, ProgramInvocation, RunningService, SelfTest, Service,
        ServiceCommandError, ServiceCommands, ServiceContext, ServiceInput, ServiceListener,
        ServiceStartError, gauges,
        sessions::{self, HubSessions},
        spawn_until_stopped,
    },
    telemetry::metrics::{Counter, MetricsError, MetricsRegistry},
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reload::{PhorgeReload, session_policy};
use self_probe::PhorgeSelfProbe;
use std::{io, sync::Arc};
use tokio::time::Instant;
use warp::{filters::BoxedFilter, reply::Response};

/// The entry of this kind in the registry.
pub const KIND: ServiceKind<'static, BoxedService> = ServiceKind {
    name: "phorge",
    about: "Serve Phorge's browsers in place of Aphlict",
    file: Some("Aphlict's configuration, such as aphlict.custom.json"),
    port: PHORGE_PORT,
    settings: SETTINGS,
    actions: background::ACTIONS,
    action: "start, stop, restart or status of one in the background; debug, or nothing: serve in the \
             foreground",
    read: &|request, report| Ok(Box::new(PhorgeService::read(request, report)?)),
};

/// One configured server, ready to start.
#[derive(Debug)]
pub struct PhorgeService {
    /// The settings of the server.
    pub settings: PhorgeSettings,
}

impl PhorgeService {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(
        request: &ServiceConfigRequest<'_>,
        report: &mut SettingsReport,
    ) -> Result<Self, ConfigError> {
        Ok(Self { settings: PhorgeSettings::read(request, report)? })
    }
}

impl ServiceCommands for PhorgeService {
    fn run(
        &self,
        command: &str,
        invocation: &ProgramInvocation,
    ) -> Result<String, ServiceCommandError> {
        background::act(&self.settings, command, invocation)
    }
}

impl Service for PhorgeService {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.trusted
    }

    fn inputs(&self) -> Vec<ServiceInput> {
        Vec::new()
    }

    fn needs_shared_listener(&self) -> bool {
        self.settings.clients.is_empty()
    }

    fn diagnose<'a, 'r: 'a>(
        &'a self,
        visit: DiagnosisContext,
        round: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(diagnose::diagnose(&self.settings, visit, round))
    }

    fn commands(&self) -> Option<&dyn ServiceCommands> {
        Some(self)
    }

    fn start(
        self: Box<Self>,
        context: ServiceContext,
    ) -> Result<RunningService, ServiceStartError> {
        let metrics = MetricsRegistry::new(context.name.as_ref().map(|name| name.as_str()))?;
        let metric_set = PhorgeMetrics::register(&metrics)?;
        PhorgeAssembly { settings: self.settings, metrics, metric_set, context }.start()
    }
}

/// The metrics of this kind of service.
struct PhorgeMetrics {
    hub: Arc<HubMetrics>,
    received: Counter,
    relayed: Counter,
    lost: Counter,
}

impl PhorgeMetrics {
    fn register(metrics: &MetricsRegistry) -> Result<Self, MetricsError> {
        const RECEIVED: &str = "Messages received from publishers and peers, duplicates included.";
        const RELAYED: &str = "Messages that a peer accepted.";
        const LOST: &str = "Messages that a peer did not get.";
        Ok(Self {
            hub: Arc::new(HubMetrics::register(metrics, &[])?),
            received: metrics.counter("messages_published_total", RECEIVED)?,
            relayed: metrics.counter("messages_relayed_total", RELAYED)?,
            lost: metrics.counter("messages_relay_lost_total", LOST)?,
        })
    }
}

/// Everything that the parts of the server are built from.
struct PhorgeAssembly {
    settings: PhorgeSettings,
    metrics: MetricsRegistry,
    metric_set: PhorgeMetrics,
    context: ServiceContext,
}

impl PhorgeAssembly {
    fn start(mut self) -> Result<RunningService, ServiceStartError> {
        let history = SharedMessageHistory::default();
        let subscription_limit = SubscriptionLimit::new(self.settings.max_subscriptions);
        let hub = self.hub(&history, &subscription_limit)?;
        let fingerprint = ServerFingerprint::draw(&mut self.context.rng);
        let peers = self.peers(&fingerprint)?;
        let (publish_queue, publish_receiver) = publish_queue();
        let dependencies: Vec<_> = dependencies_of(&peers).collect();
        let queues = queues(&publish_queue, &hub, &peers);
        gauges::register(&self.metrics, &dependencies, &self.context.clock, &hub, &queues)?;
        let probe_only_messages = Arc::default();
        let worker = PublishWorker {
            hub: hub.clone(),
            history: history.clone(),
            peers,
            fingerprint: fingerprint.clone(),
            probe_only_messages: Arc::clone(&probe_only_messages),
        };
        spawn_until_stopped(
            &self.context.phases.consume,
            "publishing",
            worker.run(publish_receiver),
        );
        let probe_instance = PhorgeInstance::random(&mut self.context.rng);
        let room = self.connection_limit(&hub, &probe_instance);
        let arrivals = Arc::new(ClientTotals::default());
        let address_limit =
            AddressLimit::new(self.settings.max_sessions_per_address, &self.settings.trusted);
        let authenticated = BrowserAdmission {
            hub: hub.clone(),
            room: room.clone(),
            address_limit: address_limit.clone(),
            arrivals: Arc::clone(&arrivals),
            tasks: self.context.phases.accept.clone(),
        };
        let clients = admission::routes(authenticated);
        let probe = PhorgeSelfProbe::new(
            publish_queue.clone(),
            room.clone(),
            probe_instance,
            self.context.rng.fork(),
        );
        let admin = AphlictAdminHandler {
            publish_queue,
            fingerprint,
            history,
            hub: hub.clone(),
            arrivals,
            received: self.metric_set.received.clone(),
            sent: Arc::clone(&self.metric_set.hub),
            probe_only_messages,
            since: Instant::now(),
        };
        let service_listeners = self.service_listeners(&clients, &admin_server::routes(admin));
        let own_listeners = !self.settings.clients.is_empty();
        Ok(RunningService {
            routes: (!own_listeners).then_some(clients),
            listeners: service_listeners,
            dependencies,
            metrics: self.metrics,
            compat_metrics: None,
            sessions: Some(Arc::new(HubSessions::new(&hub, |user| user.into()))),
            drain_time: self.settings.drain_time,
            self_test: SelfTest::Client {
                probe: Arc::new(probe),
                listener: own_listeners.then_some(0),
            },
            reload: Box::new(PhorgeReload::new(
                self.settings,
                hub,
                room,
                subscription_limit,
                address_limit,
            )),
        })
    }

    fn hub(
        &mut self,
        history: &SharedMessageHistory,
        subscription_limit: &SubscriptionLimit,
    ) -> Result<Hub, ServiceStartError> {
        let settings = HubSettings {
            dialect: Arc::new(AphlictDialect::new(
                history.clone(),
                subscription_limit.clone(),
                Instant::now,
            )),
            session_policy: session_policy(&self.settings, self.context.shards().into()),
            push_rate: 0,
            shards: self.context.shards(),
            shard_policy: ShardPolicy::RoundRobin,
            grace: self.context.drain_time,
            observer: Arc::clone(&self.metric_set.hub) as _,
        };
        self.context.start_hub(settings)
    }

    /// The limit of the hub's clients, which exempts the probe's instance.
    fn connection_limit(&self, hub: &Hub, probe: &PhorgeInstance) -> ConnectionLimit {
        sessions::connection_limit(
            hub,
            self.settings.max_connections,
            probe.home().clone(),
            &self.metric_set.hub,
        )
    }

    fn peers(&mut self, own: &ServerFingerprint) -> Result<PeerRelay, ServiceStartError> {
        let urls = self.settings.peers.clone();
        let dial = peers::http(&urls, self.settings.peers_ca.as_deref()).map_err(|error| {
            ServiceStartError::System("connections to peers", io::Error::other(error))
        })?;
        let cluster = PeerRelayConfig {
            urls,
            dial,
            own: own.clone(),
            relayed: self.metric_set.relayed.clone(),
            lost: self.metric_set.lost.clone(),
        };
        Ok(PeerRelay::start(cluster, &self.context.phases.consume, &mut self.context.rng))
    }

    /// The listeners, those for clients first: the self-probe uses the first.
    fn service_listeners(
        &self,
        clients: &BoxedFilter<(Response,)>,
        admins: &BoxedFilter<(Response,)>,
    ) -> Vec<ServiceListener> {
        let client = self.settings.clients.iter().map(|listen| ServiceListener {
            name: "client server",
            listen: listen.clone(),
            routes: clients.clone(),
            audience: ListenerAudience::Clients,
        });
        let admin = self.settings.admins.iter().map(|listen| ServiceListener {
            name: "admin server",
            listen: listen.clone(),
            routes: admins.clone(),
            audience: ListenerAudience::Operators,
        });
        client.chain(admin).collect()
    }
}

/// The peers as dependencies; browsers of this server get messages without them.
fn dependencies_of(peers: &PeerRelay) -> impl Iterator<Item = ServiceDependency> {
    peers.conditions().map(|(peer, condition)| ServiceDependency {
        name: format!("peer {peer}").into(),
        service: None,
        needed: false,
        condition,
    })
}

fn queues(publish_queue: &PublishQueue, hub: &Hub, peers: &PeerRelay) -> Vec<QueueGauge> {
    let (publish_queue, shards, slowest) = (publish_queue.clone(), hub.clone(), peers.clone());
    vec![
        QueueGauge::new("publishing", publish_queue::QUEUE, move || publish_queue.waiting()),
        QueueGauge::new("hub", hub.depths().room, move || shards.depths().commands),
        QueueGauge::new("peers", peers::QUEUE, move || slowest.waiting()),
    ]
}

//! Wires the parts of one Nextcloud: database, logins, hub, audiences, pipeline, Redis.

mod admission;
mod database;
mod dependencies;
mod event_source;
mod hub;
mod metrics;
mod queues;
mod reload;
mod self_probe;

pub use event_source::NextcloudEventSource;

use super::{
    CompatSnapshot, channels,
    channels::{CHANNELS, FILE},
    config,
    dialect::{NextcloudDialect, TOPIC_SPECS},
    doctor,
    doctor::{NextcloudCheckContext, NextcloudTarget},
    event_handler::{NextcloudEventHandler, TestCookie},
    http, self_test,
    self_test::{KeyStore, MountCounter, SelfTestContext},
};
use crate::{
    client::{
        SourceBarrier, SourceEvent,
        memory::MemorySource,
        redis::{RedisClient, RedisTimeouts},
    },
    config::{ConfigError, ServiceConfigRequest, ServiceKind, SettingsReport},
    doctor::{CheckRun, DiagnosisContext},
    push::{ConnectionLimit, hub::Hub},
    server::upgrade,
    services::{
        BoxedService, MetricLabelNames, RunningService, SelfTest, Service, ServiceContext,
        ServiceInput, ServiceMetrics, ServiceStartError, gauges,
        nextcloud::{
            audience,
            audience::{AudienceResolver, ResolverParts},
            login::{LoginHandler, RefusalLog, ticket::TicketStore},
            pipeline::EventPipeline,
            settings::{ConfigFileRequest, NEXTCLOUD_SETTINGS, NextcloudServiceSettings},
        },
        sessions::HubSessions,
    },
};
use ::http::HeaderName;
use admission::LoginAdmission;
use database::NextcloudDatabase;
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reload::NextcloudReload;
use self_probe::NextcloudSelfProbe;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::mpsc;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// How long a client may take to log in (`specs/nextcloud.md` section 3).
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// Messages that may wait between Redis and the pipeline.
const EVENT_QUEUE_CAPACITY: usize = 4096;
/// The names of the authenticators in metrics.
const METHODS: &[&str] = &["ticket", "database", "nextcloud"];

/// The entry of Nextcloud in the registry of service kinds.
pub const KIND: ServiceKind<'static, BoxedService> =
    ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &|request, report| {
        Ok(Box::new(NextcloudService::read(request, report)?))
    });

/// One Nextcloud, ready to start.
#[derive(Debug)]
pub struct NextcloudService {
    /// The settings of the service.
    pub settings: NextcloudServiceSettings,
    /// The source of its messages.
    pub feed: NextcloudEventSource,
}

impl NextcloudService {
    /// Reads the settings, the lowest layer of which is config.php.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(
        request: &ServiceConfigRequest<'_>,
        report: &mut SettingsReport,
    ) -> Result<Self, ConfigError> {
        let ServiceConfigRequest { file, glob, layers, environment, exists } = *request;
        let interpreter = config::interpreter::choose(layers, &environment.merged())?;
        let request = ConfigFileRequest { path: file, glob, environment, exists };
        let file = config::read(&request, &*interpreter)?;
        let settings = crate::services::nextcloud::settings::read_settings(layers, file, report)?;
        Ok(Self { settings, feed: NextcloudEventSource::Redis })
    }
}

impl Service for NextcloudService {
    fn diagnose<'a, 'r: 'a>(
        &'a self,
        visit: DiagnosisContext,
        round: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        let DiagnosisContext {
            listen,
            place,
            rows,
            warnings,
            file,
            credentials,
            idle_time,
            clock,
            rng,
        } = visit;
        let (instance, occ) = (self.settings.clone(), doctor::occ(file.as_deref()));
        let target = NextcloudTarget {
            instance,
            listen,
            place,
            rows,
            warnings,
            credentials,
            idle_time,
            occ,
        };
        let mut context = NextcloudCheckContext { clock, rng };
        Box::pin(async move { doctor::diagnose(&target, &mut context, round).await })
    }

    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn inputs(&self) -> Vec<ServiceInput> {
        match self.feed {
            NextcloudEventSource::Redis => {
                self.settings.redis.topology.servers().into_iter().map(redis_input).collect()
            }
            NextcloudEventSource::Memory(_) => Vec::new(),
        }
    }

    fn needs_shared_listener(&self) -> bool {
        true
    }

    fn start(self: Box<Self>, ground: ServiceContext) -> Result<RunningService, ServiceStartError> {
        let Self { settings, feed } = *self;
        let observers = ServiceMetrics::register(MetricLabelNames {
            service: ground.name.as_ref().map(|name| name.as_str()),
            topics: &TOPIC_SPECS.map(|topic| topic.name),
            channels: CHANNELS,
            methods: METHODS,
        })?;
        NextcloudBuilder { settings, observers, ground }.start(feed)
    }
}

/// Redis publishes to all its databases, so the index doesn't tell two Nextclouds apart.
fn redis_input(address: String) -> ServiceInput {
    let remedy = "Give each Nextcloud a Redis of its own (another port, socket or server) in 'redis' \
                  of its config.php";
    ServiceInput { kind: "Redis", address, remedy }
}

/// Builds the parts.
struct NextcloudBuilder {
    settings: NextcloudServiceSettings,
    observers: ServiceMetrics,
    ground: ServiceContext,
}

impl NextcloudBuilder {
    fn start(mut self, feed: NextcloudEventSource) -> Result<RunningService, ServiceStartError> {
        let dialect = Arc::new(NextcloudDialect::default());
        let hub = self.hub(&dialect)?;
        let authenticated = LoginAdmission::new(&self.settings)?;
        let remote = self.remote(&authenticated)?;
        let stored = NextcloudDatabase::new(&mut self, &authenticated)?;
        let (tickets, keys) = (TicketStore::default(), self.keys(&feed));
        let (barrier, barriers) = SourceBarrier::new();
        let cookie = (TestCookie::default(), barrier);
        let self_test = self.self_test(keys.clone(), stored.as_ref(), remote.as_ref(), &cookie);
        let (event_sender, queue) = mpsc::channel(EVENT_QUEUE_CAPACITY);
        let mut dependencies = vec![self.feed(feed, event_sender.clone(), barriers)];
        dependencies.extend(stored.as_ref().map(dependencies::database));
        dependencies.extend(remote.as_ref().map(dependencies::nextcloud));
        let resolver = self.resolver(&hub, stored.as_ref());
        let mut queues = queues::service_queues(&event_sender, &hub);
        queues.extend(queues::backend_queues(resolver.as_ref(), stored.as_ref(), remote.as_ref()));
        let metrics = self.observers.metrics();
        gauges::register(metrics, &dependencies, &self.ground.clock, &hub, &queues)?;
        self.pipeline(queue, hub.clone(), resolver, self.host(&tickets, keys, cookie.0));
        let chain = self.chain(stored, remote, tickets.clone(), &hub);
        let room = self.room(&hub);
        let reload =
            NextcloudReload::new(self.settings.clone(), hub.clone(), room.clone(), &authenticated);
        let refusals = RefusalLog::new(authenticated.addresses.clone());
        let chain = Arc::new(authenticated.before(chain));
        let observe = metrics::logins(&self.observers.auth);
        let login = LoginHandler {
            chain,
            hub: hub.clone(),
            dialect,
            timeout: LOGIN_TIMEOUT,
            observe,
            refusals,
        };
        let observers = self.observers.clone();
        let events = MemorySource::new(event_sender);
        let probe = NextcloudSelfProbe::new(tickets, events, room.clone(), self.ground.rng.fork());
        Ok(RunningService {
            routes: Some(self.routes(login, room, self_test)),
            listeners: Vec::new(),
            dependencies,
            metrics: observers.metrics().clone(),
            compat_metrics: Some(Arc::new(move || CompatSnapshot::from(&observers).metrics())),
            sessions: Some(Arc::new(HubSessions::new(&hub, |user| user.into()))),
            drain_time: self.ground.drain_time,
            reload: Box::new(reload),
            self_test: SelfTest::Client { probe: Arc::new(probe), listener: None },
        })
    }

    /// The routes that clients and Nextcloud use.
    fn routes(
        &self,
        login: LoginHandler,
        room: ConnectionLimit,
        self_test: BoxedFilter<(Response,)>,
    ) -> BoxedFilter<(Response,)> {
        let forwarded: Arc<[HeaderName]> = self.settings.proxies.headers.as_slice().into();
        let tasks = self.ground.phases.accept.clone();
        let authenticated = room.clone();
        let enter = move |client| login.clone().run(client, room.clone());
        let socket = authenticated.reject_when_full(upgrade(tasks, forwarded, enter).boxed());
        let ws = warp::path("ws").and(warp::path::end()).and(socket);
        let prefixed = warp::path("push").and(ws.clone());
        ws.or(prefixed).unify().or(self_test).unify().boxed()
    }

    fn self_test(
        &self,
        keys: Option<Arc<RedisClient>>,
        stored: Option<&NextcloudDatabase>,
        remote: Option<&http::NextcloudAuthenticator>,
        (cookie, barrier): &(TestCookie, SourceBarrier),
    ) -> BoxedFilter<(Response,)> {
        self_test::routes(SelfTestContext {
            keys: keys.map(|keys| keys as Arc<dyn KeyStore>),
            mounts: stored.map(|stored| Arc::clone(&stored.directory) as Arc<dyn MountCounter>),
            nextcloud: remote.map(http::SelfTestClient::new),
            cookie: cookie.clone(),
            barrier: barrier.clone(),
            version: self.settings.nextcloud.compat_version.clone(),
            forwarded: self.settings.proxies.headers.as_slice().into(),
        })
    }

    /// The client for keys in Redis; `None` for a source in memory.
    fn keys(&mut self, feed: &NextcloudEventSource) -> Option<Arc<RedisClient>> {
        let redis =
            matches!(feed, NextcloudEventSource::Redis).then(|| self.settings.redis.clone())?;
        Some(Arc::new(RedisClient::new(redis, RedisTimeouts::default(), self.ground.rng.fork())))
    }

    /// The handler of messages.
    fn host(
        &self,
        tickets: &TicketStore,
        keys: Option<Arc<RedisClient>>,
        cookie: TestCookie,
    ) -> NextcloudEventHandler {
        NextcloudEventHandler {
            tickets: tickets.clone(),
            cookie,
            log: self.ground.log.clone(),
            keys,
            observers: self.observers.clone(),
            tasks: self.ground.phases.consume.clone(),
            reporting: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Resolves storage paths to users; `None` without a database.
    fn resolver(
        &mut self,
        hub: &Hub,
        stored: Option<&NextcloudDatabase>,
    ) -> Option<AudienceResolver> {
        let directory = Arc::clone(&stored?.directory);
        let sources = &self.ground.phases.consume;
        let parts = ResolverParts {
            hub: hub.clone(),
            directory,
            topic: FILE,
            is_user: |recipient| !channels::is_anonymous(recipient),
        };
        Some(audience::start(parts, sources, self.ground.rng.fork()))
    }

    /// Starts the pipeline from the queue of messages to the hub.
    fn pipeline(
        &self,
        queue: mpsc::Receiver<SourceEvent>,
        hub: Hub,
        resolver: Option<AudienceResolver>,
        handler: NextcloudEventHandler,
    ) {
        let sources = &self.ground.phases.consume;
        let metrics = Arc::clone(&self.observers.source);
        let pipeline = EventPipeline { handler, hub, resolver, metrics };
        let stopping = sources.stopping().clone();
        sources.core("pipeline", pipeline.run(queue, stopping));
    }
}

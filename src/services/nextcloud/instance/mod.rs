//! Puts the parts of one Nextcloud together: database, log-ins, hub, look-up, pipeline, Redis.

mod adopt;
mod counting;
mod door;
mod feed;
mod hub;
mod needs;
mod probe;
mod queues;
mod stored;

pub use feed::Feed;

use super::{
    channels::{CHANNELS, FILE},
    config,
    dialect::{NextcloudDialect, TOPIC_SPECS},
    doctor::{self, Patient, Tools},
    endpoints::{self, KeyStore, MountCount, SelfTest},
    host::{Cookie, Nextcloud},
    remote,
};
use crate::{
    client::{
        Delivery,
        memory::Memory,
        redis::{Keys, Pace},
    },
    config::{ConfigError, HostRequest, Kind, Report},
    doctor::{Round, Visit},
    health::{Dependency, Health, Queue},
    push::{Room, hub::Hub},
    server::upgrade,
    services::{
        Boxed, Ground, Names, Observers, Prepared, Running, StartError, clients, gauges,
        nextcloud::{
            audience_index,
            audience_index::Resolver,
            login::{Login, ticket::Tickets},
            pipeline::Pipeline,
            settings::{FileRequest, InstanceSettings},
        },
    },
    telemetry::metrics::MetricsError,
};
use adopt::Adopting;
use door::Door;
use futures_util::future::BoxFuture;
use http::HeaderName;
use ipnet::IpNet;
use probe::WayBack;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use stored::Stored;
use tokio::sync::mpsc;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// How long a client may take to log in (`specs/nextcloud.md` section 3).
const LOGIN: Duration = Duration::from_secs(15);
/// Messages that may wait between Redis and the pipeline.
const QUEUE: usize = 4096;
/// The names of those who decide log-ins, as metrics know them.
const METHODS: &[&str] = &["ticket", "database", "nextcloud"];

/// Nextcloud, as the registry knows it.
pub const KIND: Kind<'static, Boxed> =
    Kind::new("nextcloud", crate::config::INSTANCE, &|request, report| {
        Ok(Box::new(Instance::read(request, report)?))
    });

/// One Nextcloud, ready to start.
#[derive(Debug)]
pub struct Instance {
    /// What it is told.
    pub settings: InstanceSettings,
    /// Where its messages come from.
    pub feed: Feed,
}

impl Instance {
    /// Reads the settings, the lowest layer of which is config.php.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(request: &HostRequest<'_>, report: &mut Report) -> Result<Self, ConfigError> {
        let HostRequest { file, glob, layers, environment, exists } = *request;
        let file = config::read(&FileRequest { path: file, glob, environment, exists })?;
        let settings = crate::services::nextcloud::settings::instance(layers, file, report)?;
        Ok(Self { settings, feed: Feed::Redis })
    }
}

impl Prepared for Instance {
    fn look_over<'a, 'r: 'a>(
        &'a self,
        visit: Visit,
        round: &'a mut Round<'r>,
    ) -> BoxFuture<'a, ()> {
        let Visit { listen, place, rows, warnings, file, credentials, patience, clock, rng } =
            visit;
        let (instance, occ) = (self.settings.clone(), doctor::occ(file.as_deref()));
        let patient =
            Patient { instance, listen, place, rows, warnings, credentials, patience, occ };
        let mut tools = Tools { clock, rng };
        Box::pin(async move { doctor::examine(&patient, &mut tools, round).await })
    }

    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn listens_to(&self) -> Vec<String> {
        match self.feed {
            Feed::Redis => self.settings.redis.topology.servers(),
            Feed::Memory(_) => Vec::new(),
        }
    }

    fn start(self: Box<Self>, ground: Ground) -> Result<Running, StartError> {
        let Self { settings, feed } = *self;
        let observers = Observers::register(Names {
            host: ground.name.as_ref().map(|name| name.as_str()),
            topics: &TOPIC_SPECS.map(|topic| topic.name),
            channels: CHANNELS,
            methods: METHODS,
        })?;
        Parts { settings, observers, ground }.start(feed)
    }
}

/// What the parts are made from.
struct Parts {
    settings: InstanceSettings,
    observers: Observers,
    ground: Ground,
}

impl Parts {
    fn start(mut self, feed: Feed) -> Result<Running, StartError> {
        let dialect = Arc::new(NextcloudDialect::default());
        let hub = self.hub(&dialect)?;
        let door = Door::new(&self.settings)?;
        let remote = self.remote(&door)?;
        let stored = Stored::new(&mut self, &door)?;
        let (tickets, keys, cookie) = (Tickets::default(), self.keys(&feed), Cookie::default());
        let self_test = self.self_test(keys.clone(), stored.as_ref(), remote.as_ref(), &cookie);
        let (inlet, queue) = mpsc::channel(QUEUE);
        let mut dependencies = vec![self.feed(feed, inlet.clone())];
        dependencies.extend(stored.as_ref().map(needs::database));
        dependencies.extend(remote.as_ref().map(needs::nextcloud));
        let resolver = self.resolver(&hub, stored.as_ref());
        let mut queues = queues::own(&inlet, &hub);
        queues.extend(queues::of(resolver.as_ref(), stored.as_ref(), remote.as_ref()));
        self.gauges(&dependencies, &hub, &queues)?;
        self.pipeline(queue, hub.clone(), resolver, self.host(&tickets, keys, cookie));
        let chain = self.chain(stored, remote, tickets.clone(), &hub);
        let room = self.room(&hub);
        let adopting = Adopting::new(self.settings.clone(), hub.clone(), room.clone(), &door);
        let chain = Arc::new(door.before(chain));
        let observe = counting::log_ins(&self.observers.auth);
        let login = Login { chain, hub: hub.clone(), dialect, patience: LOGIN, observe };
        let observers = self.observers.clone();
        Ok(Running {
            routes: self.routes(login, room.clone(), self_test),
            doorways: Vec::new(),
            probe_at: None,
            dependencies,
            metrics: observers.metrics().clone(),
            snapshot: Some(Arc::new(move || observers.snapshot())),
            revoke: clients::revoke(&hub, |whom| whom.into()),
            adopts: Box::new(adopting),
            probe: Arc::new(WayBack::new(
                tickets,
                Memory::new(inlet),
                room,
                self.ground.rng.fork(),
            )),
        })
    }

    /// What clients are answered.
    fn routes(
        &self,
        login: Login,
        room: Room,
        self_test: BoxedFilter<(Response,)>,
    ) -> BoxedFilter<(Response,)> {
        let forwarded: Arc<[HeaderName]> = self.settings.proxies.headers.as_slice().into();
        let tasks = self.ground.groups.listeners.clone();
        let door = room.clone();
        let enter = move |client| login.clone().run(client, room.clone());
        let socket = door.before(upgrade(tasks, forwarded, enter).boxed());
        let ws = warp::path("ws").and(warp::path::end()).and(socket);
        let prefixed = warp::path("push").and(ws.clone());
        ws.or(prefixed).unify().or(self_test).unify().boxed()
    }

    fn self_test(
        &self,
        keys: Option<Arc<Keys>>,
        stored: Option<&Stored>,
        remote: Option<&remote::Remote>,
        cookie: &Cookie,
    ) -> BoxedFilter<(Response,)> {
        endpoints::routes(SelfTest {
            keys: keys.map(|keys| keys as Arc<dyn KeyStore>),
            mounts: stored.map(|stored| Arc::clone(&stored.directory) as Arc<dyn MountCount>),
            nextcloud: remote.map(remote::Probe::new),
            cookie: cookie.clone(),
            version: self.settings.nextcloud.compat_version.clone(),
            forwarded: self.settings.proxies.headers.as_slice().into(),
        })
    }

    /// What is read and written in Redis besides; nothing where Redis has no part.
    fn keys(&mut self, feed: &Feed) -> Option<Arc<Keys>> {
        let redis = matches!(feed, Feed::Redis).then(|| self.settings.redis.clone())?;
        Some(Arc::new(Keys::new(redis, Pace::default(), self.ground.rng.fork())))
    }

    /// Who understands the messages.
    fn host(&self, tickets: &Tickets, keys: Option<Arc<Keys>>, cookie: Cookie) -> Nextcloud {
        Nextcloud {
            tickets: tickets.clone(),
            cookie,
            log: self.ground.log.clone(),
            keys,
            observers: self.observers.clone(),
            tasks: self.ground.groups.sources.clone(),
            reporting: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Who knows whom a place concerns; without a database nobody can.
    fn resolver(&mut self, hub: &Hub, stored: Option<&Stored>) -> Option<Resolver> {
        let directory = Arc::clone(&stored?.directory);
        let sources = &self.ground.groups.sources;
        Some(audience_index::start(hub.clone(), directory, FILE, sources, self.ground.rng.fork()))
    }

    fn gauges(
        &self,
        dependencies: &[Dependency],
        hub: &Hub,
        queues: &[Queue],
    ) -> Result<(), MetricsError> {
        let health = Health::new(dependencies, Arc::clone(&self.ground.clock));
        gauges::register(self.observers.metrics(), &health, hub, queues)
    }

    /// From the queue of messages to the hub.
    fn pipeline(
        &self,
        queue: mpsc::Receiver<Delivery>,
        hub: Hub,
        resolver: Option<Resolver>,
        host: Nextcloud,
    ) {
        let sources = &self.ground.groups.sources;
        let observer = Arc::clone(&self.observers.source) as _;
        let pipeline = Pipeline { host: Arc::new(host), hub, resolver, observer };
        let stopping = sources.stopping().clone();
        sources.core("pipeline", pipeline.run(queue, stopping));
    }
}

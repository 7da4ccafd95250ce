//! Puts the parts of one webhook host together: book, teller, hub, door, hooks, REST side.

mod adopt;
mod counting;
mod desk;
mod feed;
mod look_over;
mod probe;

use super::{
    book::{Book, Kept, Lapsed},
    claim::Claim,
    dialect::{Wanted, WebhookDialect},
    door::{Door, Own},
    event_stream::event_stream,
    feed::channels,
    hooks::{HookRules, Hooks},
    keeper,
    replay::Replay,
    rest::{self, Desk},
    settings::{FLAGS, SETTINGS, WebhookSettings},
    socket,
    socketio::socket_io,
    teller::{MOST_OF_A_PAIR, Outfit, Teller},
    token::Access,
};
use crate::{
    config::{ConfigError, HostRequest, Kind, Report},
    doctor::{Round, Visit},
    health::{Dependency, Health, Queue},
    push::{
        Room,
        hub::{Dealing, Hub, HubSettings, Limits, Terms},
        session::Pace,
    },
    server::client_address::Origins,
    services::{
        Boxed, Ground, Names, Observers, Prepared, Running, StartError, clients, gauges,
        until_stopped,
    },
    telemetry::metrics::MetricsError,
};
use adopt::Adopting;
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use probe::WayBack;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// The port of the original.
const PORT: u16 = 3000;
/// Sessions with one pair: the one that is there, and those it replaces until they are gone. The
/// teller lets nobody in past it.
const PER_PAIR: usize = MOST_OF_A_PAIR;
/// What a session listens as besides its pair: its user.
const SUBSCRIPTIONS: usize = 1;
/// Messages that may wait for the teller.
const NEWS: usize = 4096;
/// Clients that may wait for it.
const ENTRANCES: usize = 1024;
/// Sessions that have lost their registration, until the teller sees them off.
const LAPSED: usize = 256;
/// Wishes of clients for hooks that may wait.
const WISHES: usize = 256;

/// Webhook push, as the registry knows it.
pub const KIND: Kind<'static, Boxed> = Kind {
    about: "Serve back ends that push to browsers over Socket.IO, WebSocket or event streams",
    port: PORT,
    flags: FLAGS,
    ..Kind::new("webhook", SETTINGS, &|request, report| {
        Ok(Box::new(Webhook::read(request, report)?))
    })
};

/// One webhook host, ready to start.
#[derive(Debug)]
pub struct Webhook {
    /// What it is told.
    pub settings: WebhookSettings,
}

impl Webhook {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(request: &HostRequest<'_>, report: &mut Report) -> Result<Self, ConfigError> {
        Ok(Self { settings: WebhookSettings::read(request, report)? })
    }
}

impl Prepared for Webhook {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn look_over<'a, 'r: 'a>(
        &'a self,
        visit: Visit,
        round: &'a mut Round<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(look_over::look_over(&self.settings, visit, round))
    }

    fn listens_to(&self) -> Vec<String> {
        self.settings.redis.as_ref().map(|redis| redis.topology.servers()).unwrap_or_default()
    }

    fn start(self: Box<Self>, ground: Ground) -> Result<Running, StartError> {
        let database = self.settings.redis.as_ref().map_or(0, |redis| redis.database);
        let channels = channels(database);
        let observers = Observers::register(Names {
            host: ground.name.as_ref().map(|name| name.as_str()),
            topics: &[],
            channels,
            methods: &["registration"],
        })?;
        Parts { settings: self.settings, channels, observers, ground }.start()
    }
}

/// What the parts are made from.
struct Parts {
    settings: WebhookSettings,
    /// Those that replicas tell each other on.
    channels: &'static [&'static str],
    observers: Observers,
    ground: Ground,
}

/// What fronts are made from.
#[derive(Clone)]
pub struct Inside {
    /// The way in.
    pub door: Door,
    /// Private URLs.
    pub hooks: Hooks,
}

impl Parts {
    fn start(mut self) -> Result<Running, StartError> {
        let (wishes, wanted) = mpsc::channel(WISHES);
        let hub = self.hub(wishes)?;
        let (book, feed, dependency) = self.feed();
        let origins = Origins::new(self.settings.proxies.trusted.clone());
        let probe = probe::claim(&mut self.ground.rng);
        let room = self.room(&hub, &probe);
        let (teller, entrances) = mpsc::channel(ENTRANCES);
        let waiting = teller.clone();
        let own = Some(Own { claim: probe.clone(), hub: hub.clone() });
        let observe = counting::entrances(&self.observers.auth);
        let door =
            Door::new(Arc::clone(&book), teller, room.clone(), origins.clone(), observe, own);
        let clock = Arc::clone(&self.ground.clock);
        let hooks = Hooks::new(Arc::clone(&book), clock, self.hook_rules());
        let (noted, lapsed) = self.keeper(&book);
        self.teller(Outfit {
            hub: hub.clone(),
            book: Arc::clone(&book),
            feed,
            entrances,
            noted,
            lapsed,
            replay: Replay::new(self.settings.limits),
            renewal: self.settings.limits.registration / 4,
        });
        let sources = &self.ground.groups.sources;
        until_stopped(sources, "hooks", desk::run(hub.clone(), hooks.clone(), wanted));
        let queues = [
            Queue::new("entrances", ENTRANCES, move || waiting.max_capacity() - waiting.capacity()),
            self.hub_queue(&hub),
        ];
        self.gauges(std::slice::from_ref(&dependency), &hub, &queues)?;
        let desk = self.desk(&book, &hooks)?;
        let rng = self.ground.rng.fork();
        let probe = WayBack::new(hub.clone(), room.clone(), probe, rng);
        let inside = Inside { door, hooks };
        let routes = self.routes(inside, &desk, &room);
        let adopting = Adopting::new(self.settings.clone(), hub.clone(), room, origins, desk);
        Ok(Running {
            routes,
            doorways: Vec::new(),
            probe_at: None,
            dependencies: vec![dependency],
            metrics: self.observers.metrics().clone(),
            snapshot: None,
            revoke: clients::revoke(&hub, Claim::everywhere),
            probe: Arc::new(probe),
            adopts: Box::new(adopting),
        })
    }

    fn hub(&mut self, wishes: mpsc::Sender<Wanted>) -> Result<Hub, StartError> {
        let settings = HubSettings {
            dialect: Arc::new(WebhookDialect::new(wishes)),
            terms: terms(&self.settings),
            push_rate: 0,
            shards: self.ground.shards(),
            dealing: Dealing::ByHome,
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        self.ground.start_hub(settings)
    }

    fn room(&self, hub: &Hub, probe: &Claim) -> Room {
        clients::room(hub, self.settings.max_connections, probe.home(), &self.observers.hub)
    }

    fn hook_rules(&self) -> HookRules {
        let (usual, longest) = self.settings.hook_time;
        let public = self.settings.public_url.as_deref().unwrap_or_default();
        let base = format!("{public}{}", self.ground.place.path);
        HookRules { usual, longest, per_minute: self.settings.hook_rate, base }
    }

    /// Notes how sessions are. It outlives the teller by the time that its last notes take.
    fn keeper(&self, book: &Arc<dyn Book>) -> (mpsc::Sender<Kept>, mpsc::Receiver<Lapsed>) {
        let (noted, notes) = keeper::notes();
        let (lapses, lapsed) = mpsc::channel(LAPSED);
        let keeper = keeper::run(Arc::clone(book), notes, lapses);
        self.ground.groups.sources.core("registrations", keeper);
        (noted, lapsed)
    }

    fn teller(&self, outfit: Outfit) {
        let sources = &self.ground.groups.sources;
        sources.core("teller", Teller::new(outfit).run(sources.stopping().clone()));
    }

    fn desk(&self, book: &Arc<dyn Book>, hooks: &Hooks) -> Result<Arc<Desk>, MetricsError> {
        let access = access(&self.settings);
        let counts = counting::taken_in(self.observers.metrics())?;
        Ok(Arc::new(Desk::new(Arc::clone(book), hooks.clone(), access, counts)))
    }

    fn hub_queue(&self, hub: &Hub) -> Queue {
        let (room, shards) = (hub.depths().room, hub.clone());
        Queue::new("hub", room, move || shards.depths().commands)
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

    /// What clients and back ends are answered.
    fn routes(&self, inside: Inside, desk: &Arc<Desk>, room: &Room) -> BoxedFilter<(Response,)> {
        let names: Arc<[_]> = self.settings.proxies.headers.as_slice().into();
        let tasks = self.ground.groups.listeners.clone();
        let socket = socket::routes(inside.door.clone(), tasks.clone(), Arc::clone(&names));
        let events = event_stream(inside.door.clone(), &tasks, Arc::clone(&names));
        let socketio = socket_io(inside, tasks, names);
        let clients = socket.or(events).unify().or(socketio).unify();
        room.before(rest::routes(Arc::clone(desk)).or(clients).unify().boxed())
    }
}

/// Who may use the REST side.
fn access(settings: &WebhookSettings) -> Access {
    settings.token.as_ref().map_or(Access::Open, Access::token)
}

/// What the settings mean for sessions. There is nothing to debounce: each message is told at once.
fn terms(settings: &WebhookSettings) -> Terms {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Terms {
        pace: Pace { max: 0, enabled: false },
        limits: Limits {
            per_recipient: PER_PAIR,
            subscriptions: SUBSCRIPTIONS,
            max_connection: settings.max_connection.map(millis),
        },
    }
}

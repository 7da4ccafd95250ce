//! Puts the parts of one server together: listeners, hub, history, peers.

mod adopt;
mod look_over;
mod probe;

use super::{
    admin::{self, Admin},
    config::{CLIENT_PORT, FLAGS, PhorgeSettings, SETTINGS},
    desk::{self, Clerk, Desk, desk},
    dialect::{AphlictDialect, Most},
    doorstep::{self, Doorstep},
    fingerprint::Fingerprint,
    history::Shelves,
    instance::Instance,
    launch,
    peers::{self, Cluster, Peers},
    tally::Arrivals,
};
use crate::{
    config::{ConfigError, HostRequest, Kind, Report},
    doctor::{Round, Visit},
    health::{Dependency, Health, Queue},
    push::{
        HubMetrics, Room,
        hub::{Dealing, Hub, HubSettings},
    },
    services::{
        ActError, Audience, Boxed, Doorway, Ground, Invocation, Prepared, Running, StartError,
        clients, gauges, until_stopped,
    },
    telemetry::metrics::{Counter, Metrics, MetricsError},
};
use adopt::{Adopting, terms};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use probe::WayBack;
use std::{io, sync::Arc};
use tokio::time::Instant;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// Phorge's notification server, as the registry knows it.
pub const KIND: Kind<'static, Boxed> = Kind {
    name: "phorge",
    about: "Serve Phorge's browsers in place of Aphlict, from Aphlict's own configuration file",
    file: Some("Aphlict's configuration, such as aphlict.custom.json"),
    port: CLIENT_PORT,
    settings: SETTINGS,
    flags: FLAGS,
    actions: launch::ACTIONS,
    action: "start, stop, restart or status of one in the background; debug, or nothing: serve in the \
             foreground",
    read: &|request, report| Ok(Box::new(AphlictServer::read(request, report)?)),
};

/// One server, ready to start.
#[derive(Debug)]
pub struct AphlictServer {
    /// What it is told.
    pub settings: PhorgeSettings,
}

impl AphlictServer {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(request: &HostRequest<'_>, report: &mut Report) -> Result<Self, ConfigError> {
        Ok(Self { settings: PhorgeSettings::read(request, report)? })
    }
}

impl Prepared for AphlictServer {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.trusted
    }

    fn listens_to(&self) -> Vec<String> {
        Vec::new()
    }

    fn is_apart(&self) -> bool {
        !self.settings.clients.is_empty()
    }

    fn look_over<'a, 'r: 'a>(
        &'a self,
        visit: Visit,
        round: &'a mut Round<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(look_over::look_over(&self.settings, visit, round))
    }

    fn act(&self, action: &str, invocation: &Invocation) -> Result<String, ActError> {
        launch::act(&self.settings, action, invocation)
    }

    fn start(self: Box<Self>, ground: Ground) -> Result<Running, StartError> {
        let metrics = Metrics::new(ground.name.as_ref().map(|name| name.as_str()))?;
        let numbers = Numbers::register(&metrics)?;
        Parts { settings: self.settings, metrics, numbers, ground }.start()
    }
}

/// What is counted besides what each part counts.
struct Numbers {
    hub: Arc<HubMetrics>,
    received: Counter,
    relayed: Counter,
    lost: Counter,
}

impl Numbers {
    fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        const RECEIVED: &str = "Messages published or passed on to us, duplicates included.";
        const RELAYED: &str = "Messages that a peer took.";
        const LOST: &str = "Messages that a peer did not get.";
        Ok(Self {
            hub: Arc::new(HubMetrics::register(metrics, &[])?),
            received: metrics.counter("messages_published_total", RECEIVED)?,
            relayed: metrics.counter("messages_relayed_total", RELAYED)?,
            lost: metrics.counter("messages_relay_lost_total", LOST)?,
        })
    }
}

/// What the parts are made from.
struct Parts {
    settings: PhorgeSettings,
    metrics: Metrics,
    numbers: Numbers,
    ground: Ground,
}

impl Parts {
    fn start(mut self) -> Result<Running, StartError> {
        let history = Shelves::default();
        let most = Most::new(self.settings.max_subscriptions);
        let hub = self.hub(&history, &most)?;
        let fingerprint = Fingerprint::draw(&mut self.ground.rng);
        let peers = self.peers(&fingerprint)?;
        let (desk, inbox) = desk();
        let dependencies: Vec<_> = needs(&peers).collect();
        let queues = queues(&desk, &hub, &peers);
        let health = Health::new(dependencies.clone(), Arc::clone(&self.ground.clock));
        gauges::register(&self.metrics, &health, &hub, &queues)?;
        let probed = Arc::default();
        let clerk = Clerk {
            hub: hub.clone(),
            history: history.clone(),
            peers,
            fingerprint: fingerprint.clone(),
            probed: Arc::clone(&probed),
        };
        until_stopped(&self.ground.groups.sources, "publishing", clerk.run(inbox));
        let probed_as = Instance::unguessable(&mut self.ground.rng);
        let room = self.room(&hub, &probed_as);
        let arrivals = Arc::new(Arrivals::default());
        let doorstep = Doorstep {
            hub: hub.clone(),
            room: room.clone(),
            arrivals: Arc::clone(&arrivals),
            tasks: self.ground.groups.listeners.clone(),
        };
        let clients = doorstep::routes(doorstep);
        let probe = WayBack::new(desk.clone(), room.clone(), probed_as, self.ground.rng.fork());
        let admin = Admin {
            desk,
            fingerprint,
            history,
            hub: hub.clone(),
            arrivals,
            received: self.numbers.received.clone(),
            sent: Arc::clone(&self.numbers.hub),
            probed,
            since: Instant::now(),
        };
        let doorways = self.doorways(&clients, &admin::routes(admin));
        let apart = !self.settings.clients.is_empty();
        Ok(Running {
            routes: if apart { nothing() } else { clients },
            doorways,
            probe_at: apart.then_some(0),
            dependencies,
            metrics: self.metrics,
            snapshot: None,
            revoke: clients::revoke(&hub, |whom| whom.into()),
            probe: Arc::new(probe),
            adopts: Box::new(Adopting::new(self.settings, hub, room, most)),
        })
    }

    fn hub(&mut self, history: &Shelves, most: &Most) -> Result<Hub, StartError> {
        let settings = HubSettings {
            dialect: Arc::new(AphlictDialect::new(history.clone(), most.clone(), Instant::now)),
            terms: terms(&self.settings),
            push_rate: 0,
            shards: self.ground.shards(),
            dealing: Dealing::Evenly,
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.numbers.hub) as _,
        };
        self.ground.start_hub(settings)
    }

    /// Room for the hub's clients, and always for those of the probe's instance.
    fn room(&self, hub: &Hub, probe: &Instance) -> Room {
        clients::room(hub, self.settings.max_connections, probe.home().clone(), &self.numbers.hub)
    }

    fn peers(&mut self, own: &Fingerprint) -> Result<Peers, StartError> {
        let urls = self.settings.peers.clone();
        let dial = peers::http(&urls, self.settings.peers_ca.as_deref())
            .map_err(|error| StartError::System("connections to peers", io::Error::other(error)))?;
        let cluster = Cluster {
            urls,
            dial,
            own: own.clone(),
            relayed: self.numbers.relayed.clone(),
            lost: self.numbers.lost.clone(),
        };
        Ok(Peers::start(cluster, &self.ground.groups.sources, &mut self.ground.rng))
    }

    /// Those for clients first: the probe begins at the first.
    fn doorways(
        &self,
        clients: &BoxedFilter<(Response,)>,
        admins: &BoxedFilter<(Response,)>,
    ) -> Vec<Doorway> {
        let client = self.settings.clients.iter().map(|listen| Doorway {
            name: "client server",
            listen: listen.clone(),
            routes: clients.clone(),
            audience: Audience::Clients,
        });
        let admin = self.settings.admins.iter().map(|listen| Doorway {
            name: "admin server",
            listen: listen.clone(),
            routes: admins.clone(),
            audience: Audience::Operators,
        });
        client.chain(admin).collect()
    }
}

/// Browsers here are told without peers; only those of others aren't.
fn needs(peers: &Peers) -> impl Iterator<Item = Dependency> {
    peers.conditions().map(|(peer, condition)| Dependency {
        name: format!("peer {peer}").into(),
        host: None,
        needed: false,
        condition,
    })
}

fn queues(desk: &Desk, hub: &Hub, peers: &Peers) -> Vec<Queue> {
    let (desk, shards, slowest) = (desk.clone(), hub.clone(), peers.clone());
    vec![
        Queue::new("publishing", desk::QUEUE, move || desk.waiting()),
        Queue::new("hub", hub.depths().room, move || shards.depths().commands),
        Queue::new("peers", peers::QUEUE, move || slowest.waiting()),
    ]
}

/// For the shared listener of a host that has its own.
fn nothing() -> BoxedFilter<(Response,)> {
    warp::any().and_then(async || Err::<Response, _>(warp::reject::not_found())).boxed()
}

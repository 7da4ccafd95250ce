//! Puts the parts of one Nextcloud together: database, log-ins, hub, look-up, pipeline, Redis.

use super::{
    StartError,
    daemon::{Feed, Groups},
    gauges,
    probe::Probe,
};
use crate::{
    auth::{
        Authenticator, Chain, Fingerprints, Guard, Observation, Said,
        hashing::{self, Hashing},
        origin::{Origins, Welcome},
        throttle::Throttle,
        ticket::{TicketAuthenticator, Tickets},
    },
    config::{AuthStep, Settings},
    front::{self, Ending, Local, Login, Routes, admin::Admin, routes, upgrade},
    hosts::nextcloud::{
        accounts::{Accounts, Clock, Fingerprint, LoginRules, Revocation, Voice},
        channels::{CHANNELS, FILE},
        dialect::NextcloudDialect,
        directory::Directory,
        endpoints::{self, KeyStore, MountCount, SelfTest},
        host::{Cookie, Nextcloud},
        recheck::{Reauthentication, Recheck},
        remote::{self, Remote, RemoteSettings},
    },
    hub::{Hub, HubSettings, Limits},
    lifecycle::Tasks,
    pipeline::Pipeline,
    recipients,
    session::{Close, Pace},
    source::{
        self, Delivery,
        memory::Memory,
        redis::{Keys, Pace as RedisPace, Subscription},
    },
    status::{Condition, Dependency, Health, Queue},
    store::{self, Database, StoreError},
    telemetry::{
        log::LogControl,
        metrics::{AuthMetrics, CheckVerdict, LoginOutcome, Observers, Query, StoreMetrics},
    },
};
use http::HeaderName;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// Sessions of one user (`specs/nextcloud.md` section 3).
const PER_USER: usize = 64;
/// How long a client may take to log in (section 3).
const LOGIN: Duration = Duration::from_secs(15);
/// Messages that may wait between Redis and the pipeline.
const QUEUE: usize = 4096;
/// Shards of the hub at most; each is one task.
const MAX_SHARDS: usize = 8;

/// What is needed to begin.
pub(super) struct NextcloudParts<'a> {
    pub settings: &'a Settings,
    pub observers: Observers,
    pub log: LogControl,
    pub clock: Clock,
    pub rng: fastrand::Rng,
    pub cores: usize,
}

/// The parts that listeners reach.
pub(super) struct Running {
    login: Login,
    tickets: Tickets,
    queue: mpsc::Sender<Delivery>,
    self_test: BoxedFilter<(Response,)>,
    hub: Hub,
    observers: Observers,
    log: LogControl,
    health: Health,
}

/// The database side.
struct Stored {
    database: Arc<Database>,
    directory: Arc<Directory>,
    accounts: Accounts,
    hashing: Hashing,
    revocation: Revocation,
}

impl NextcloudParts<'_> {
    /// Starts everything but the listeners.
    pub(super) fn start(mut self, groups: &Groups, feed: Feed) -> Result<Running, StartError> {
        let dialect = Arc::new(NextcloudDialect::default());
        let hub = self.hub(&dialect, &groups.sessions)?;
        let origins = self.origins();
        let guard = self.guard(&origins)?;
        let welcome = guard.as_ref().map_or_else(everybody, Guard::welcome);
        let remote = self.remote(&groups.sessions, &origins, &welcome)?;
        let stored = self.stored(&origins, &welcome)?;
        let tickets = Tickets::default();
        let keys = self.keys(&feed);
        let resolver = stored.as_ref().map(|stored| {
            let directory = Arc::clone(&stored.directory);
            recipients::start(hub.clone(), directory, FILE, &groups.sources, self.rng.fork())
        });
        let cookie = Cookie::default();
        let self_test = endpoints::routes(SelfTest {
            keys: keys.clone().map(|keys| keys as Arc<dyn KeyStore>),
            mounts: stored
                .as_ref()
                .map(|stored| Arc::clone(&stored.directory) as Arc<dyn MountCount>),
            nextcloud: remote.as_ref().map(remote::Probe::new),
            cookie: cookie.clone(),
            version: self.settings.nextcloud.compat_version.clone(),
        });
        let host = Arc::new(Nextcloud {
            tickets: tickets.clone(),
            cookie,
            log: self.log.clone(),
            keys,
            observers: self.observers.clone(),
            tasks: groups.sources.clone(),
            reporting: Arc::default(),
        });
        let observer = Arc::clone(&self.observers.source);
        let mut queues = queues(resolver.as_ref(), stored.as_ref(), remote.as_ref());
        let (inlet, queue) = mpsc::channel(QUEUE);
        let mut dependencies = vec![self.feed(feed, inlet.clone(), &groups.sources)];
        dependencies.extend(stored.as_ref().map(|stored| stored.dependency()));
        dependencies.extend(remote.as_ref().map(nextcloud_itself));
        let health = Health::new(dependencies, Arc::clone(&self.clock));
        let (events, shards) = (inlet.clone(), hub.clone());
        queues.push(Queue::new("events", QUEUE, move || events.max_capacity() - events.capacity()));
        let room = hub.depths().room;
        queues.push(Queue::new("hub", room, move || shards.depths().commands));
        gauges::register(self.observers.metrics(), &health, &hub, &queues)?;
        let pipeline = Pipeline { host, hub: hub.clone(), resolver, observer };
        let stopping = groups.sources.stopping().clone();
        groups.sources.core("pipeline", pipeline.run(queue, stopping));
        let chain = self.watch_and_chain(stored, remote, tickets.clone(), &hub, groups);
        let chain = Arc::new(match guard {
            Some(guard) => chain.behind(guard),
            None => chain,
        });
        let observe = counting_logins(&self.observers.auth);
        let login = Login { chain, hub: hub.clone(), dialect, patience: LOGIN, observe };
        let (observers, log) = (self.observers, self.log);
        Ok(Running { login, tickets, queue: inlet, self_test, hub, observers, log, health })
    }

    fn hub(&mut self, dialect: &Arc<NextcloudDialect>, tasks: &Tasks) -> Result<Hub, StartError> {
        let delivery = &self.settings.delivery;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let settings = HubSettings {
            dialect: Arc::clone(dialect) as _,
            pace: Pace { max: millis(delivery.max_debounce), enabled: !delivery.debounce_disabled },
            push_rate: delivery.push_rate,
            limits: Limits {
                per_recipient: PER_USER,
                max_connection: delivery.max_connection.map(millis),
            },
            shards: u16::try_from(self.cores.clamp(1, MAX_SHARDS)).unwrap_or(1),
            grace: self.settings.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        Hub::start(settings, tasks, &mut self.rng)
            .map_err(|error| StartError::System("an event queue", error))
    }

    fn origins(&self) -> Origins {
        let throttle = &self.settings.auth.throttle;
        Origins::new(self.settings.proxies.trusted.clone())
            .with_prefixes(throttle.ipv4_prefix, throttle.ipv6_prefix)
    }

    fn guard(&self, origins: &Origins) -> Result<Option<Guard>, StartError> {
        let settings = &self.settings.auth.throttle;
        if !settings.enabled {
            return Ok(None);
        }
        let most = usize::try_from(settings.max_attempts).unwrap_or(usize::MAX);
        let throttle = Throttle::new(most, Instant::now());
        Ok(Some(Guard::new(throttle, origins.clone(), Fingerprints::new(random_key()?))))
    }

    fn remote(
        &self,
        tasks: &Tasks,
        origins: &Origins,
        welcome: &Welcome,
    ) -> Result<Option<Remote>, StartError> {
        let nextcloud = &self.settings.nextcloud;
        let Some(url) = nextcloud.url.clone() else { return Ok(None) };
        let settings = RemoteSettings {
            user_agent: nextcloud.user_agent.clone(),
            allow_self_signed: nextcloud.allow_self_signed,
            ca: nextcloud.ca.clone(),
            ..RemoteSettings::new(url)
        };
        let fingerprints = Fingerprints::new(random_key()?);
        let welcome = Arc::clone(welcome);
        Ok(Some(Remote::new(settings, tasks.clone(), origins.clone(), fingerprints, welcome)))
    }

    fn stored(
        &mut self,
        origins: &Origins,
        welcome: &Welcome,
    ) -> Result<Option<Stored>, StartError> {
        let Some(settings) = &self.settings.database else { return Ok(None) };
        let database = Database::new(settings, self.rng.fork())?;
        let database = Arc::new(database.observed(counting_queries(&self.observers.store)));
        let queries = Arc::clone(&self.observers.store);
        let directory =
            Directory::new(Arc::clone(&database), move |ok, took| queries.queried(ok, took));
        let auth = &self.settings.auth;
        let followed = auth.steps.last() == Some(&AuthStep::Nextcloud)
            && self.settings.nextcloud.url.is_some();
        let rules = LoginRules {
            secret: auth.secret.clone().unwrap_or_default(),
            token_auth_enforced: auth.token_auth_enforced,
            two_factor_enforced: auth.two_factor.enforced,
            voice: if followed { Voice::Followed } else { Voice::Alone },
        };
        let hashing =
            Hashing::new(self.cores.saturating_sub(1), origins.clone(), Arc::clone(welcome));
        let fingerprint = Fingerprint::default();
        let clock = Arc::clone(&self.clock);
        Ok(Some(Stored {
            directory: Arc::new(directory),
            accounts: Accounts::new(
                Arc::clone(&database),
                rules,
                hashing.clone(),
                fingerprint.clone(),
                Arc::clone(&clock),
            ),
            hashing,
            revocation: Revocation::new(Arc::clone(&database), fingerprint, clock),
            database,
        }))
    }

    /// What is read and written in Redis besides; nothing where Redis has no part.
    fn keys(&mut self, feed: &Feed) -> Option<Arc<Keys>> {
        match feed {
            Feed::Redis => {
                let redis = self.settings.redis.clone();
                Some(Arc::new(Keys::new(redis, RedisPace::default(), self.rng.fork())))
            }
            Feed::Memory(_) => None,
        }
    }

    /// Lets messages into the pipeline's queue.
    fn feed(&mut self, feed: Feed, inlet: mpsc::Sender<Delivery>, tasks: &Tasks) -> Dependency {
        let metrics = Arc::clone(&self.observers.source);
        if let Feed::Memory(mut queue) = feed {
            metrics.up.set(true);
            let since = Instant::now();
            until_stopped(tasks, "memory", async move {
                while let Some(delivery) = queue.recv().await {
                    if inlet.send(delivery).await.is_err() {
                        return;
                    }
                }
                std::future::pending().await
            });
            return needed("memory", move || Condition::Up { since });
        }
        let (state, watched) = watch::channel(source::State::Starting);
        let known = watched.clone();
        until_stopped(tasks, "source metrics", async move { metrics.follow(watched).await });
        let subscription = Subscription {
            settings: self.settings.redis.clone(),
            channels: CHANNELS,
            pace: RedisPace::default(),
            rng: self.rng.fork(),
        };
        tasks.core("redis", subscription.run(inlet, state, tasks.stopping().clone()));
        needed("redis", move || Condition::from(&*known.borrow()))
    }

    /// Who decides log-ins, and who looks at the sessions again.
    fn watch_and_chain(
        &mut self,
        stored: Option<Stored>,
        remote: Option<Remote>,
        tickets: Tickets,
        hub: &Hub,
        groups: &Groups,
    ) -> Chain {
        let mut links: Vec<Box<dyn Authenticator>> = vec![Box::new(TicketAuthenticator(tickets))];
        let sources = &groups.sources;
        let mut accounts = stored.map(|stored| {
            let Stored { database, accounts, revocation, .. } = stored;
            until_stopped(sources, "database", async move { database.tend().await });
            let round = self.settings.auth.recheck_round;
            let recheck = Recheck { hub: hub.clone(), revocation, round };
            until_stopped(sources, "recheck", recheck.run());
            Box::new(accounts) as Box<dyn Authenticator>
        });
        let remote = remote.filter(|_| self.settings.auth.steps.contains(&AuthStep::Nextcloud));
        if let Some(remote) = &remote {
            let host = Arc::new(remote.clone());
            let interval = self.settings.auth.reauth_interval;
            let again = Reauthentication { hub: hub.clone(), host, interval, rng: self.rng.fork() };
            until_stopped(sources, "reauthentication", again.run());
        }
        let mut remote = remote.map(|remote| Box::new(remote) as Box<dyn Authenticator>);
        for step in &self.settings.auth.steps {
            links.extend(match step {
                AuthStep::Database => accounts.take(),
                AuthStep::Nextcloud => remote.take(),
            });
        }
        Chain::new(links, counting(&self.observers.auth))
    }
}

impl Stored {
    /// Without it nobody knows whom a change concerns, nor who may come in.
    fn dependency(&self) -> Dependency {
        let health = self.database.health();
        needed("database", move || Condition::from(&*health.borrow()))
    }
}

/// What waits for a look-up, for a password's hash, for Nextcloud.
fn queues(
    resolver: Option<&recipients::Resolver>,
    stored: Option<&Stored>,
    remote: Option<&Remote>,
) -> Vec<Queue> {
    let resolver = resolver
        .cloned()
        .map(|resolver| Queue::new("recipients", recipients::INBOX, move || resolver.waiting()));
    let passwords = stored
        .map(|stored| stored.hashing.clone())
        .map(|hashing| Queue::new("passwords", hashing::MAX_WAITING, move || hashing.waiting()));
    let remote = remote
        .cloned()
        .map(|remote| Queue::new("nextcloud", remote::MAX_WAITING, move || remote.waiting()));
    resolver.into_iter().chain(passwords).chain(remote).collect()
}

/// Clients go on being told without it, and most log in without it.
fn nextcloud_itself(remote: &Remote) -> Dependency {
    let remote = remote.clone();
    let condition = Arc::new(move || remote.condition());
    Dependency { name: "nextcloud", host: None, needed: false, condition }
}

fn needed(
    name: &'static str,
    condition: impl Fn() -> Condition + Send + Sync + 'static,
) -> Dependency {
    Dependency { name, host: None, needed: true, condition: Arc::new(condition) }
}

impl Running {
    /// What clients are answered.
    pub(super) fn routes(&self, tasks: &Tasks, forwarded: Arc<[HeaderName]>) -> Routes {
        let login = self.login.clone();
        let socket = upgrade(tasks.clone(), forwarded, move |client| login.clone().run(client));
        let ws = warp::path("ws").and(warp::path::end()).and(socket);
        let open = ws.or(front::health(self.health.clone())).unify().boxed();
        let prefixed = warp::path("push").and(open.clone());
        routes(open.or(prefixed).unify().or(self.self_test.clone()).unify())
    }

    /// What every part counts.
    pub(super) fn observers(&self) -> &Observers {
        &self.observers
    }

    /// Goes a client's way through the daemon at `local`.
    pub(super) fn probe(&self, local: Local, tls: bool, rng: fastrand::Rng) -> Probe {
        Probe::new(local, tls, self.tickets.clone(), Memory::new(self.queue.clone()), rng)
    }

    /// What whoever watches or controls is answered.
    pub(super) fn admin(&self) -> Admin {
        let (observers, hub) = (self.observers.clone(), self.hub.clone());
        Admin {
            page: Arc::new(move || observers.page()),
            log: self.log.clone(),
            health: self.health.clone(),
            revoke: Arc::new(move |user| {
                let (hub, user) = (hub.clone(), user.into());
                Box::pin(
                    async move { hub.disconnect(Some(user), Close::Revoked).await.unwrap_or(0) },
                )
            }),
        }
    }
}

/// A core task that has no end of its own.
fn until_stopped(
    tasks: &Tasks,
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let stop = tasks.stopping().clone();
    tasks.core(name, async move {
        stop.run_until_cancelled(work).await;
    });
}

fn everybody() -> Welcome {
    Arc::new(|_| true)
}

fn counting(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(Observation) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |Observation { method, said, took }| {
        let verdict = match said {
            Said::Accept => CheckVerdict::Accept,
            Said::Reject => CheckVerdict::Reject,
            Said::Abstain => CheckVerdict::Abstain,
            Said::Unavailable => CheckVerdict::Unavailable,
        };
        metrics.checked(method, verdict, took);
    })
}

fn counting_queries(metrics: &Arc<StoreMetrics>) -> store::Observe {
    let metrics = Arc::clone(metrics);
    Box::new(move |outcome, took| {
        let how = match outcome {
            Ok(()) => Query::Answered,
            Err(StoreError::Unavailable(_)) => Query::Unavailable,
            Err(_) => Query::Refused,
        };
        metrics.ended(how, took);
    })
}

fn counting_logins(metrics: &Arc<AuthMetrics>) -> Arc<dyn Fn(Ending) + Send + Sync> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |ending| {
        metrics.outcomes.inc(match ending {
            Ending::Accepted => LoginOutcome::Accepted,
            Ending::Refused => LoginOutcome::Rejected,
            Ending::TryLater => LoginOutcome::Unavailable,
            Ending::Throttled => LoginOutcome::Throttled,
            Ending::TimedOut => LoginOutcome::TimedOut,
            Ending::Abandoned => LoginOutcome::Abandoned,
        });
    })
}

fn random_key() -> Result<[u8; 32], StartError> {
    let mut key = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut key).map_err(|_| {
        StartError::System("random numbers", std::io::Error::other("no random numbers"))
    })?;
    Ok(key)
}

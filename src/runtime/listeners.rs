//! Binds early, so that a mistake ends the start, and serves late, when everything behind is there.

use super::{StartError, certificates::Certificates, daemon::Placed, probe::Entrance, routes::all};
use crate::{
    health::Health,
    lifecycle::{Activation, Tasks},
    runtime::{
        Page, Settings, admin,
        admin::{Admin, Status},
        status::{Play, Sampler},
    },
    server::{
        Front, Limits, ListenError, ListenSettings, Listener, Local, RELOAD_INTERVAL, Routes,
        Strangers, Tls, TlsFiles, Unobserved, client_address::Origins, routes,
    },
    services::{Audience, Doorway, Groups, until_stopped},
    telemetry::log::LogControl,
};
use std::{net::IpAddr, os::fd::OwnedFd, slice, sync::Arc};

/// Everything that is bound.
pub(super) struct Listeners {
    /// Empty only where every host has its own.
    clients: Vec<Bound>,
    metrics: Vec<Bound>,
    control: Vec<Bound>,
    own: Vec<Own>,
}

/// A host's own listener.
struct Own {
    name: &'static str,
    bound: Bound,
    routes: Routes,
    audience: Audience,
    proxy_protocol: bool,
    tasks: Tasks,
}

struct Bound {
    listener: Listener,
    tls: Option<Arc<Tls>>,
}

/// What listeners answer with.
pub(super) struct Served<'a> {
    /// Who answers clients.
    pub(super) hosts: &'a [Placed],
    /// Behind whom many clients share an address.
    pub(super) origins: Origins,
    /// What whoever watches sees.
    pub(super) page: Page,
    /// Whether the daemon can do its job.
    pub(super) health: Health,
    /// What whoever controls may change.
    pub(super) log: LogControl,
    /// In a demo, what visitors of the status page can do.
    pub(super) play: Option<Play>,
}

impl Listeners {
    /// Binds them all, but where the service manager has bound some already; nobody is accepted
    /// yet. Those of hosts come later ([`Listeners::open`]); `shared` says whether any host needs others.
    pub(super) async fn bind(
        settings: &Settings,
        passed: Activation,
        shared: bool,
    ) -> Result<Self, StartError> {
        let Activation { clients, metrics, control } = passed;
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
        hosts: &mut [Placed],
        tasks: &Groups,
    ) -> Result<(), StartError> {
        for host in hosts {
            let tasks = tasks.of(host.name.as_ref()).listeners;
            let doorways = std::mem::take(&mut host.running.doorways);
            for (number, Doorway { name, listen, routes: answers, audience }) in (0..).zip(doorways)
            {
                let bound = serving(Listener::bind(&listen.bind)?, listen.tls.as_ref()).await?;
                let local = bound.listener.local()?;
                if host.running.probe_at == Some(number) {
                    host.entrance = Some(Entrance { local, opening: listen.opening() });
                }
                let (tasks, proxy_protocol) = (tasks.clone(), listen.proxy_protocol);
                self.own.push(Own {
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
    pub(super) fn local(&self) -> Result<Local, ListenError> {
        let own = self.own.iter().filter(|own| own.audience == Audience::Clients);
        let mut all = self.clients.iter().chain(own.map(|own| &own.bound));
        all.next().map_or(Err(ListenError::None), |bound| bound.listener.local())
    }

    /// Where the hosts' own listeners are, in their order.
    pub(super) fn own(&self) -> Result<Vec<Local>, ListenError> {
        self.own.iter().map(|own| own.bound.listener.local()).collect()
    }

    /// Where a client of the shared listener begins, if there is one.
    pub(super) fn entrance(&self, settings: &Settings) -> Result<Option<Entrance>, ListenError> {
        let Some(bound) = self.clients.first() else { return Ok(None) };
        let local = bound.listener.local()?;
        Ok(Some(Entrance { local, opening: settings.listen.opening() }))
    }

    /// Where the daemon is watched, if anywhere: what is for control alone first.
    pub(super) fn watched(&self) -> Result<Option<Local>, ListenError> {
        let mut bound = self.control.iter().chain(&self.metrics);
        bound.next().map(|bound| bound.listener.local()).transpose()
    }

    /// Serves them until the group stops.
    pub(super) fn serve(
        self,
        served: Served<'_>,
        settings: &Settings,
        tasks: &Tasks,
    ) -> (Certificates, [Strangers; 2]) {
        let origins = served.origins.clone();
        let trusted = move |address| origins.trusts(address);
        let observer = Arc::clone(&served.page.front);
        let strangers =
            Strangers::new(settings.strangers.clone(), trusted.clone(), observer.clone());
        let mut certificates = Certificates::default();
        let client_routes = all(served.hosts, &served.health);
        // Whoever watches must get through while strangers crowd the door.
        let unseen = Arc::new(Unobserved);
        let watchers = Strangers::new(settings.strangers.clone(), trusted.clone(), unseen);
        let front = |routes: Routes, strangers: &Strangers| Front {
            routes,
            strangers: strangers.clone(),
            limits: Limits::default(),
            tasks: tasks.clone(),
            observer: observer.clone(),
        };
        for bound in self.clients {
            let bound = bound.introduced(settings.listen.proxy_protocol, &trusted);
            let tls = start("clients", bound, front(client_routes.clone(), &strangers), tasks);
            certificates.shared.extend(tls);
        }
        for Own { name, bound, routes, audience, proxy_protocol, tasks } in self.own {
            let bound = bound.introduced(proxy_protocol, &trusted);
            let strangers = match audience {
                Audience::Clients => &strangers,
                Audience::Operators => &watchers,
            };
            let front = Front { tasks: tasks.clone(), ..front(routes, strangers) };
            let tls = start(name, bound, front, &tasks);
            certificates.own.extend(tls);
        }
        let watched: Vec<Bound> = self.metrics.into_iter().chain(self.control).collect();
        if watched.is_empty() {
            return (certificates, [strangers, watchers]);
        }
        let play = served.play.clone();
        let admin = served.admin();
        let status = status(&admin, play, tasks);
        let admin_routes = routes(admin::admin(admin, status));
        for bound in watched {
            certificates.shared.extend(start(
                "control",
                bound,
                front(admin_routes.clone(), &watchers),
                tasks,
            ));
        }
        (certificates, [strangers, watchers])
    }
}

impl Served<'_> {
    /// What whoever watches or controls is answered.
    fn admin(self) -> Admin {
        let page = self.page;
        let revoke = |host: &Placed| {
            let name = host.name.as_ref().map(ToString::to_string);
            (name, Arc::clone(&host.running.revoke))
        };
        Admin {
            page: Arc::new(move || page.text()),
            log: self.log,
            health: self.health,
            hosts: self.hosts.iter().map(revoke).collect(),
        }
    }
}

/// What the status page shows; its history is kept from now on.
fn status(admin: &Admin, play: Option<Play>, tasks: &Tasks) -> Status {
    let (page, log) = (Arc::clone(&admin.page), admin.log.clone());
    let sampler = Sampler::new(admin.health.clone(), move || page().ok(), move || log.current());
    let (sampler, stopping) = (Arc::new(sampler), tasks.stopping().clone());
    let keeping = Arc::clone(&sampler);
    until_stopped(tasks, "history", async move { keeping.keep_history().await });
    Status { sampler, log: admin.log.clone(), play, stopping }
}

impl Bound {
    /// The same, where clients are introduced by proxies if that is `wanted`.
    fn introduced(
        mut self,
        wanted: bool,
        trusted: &(impl Fn(IpAddr) -> bool + Clone + Send + Sync + 'static),
    ) -> Self {
        if wanted {
            let may = trusted.clone();
            self.listener = self.listener.introduced_by(move |ip| ip.is_none_or(&may));
        }
        self
    }
}

/// Serves a listener, and watches its certificate if it has one.
fn start(name: &str, bound: Bound, front: Front, tasks: &Tasks) -> Option<Arc<Tls>> {
    if let Ok(local) = bound.listener.local() {
        tracing::info!("{name}: listening on {local}");
    }
    if let Some(watched) = bound.tls.clone() {
        until_stopped(tasks, "certificates", async move {
            watched.watch(RELOAD_INTERVAL).await;
        });
    }
    let tls = bound.tls.clone();
    tasks.core("listener", front.serve(bound.listener, bound.tls));
    tls
}

/// What the service manager passed takes the place of what is set.
async fn bind_all(set: &[ListenSettings], passed: Vec<OwnedFd>) -> Result<Vec<Bound>, StartError> {
    let mut bound = Vec::new();
    if passed.is_empty() {
        for listen in set {
            bound.push(serving(Listener::bind(&listen.bind)?, listen.tls.as_ref()).await?);
        }
        return Ok(bound);
    }
    let tls = set.first().and_then(|listen| listen.tls.as_ref());
    for socket in passed {
        let listener = Listener::inherited(socket)?;
        tracing::info!("the service manager listens for us on {}", listener.local()?);
        bound.push(serving(listener, tls).await?);
    }
    Ok(bound)
}

async fn serving(listener: Listener, tls: Option<&TlsFiles>) -> Result<Bound, StartError> {
    let tls = match tls {
        Some(files) => Some(Arc::new(Tls::load(files.clone()).await?)),
        None => None,
    };
    Ok(Bound { listener, tls })
}

//! Binds early, so that a mistake ends the start, and serves late, when everything behind is there.

use super::{StartError, daemon::Placed, routes::all};
use crate::{
    auth::origin::Origins,
    config::Settings,
    front::{
        Front, Limits, ListenError, ListenSettings, Listener, Local, RELOAD_INTERVAL, Routes,
        Strangers, Tls, TlsFiles, Unobserved,
        admin::{self, Admin, Status},
        routes,
    },
    hosts::until_stopped,
    lifecycle::{Activation, Tasks},
    status::{Health, Play, Sampler},
    telemetry::{log::LogControl, metrics::Page},
};
use std::{os::fd::OwnedFd, slice, sync::Arc};

/// Everything that is bound.
pub(super) struct Listeners {
    /// Never empty.
    clients: Vec<Bound>,
    metrics: Vec<Bound>,
    control: Vec<Bound>,
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

/// The certificates in use.
#[derive(Default)]
pub(super) struct Certificates(Vec<Arc<Tls>>);

impl Certificates {
    /// Reads all of them again, from these files; a broken one stays as it was.
    pub(super) async fn reload(&self, files: Option<&TlsFiles>) {
        let Some(files) = files else { return };
        for tls in &self.0 {
            if let Err(error) = tls.replace(files.clone()).await {
                tracing::error!("certificate not read again: {error}");
            }
        }
    }
}

impl Listeners {
    /// Binds them all, but where the service manager has bound some already; nobody is accepted
    /// yet.
    pub(super) async fn bind(settings: &Settings, passed: Activation) -> Result<Self, StartError> {
        let Activation { clients, metrics, control } = passed;
        Ok(Self {
            metrics: bind_all(&settings.metrics, metrics).await?,
            control: bind_all(&settings.admin, control).await?,
            clients: bind_all(slice::from_ref(&settings.listen), clients).await?,
        })
    }

    /// Where clients connect.
    pub(super) fn local(&self) -> Result<Local, ListenError> {
        self.clients.first().map_or(Err(ListenError::None), |bound| bound.listener.local())
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
        let front = |routes: Routes, strangers: &Strangers| Front {
            routes,
            strangers: strangers.clone(),
            limits: Limits::default(),
            tasks: tasks.clone(),
            observer: observer.clone(),
        };
        for mut bound in self.clients {
            if settings.listen.proxy_protocol {
                let may = trusted.clone();
                bound.listener = bound.listener.introduced_by(move |ip| ip.is_none_or(&may));
            }
            certificates.start(bound, front(client_routes.clone(), &strangers), tasks);
        }
        // Whoever watches must get through while strangers crowd the door.
        let watchers = Strangers::new(settings.strangers.clone(), trusted, Arc::new(Unobserved));
        let watched: Vec<Bound> = self.metrics.into_iter().chain(self.control).collect();
        if watched.is_empty() {
            return (certificates, [strangers, watchers]);
        }
        let play = served.play.clone();
        let admin = served.admin();
        let status = status(&admin, play, tasks);
        let admin_routes = routes(admin::admin(admin, status));
        for bound in watched {
            certificates.start(bound, front(admin_routes.clone(), &watchers), tasks);
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

impl Certificates {
    fn start(&mut self, bound: Bound, front: Front, tasks: &Tasks) {
        if let Ok(local) = bound.listener.local() {
            tracing::info!("listening on {local}");
        }
        if let Some(tls) = &bound.tls {
            let watched = Arc::clone(tls);
            until_stopped(tasks, "certificates", async move {
                watched.watch(RELOAD_INTERVAL).await;
            });
            self.0.push(Arc::clone(tls));
        }
        tasks.core("listener", front.serve(bound.listener, bound.tls));
    }
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

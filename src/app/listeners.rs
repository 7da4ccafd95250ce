//! Binds early, so that a mistake ends the start, and serves late, when everything behind is there.

use super::{StartError, nextcloud::Running};
use crate::{
    config::Settings,
    front::{
        Front, Limits, ListenError, ListenSettings, Listener, Local, RELOAD_INTERVAL, Routes,
        Strangers, Tls, Unobserved, admin, routes,
    },
    lifecycle::Tasks,
};
use std::sync::Arc;

/// Everything that is bound.
pub(super) struct Listeners {
    clients: Bound,
    metrics: Vec<Bound>,
    control: Vec<Bound>,
}

struct Bound {
    listener: Listener,
    tls: Option<Arc<Tls>>,
}

/// The certificates in use.
#[derive(Default)]
pub(super) struct Certificates(Vec<Arc<Tls>>);

impl Certificates {
    /// Reads all of them again; a broken one stays as it was.
    pub(super) async fn reload(&self) {
        for tls in &self.0 {
            if let Err(error) = tls.reload().await {
                tracing::error!("certificate not read again: {error}");
            }
        }
    }
}

impl Listeners {
    /// Binds them all; nobody is accepted yet.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let mut metrics = Vec::new();
        for listen in &settings.metrics {
            metrics.push(bind(listen).await?);
        }
        let mut control = Vec::new();
        for listen in &settings.admin {
            control.push(bind(listen).await?);
        }
        Ok(Self { clients: bind(&settings.listen).await?, metrics, control })
    }

    /// Where clients connect.
    pub(super) fn local(&self) -> Result<Local, ListenError> {
        self.clients.listener.local()
    }

    /// Serves them until the group stops.
    pub(super) fn serve(
        self,
        running: &Running,
        settings: &Settings,
        tasks: &Tasks,
    ) -> Certificates {
        let proxies = settings.proxies.clone();
        let trusted =
            move |address: std::net::IpAddr| address.is_loopback() || proxies.trusts(address);
        let observer = running.observers().front.clone();
        let strangers =
            Strangers::new(settings.strangers.clone(), trusted.clone(), observer.clone());
        let mut certificates = Certificates::default();
        let client_routes = running.routes(tasks, settings.proxies.headers.as_slice().into());
        let front = |routes: Routes, strangers: &Strangers| Front {
            routes,
            strangers: strangers.clone(),
            limits: Limits::default(),
            tasks: tasks.clone(),
            observer: observer.clone(),
        };
        certificates.start(self.clients, front(client_routes, &strangers), tasks);
        // Whoever watches must get through while strangers crowd the door.
        let watchers = Strangers::new(settings.strangers.clone(), trusted, Arc::new(Unobserved));
        let admin_routes = routes(admin::admin(running.admin()));
        for bound in self.metrics.into_iter().chain(self.control) {
            certificates.start(bound, front(admin_routes.clone(), &watchers), tasks);
        }
        certificates
    }
}

impl Certificates {
    fn start(&mut self, bound: Bound, front: Front, tasks: &Tasks) {
        if let Ok(local) = bound.listener.local() {
            tracing::info!("listening on {local}");
        }
        if let Some(tls) = &bound.tls {
            let (watched, stop) = (Arc::clone(tls), tasks.stopping().clone());
            tasks.core("certificates", async move {
                stop.run_until_cancelled(watched.watch(RELOAD_INTERVAL)).await;
            });
            self.0.push(Arc::clone(tls));
        }
        tasks.core("listener", front.serve(bound.listener, bound.tls));
    }
}

async fn bind(listen: &ListenSettings) -> Result<Bound, StartError> {
    let listener = Listener::bind(&listen.bind)?;
    let tls = match &listen.tls {
        Some(files) => Some(Arc::new(Tls::load(files.clone()).await?)),
        None => None,
    };
    Ok(Bound { listener, tls })
}

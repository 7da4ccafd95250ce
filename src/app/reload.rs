//! Takes settings in that were read again while the daemon runs, as far as they can change live.

use super::{
    daemon::{Placed, proxies},
    listeners::Certificates,
};
use crate::{
    auth::origin::Origins,
    config::{Change, Effect, Entry, HostName, Place, Settings},
    front::Strangers,
    hosts::{Adopts, Boxed},
    lifecycle::Reload,
    telemetry::log::LogControl,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// What was read again.
#[derive(Debug)]
pub struct Fresh {
    /// The daemon's own settings.
    pub settings: Settings,
    /// The hosts.
    pub hosts: Vec<Entry<Boxed>>,
    /// To be logged.
    pub warnings: Vec<String>,
}

/// Reads all settings again, or says why they can't be used.
pub type Reread = Arc<dyn Fn() -> Result<Fresh, String> + Send + Sync>;

/// Everything that follows the settings while it runs.
pub(super) struct Live {
    /// In force.
    pub(super) settings: Settings,
    pub(super) hosts: Vec<Following>,
    /// Without it only certificates are read again.
    pub(super) reread: Option<Reread>,
    pub(super) log: LogControl,
    pub(super) origins: Origins,
    pub(super) strangers: [Strangers; 2],
    pub(super) certificates: Certificates,
}

/// A host that follows its settings.
pub(super) struct Following {
    name: Option<HostName>,
    place: Place,
    adopts: Box<dyn Adopts>,
}

impl From<Placed> for Following {
    fn from(Placed { name, place, running }: Placed) -> Self {
        Self { name, place, adopts: running.adopts }
    }
}

impl Reload for Live {
    /// What can't be used changes nothing.
    fn reload(&mut self) -> BoxFuture<'_, String> {
        Box::pin(self.read_again())
    }
}

impl Live {
    async fn read_again(&mut self) -> String {
        let Some(reread) = self.reread.clone() else {
            self.certificates.reload(self.settings.listen.tls.as_ref()).await;
            return "certificates read again".to_owned();
        };
        // Files may lie on a disk that hangs: others go on meanwhile.
        let fresh = tokio::task::spawn_blocking(move || reread()).await;
        match fresh.unwrap_or_else(|_| Err("reading them panicked".to_owned())) {
            Ok(fresh) => self.adopt(fresh).await,
            Err(error) => {
                let told = format!("settings not read again, the old ones stay: {error}");
                tracing::error!("{told}");
                self.certificates.reload(self.settings.listen.tls.as_ref()).await;
                told
            }
        }
    }

    async fn adopt(&mut self, Fresh { settings, hosts, warnings }: Fresh) -> String {
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let mut later = tell(None, &self.settings.changes(&settings));
        self.settings.take_over(&settings);
        self.apply().await;
        self.origins.trust(proxies(&hosts));
        later += self.adopt_hosts(&hosts).await;
        match later {
            0 => "settings read again".to_owned(),
            later => format!("settings read again; waiting for a restart: {later}, see the log"),
        }
    }

    /// Says how many changes wait for a restart.
    async fn adopt_hosts(&mut self, hosts: &[Entry<Boxed>]) -> usize {
        let mut later = 0;
        if !self.hosts.iter().map(Following::identity).eq(hosts.iter().map(identity)) {
            later += tell(None, &[Change::HOSTS]);
        }
        for Following { name, adopts, .. } in &mut self.hosts {
            if let Some(fresh) = hosts.iter().find(|entry| entry.name == *name) {
                later += tell(name.as_ref(), &adopts.adopt(&*fresh.host).await);
            }
        }
        later
    }

    async fn apply(&self) {
        let settings = &self.settings;
        self.log.configure(settings.log.filter.clone());
        self.certificates.reload(settings.listen.tls.as_ref()).await;
        for strangers in &self.strangers {
            strangers.adopt(settings.strangers.clone());
        }
    }
}

impl Following {
    fn identity(&self) -> (Option<&HostName>, &Place) {
        (self.name.as_ref(), &self.place)
    }
}

fn identity(entry: &Entry<Boxed>) -> (Option<&HostName>, &Place) {
    (entry.name.as_ref(), &entry.place)
}

/// Logs changes; says how many wait for a restart.
fn tell(host: Option<&HostName>, changes: &[Change]) -> usize {
    let host = host.map(|name| format!("host {name}: ")).unwrap_or_default();
    for change in changes {
        match change.effect {
            Effect::AtOnce => tracing::info!("{host}{change}"),
            Effect::AtTheNextStart => tracing::warn!("{host}{change}"),
        }
    }
    changes.iter().filter(|change| change.effect == Effect::AtTheNextStart).count()
}

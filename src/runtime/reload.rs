//! Takes settings in that were read again while the daemon runs, as far as they can change live.

use super::{certificates::Certificates, daemon::Placed};
use crate::{
    config::{Change, Effect, Entry, HostName, Place},
    lifecycle::Reload,
    runtime::settings::Settings,
    server::{Strangers, client_address::Origins},
    services::{Adopts, Boxed},
    telemetry::log::LogControl,
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
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
    fn from(Placed { name, place, running, .. }: Placed) -> Self {
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
        self.log.configure(self.settings.log.filter.clone());
        for strangers in &self.strangers {
            strangers.adopt(self.settings.strangers.clone());
        }
        later += self.adopt_hosts(&hosts).await;
        self.origins.trust(self.proxies());
        // Last: files may lie on a disk that hangs.
        self.certificates.reload(self.settings.listen.tls.as_ref()).await;
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

    /// Those of the hosts that run, as their settings in force have them.
    fn proxies(&self) -> Vec<IpNet> {
        self.hosts.iter().flat_map(|host| host.adopts.trusted_proxies()).copied().collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::{Bind, ListenSettings, StrangerLimits, Unobserved},
        services::{Ground, Prepared, Running, StartError},
        telemetry::{
            log,
            log::{Filter, LogFormat, LogSettings},
        },
    };

    /// A host of which only the proxies matter; it takes over whatever it is told.
    #[derive(Debug, Clone)]
    struct Behind(Vec<IpNet>);

    impl Prepared for Behind {
        fn trusted_proxies(&self) -> &[IpNet] {
            &self.0
        }

        fn listens_to(&self) -> Vec<String> {
            Vec::new()
        }

        fn start(self: Box<Self>, _: Ground) -> Result<Running, StartError> {
            Err(StartError::System("a start", std::io::Error::other("none in this test")))
        }
    }

    impl Adopts for Behind {
        fn trusted_proxies(&self) -> &[IpNet] {
            &self.0
        }

        fn adopt<'a>(&'a mut self, fresh: &'a dyn Prepared) -> BoxFuture<'a, Vec<Change>> {
            self.0 = fresh.trusted_proxies().to_vec();
            Box::pin(async { Vec::new() })
        }
    }

    fn settings() -> Settings {
        let bind = Bind::Tcp { address: None, port: 0 };
        Settings {
            listen: ListenSettings { bind, tls: None, proxy_protocol: false },
            metrics: Vec::new(),
            admin: Vec::new(),
            log: LogSettings::default(),
            strangers: StrangerLimits { total: 1, per_address: 1 },
            drain_time: std::time::Duration::ZERO,
        }
    }

    fn behind(proxy: &str) -> Behind {
        Behind(vec![proxy.parse().unwrap()])
    }

    fn following(name: &str, proxy: &str) -> Following {
        let name = HostName::parse(name);
        Following { name, place: Place::default(), adopts: Box::new(behind(proxy)) }
    }

    #[tokio::test]
    async fn proxies_of_hosts_in_force_are_trusted_whatever_the_file_says_of_others() {
        let (_log, control) = log::build(Filter::default(), LogFormat::Json, std::io::sink);
        let strangers = || Strangers::new(settings().strangers, |_| false, Arc::new(Unobserved));
        let mut live = Live {
            settings: settings(),
            hosts: vec![following("a", "10.0.0.0/8"), following("b", "192.0.2.0/24")],
            reread: None,
            log: control,
            origins: Origins::new(Vec::new()),
            strangers: [strangers(), strangers()],
            certificates: Certificates::default(),
        };
        // `b` is gone from the file and `c` is new: neither is so before the next start.
        let entry = |name, proxy| Entry {
            name: HostName::parse(name),
            place: Place::default(),
            host: Box::new(behind(proxy)) as Boxed,
        };
        let hosts = vec![entry("a", "172.16.0.0/12"), entry("c", "198.51.100.0/24")];
        let said = live.adopt(Fresh { settings: settings(), hosts, warnings: Vec::new() }).await;
        assert!(said.contains("waiting for a restart: 1"), "{said}");
        let trusted = |ip: &str| live.origins.trusts(ip.parse().unwrap());
        assert!(trusted("172.16.0.1"), "the new ones of a host that goes on");
        assert!(trusted("192.0.2.1"), "those of a host that still runs");
        assert!(!trusted("10.0.0.1") && !trusted("198.51.100.1"));
    }
}

//! Takes settings in that were read again while the daemon runs, as far as they can change live.

use super::{certificates::ServerCertificates, daemon::StartedService};
use crate::{
    config::{ChangeEffect, ServiceEntry, ServiceName, ServiceRoute, SettingChange},
    lifecycle::ReloadHandler,
    runtime::settings::DaemonSettings,
    server::{PreAuthLimiter, client_address::ClientAddressResolver},
    services::{BoxedService, ServiceReload},
    telemetry::log::LogControl,
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::sync::Arc;

/// What was read again.
#[derive(Debug)]
pub struct ReloadedConfig {
    /// The daemon's own settings.
    pub settings: DaemonSettings,
    /// The hosts.
    pub hosts: Vec<ServiceEntry<BoxedService>>,
    /// To be logged.
    pub warnings: Vec<String>,
}

/// Reads all settings again, or says why they can't be used.
pub type ConfigReader = Arc<dyn Fn() -> Result<ReloadedConfig, String> + Send + Sync>;

/// Everything that follows the settings while it runs.
pub(super) struct LiveSettings {
    /// In force.
    pub(super) settings: DaemonSettings,
    pub(super) hosts: Vec<ReloadableService>,
    /// Without it only certificates are read again.
    pub(super) reload_settings: Option<ConfigReader>,
    pub(super) log: LogControl,
    pub(super) origins: ClientAddressResolver,
    pub(super) pre_auth: [PreAuthLimiter; 2],
    pub(super) certificates: ServerCertificates,
}

/// A host that follows its settings.
pub(super) struct ReloadableService {
    name: Option<ServiceName>,
    place: ServiceRoute,
    reload: Box<dyn ServiceReload>,
}

impl From<StartedService> for ReloadableService {
    fn from(StartedService { name, place, running, .. }: StartedService) -> Self {
        Self { name, place, reload: running.reload }
    }
}

impl ReloadHandler for LiveSettings {
    /// What can't be used changes nothing.
    fn reload(&mut self) -> BoxFuture<'_, String> {
        Box::pin(self.reload_all())
    }
}

impl LiveSettings {
    async fn reload_all(&mut self) -> String {
        let Some(reload_settings) = self.reload_settings.clone() else {
            self.certificates.reload(self.settings.listen.tls.as_ref()).await;
            return "certificates read again".to_owned();
        };
        // Files may lie on a disk that hangs: others go on meanwhile.
        let fresh = tokio::task::spawn_blocking(move || reload_settings()).await;
        match fresh.unwrap_or_else(|_| Err("reading them panicked".to_owned())) {
            Ok(fresh) => self.apply(fresh).await,
            Err(error) => {
                let told = format!("settings not read again, the old ones stay: {error}");
                tracing::error!("{told}");
                self.certificates.reload(self.settings.listen.tls.as_ref()).await;
                told
            }
        }
    }

    async fn apply(
        &mut self,
        ReloadedConfig { settings, hosts, warnings }: ReloadedConfig,
    ) -> String {
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let mut deferred = log_changes(None, &self.settings.changes(&settings));
        self.settings.take_over(&settings);
        self.log.configure(self.settings.log.filter.clone());
        for pre_auth in &self.pre_auth {
            pre_auth.apply(self.settings.pre_auth.clone());
        }
        deferred += self.adopt_hosts(&hosts).await;
        self.origins.trust(self.proxies());
        // Last: files may lie on a disk that hangs.
        self.certificates.reload(self.settings.listen.tls.as_ref()).await;
        match deferred {
            0 => "settings read again".to_owned(),
            deferred => {
                format!("settings read again; waiting for a restart: {deferred}, see the log")
            }
        }
    }

    /// Says how many changes wait for a restart.
    async fn adopt_hosts(&mut self, hosts: &[ServiceEntry<BoxedService>]) -> usize {
        let mut deferred = 0;
        if !self.hosts.iter().map(ReloadableService::identity).eq(hosts.iter().map(identity)) {
            deferred += log_changes(None, &[SettingChange::SERVICES]);
        }
        for ReloadableService { name, reload, .. } in &mut self.hosts {
            if let Some(fresh) = hosts.iter().find(|entry| entry.name == *name) {
                deferred += log_changes(name.as_ref(), &reload.apply(&*fresh.host).await);
            }
        }
        deferred
    }

    /// Those of the hosts that run, as their settings in force have them.
    fn proxies(&self) -> Vec<IpNet> {
        self.hosts.iter().flat_map(|host| host.reload.trusted_proxies()).copied().collect()
    }
}

impl ReloadableService {
    fn identity(&self) -> (Option<&ServiceName>, &ServiceRoute) {
        (self.name.as_ref(), &self.place)
    }
}

fn identity(entry: &ServiceEntry<BoxedService>) -> (Option<&ServiceName>, &ServiceRoute) {
    (entry.name.as_ref(), &entry.place)
}

/// Logs changes; says how many wait for a restart.
fn log_changes(host: Option<&ServiceName>, changes: &[SettingChange]) -> usize {
    let host = host.map(|name| format!("host {name}: ")).unwrap_or_default();
    for change in changes {
        match change.effect {
            ChangeEffect::Immediately => tracing::info!("{host}{change}"),
            ChangeEffect::AtRestart => tracing::warn!("{host}{change}"),
        }
    }
    changes.iter().filter(|change| change.effect == ChangeEffect::AtRestart).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::{BindAddress, ListenSettings, NoopConnectionObserver, PreAuthLimits},
        services::{RunningService, Service, ServiceContext, ServiceStartError},
        telemetry::{
            log,
            log::{LogFilter, LogFormat, LogSettings},
        },
    };

    /// A host of which only the proxies matter; it takes over whatever it is told.
    #[derive(Debug, Clone)]
    struct ProxiedServiceStub(Vec<IpNet>);

    impl Service for ProxiedServiceStub {
        fn trusted_proxies(&self) -> &[IpNet] {
            &self.0
        }

        fn inputs(&self) -> Vec<String> {
            Vec::new()
        }

        fn start(self: Box<Self>, _: ServiceContext) -> Result<RunningService, ServiceStartError> {
            Err(ServiceStartError::System("a start", std::io::Error::other("none in this test")))
        }
    }

    impl ServiceReload for ProxiedServiceStub {
        fn trusted_proxies(&self) -> &[IpNet] {
            &self.0
        }

        fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, Vec<SettingChange>> {
            self.0 = fresh.trusted_proxies().to_vec();
            Box::pin(async { Vec::new() })
        }
    }

    fn settings() -> DaemonSettings {
        let bind = BindAddress::Tcp { address: None, port: 0 };
        DaemonSettings {
            listen: ListenSettings { bind, tls: None, proxy_protocol: false },
            metrics: Vec::new(),
            admin: Vec::new(),
            log: LogSettings::default(),
            pre_auth: PreAuthLimits { total: 1, per_address: 1 },
            drain_time: std::time::Duration::ZERO,
        }
    }

    fn behind(proxy: &str) -> ProxiedServiceStub {
        ProxiedServiceStub(vec![proxy.parse().unwrap()])
    }

    fn following(name: &str, proxy: &str) -> ReloadableService {
        let name = ServiceName::parse(name);
        ReloadableService { name, place: ServiceRoute::default(), reload: Box::new(behind(proxy)) }
    }

    #[tokio::test]
    async fn proxies_of_hosts_in_force_are_trusted_whatever_the_file_says_of_others() {
        let (_log, control) = log::build(LogFilter::default(), LogFormat::Json, std::io::sink);
        let pre_auth = || {
            PreAuthLimiter::new(settings().pre_auth, |_| false, Arc::new(NoopConnectionObserver))
        };
        let mut live = LiveSettings {
            settings: settings(),
            hosts: vec![following("a", "10.0.0.0/8"), following("b", "192.0.2.0/24")],
            reload_settings: None,
            log: control,
            origins: ClientAddressResolver::new(Vec::new()),
            pre_auth: [pre_auth(), pre_auth()],
            certificates: ServerCertificates::default(),
        };
        // `b` is gone from the file and `c` is new: neither is so before the next start.
        let entry = |name, proxy| ServiceEntry {
            name: ServiceName::parse(name),
            place: ServiceRoute::default(),
            host: Box::new(behind(proxy)) as BoxedService,
        };
        let hosts = vec![entry("a", "172.16.0.0/12"), entry("c", "198.51.100.0/24")];
        let message =
            live.apply(ReloadedConfig { settings: settings(), hosts, warnings: Vec::new() }).await;
        assert!(message.contains("waiting for a restart: 1"), "{message}");
        let trusted = |ip: &str| live.origins.trusts(ip.parse().unwrap());
        assert!(trusted("172.16.0.1"), "the new ones of a host that goes on");
        assert!(trusted("192.0.2.1"), "those of a host that still runs");
        assert!(!trusted("10.0.0.1") && !trusted("198.51.100.1"));
    }
}

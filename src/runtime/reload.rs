//! Applies a changed configuration to the running daemon, as far as settings can change live.

use super::{certificates::ServerCertificates, started_service::StartedService};
use crate::{
    config::{
        ChangeEffect, ServiceEntry, ServiceName, ServiceRoute, SettingChange, SettingRow,
        apply_rows,
    },
    lifecycle::ReloadHandler,
    runtime::settings::DaemonSettings,
    server::{PreAuthLimiter, client_address::ClientAddressResolver},
    services::{BoxedService, ServiceReload},
    telemetry::log::LogControl,
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::sync::Arc;

/// A configuration as it was read again.
#[derive(Debug)]
pub struct ReloadedConfig {
    /// The daemon's own settings.
    pub settings: DaemonSettings,
    /// The services with their names.
    pub services: Vec<ServiceEntry<BoxedService>>,
    /// A row for each setting, to find the changed ones.
    pub rows: Vec<SettingRow>,
    /// Warnings to be logged.
    pub warnings: Vec<String>,
}

/// Reads the whole configuration again.
pub struct ConfigReader {
    /// A row for each setting in force.
    pub rows: Vec<SettingRow>,
    /// Reads it, or says why it can't be used.
    pub read: ReadConfig,
}

/// Reads the configuration, or says why it can't be used.
pub type ReadConfig = Arc<dyn Fn() -> Result<ReloadedConfig, String> + Send + Sync>;

/// Everything that a reload can change.
pub(super) struct LiveSettings {
    /// The current settings.
    pub(super) settings: DaemonSettings,
    pub(super) services: Vec<ReloadableService>,
    /// Without it a reload reads certificates only.
    pub(super) config_reader: Option<ConfigReader>,
    pub(super) log: LogControl,
    pub(super) addresses: ClientAddressResolver,
    pub(super) pre_auth: [PreAuthLimiter; 2],
    pub(super) certificates: ServerCertificates,
}

/// A running service that takes changed settings.
pub(super) struct ReloadableService {
    name: Option<ServiceName>,
    route: ServiceRoute,
    reload: Box<dyn ServiceReload>,
}

impl From<StartedService> for ReloadableService {
    fn from(StartedService { name, route, running, .. }: StartedService) -> Self {
        Self { name, route, reload: running.reload }
    }
}

impl ReloadHandler for LiveSettings {
    /// An unusable configuration changes nothing.
    fn reload(&mut self) -> BoxFuture<'_, String> {
        Box::pin(self.reload_all())
    }
}

impl LiveSettings {
    async fn reload_all(&mut self) -> String {
        let Some(read) = self.config_reader.as_ref().map(|reader| Arc::clone(&reader.read)) else {
            self.reload_certificates().await;
            return "certificates reloaded".to_owned();
        };
        // The files may lie on a disk that hangs.
        let fresh = tokio::task::spawn_blocking(move || read()).await;
        match fresh.unwrap_or_else(|_| Err("reading the configuration panicked".to_owned())) {
            Ok(fresh) => self.apply(fresh).await,
            Err(error) => {
                let message = format!("reload failed; keeping the current configuration: {error}");
                tracing::error!("{message}");
                self.reload_certificates().await;
                message
            }
        }
    }

    async fn apply(&mut self, fresh: ReloadedConfig) -> String {
        let ReloadedConfig { settings, services, rows, warnings } = fresh;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let mut changes = ChangeCount::default();
        if let Some(reader) = &mut self.config_reader {
            changes.log(&apply_rows(&mut reader.rows, &rows));
        }
        self.settings.apply_live(&settings);
        self.log.configure(self.settings.log.filter.clone());
        for pre_auth in &self.pre_auth {
            pre_auth.apply(self.settings.pre_auth.clone());
        }
        self.apply_services(&services, &mut changes).await;
        self.addresses.trust(self.trusted_proxies());
        // Last: the files may lie on a disk that hangs.
        self.reload_certificates().await;
        changes.summary()
    }

    async fn apply_services(
        &mut self,
        services: &[ServiceEntry<BoxedService>],
        changes: &mut ChangeCount,
    ) {
        if !self.services.iter().map(ReloadableService::identity).eq(services.iter().map(identity))
        {
            changes.log(&[SettingChange::SERVICES]);
        }
        for ReloadableService { name, reload, .. } in &mut self.services {
            if let Some(fresh) = services.iter().find(|entry| entry.name == *name) {
                reload.apply(&*fresh.service).await;
            }
        }
    }

    async fn reload_certificates(&self) {
        self.certificates.reload(self.settings.listen.tls.as_ref()).await;
    }

    /// The proxies of the running services, by their current settings.
    fn trusted_proxies(&self) -> Vec<IpNet> {
        self.services.iter().flat_map(|service| service.reload.trusted_proxies()).copied().collect()
    }
}

impl ReloadableService {
    fn identity(&self) -> (Option<&ServiceName>, &ServiceRoute) {
        (self.name.as_ref(), &self.route)
    }
}

fn identity(entry: &ServiceEntry<BoxedService>) -> (Option<&ServiceName>, &ServiceRoute) {
    (entry.name.as_ref(), &entry.route)
}

/// How many settings a reload changed, and how many of these wait for a restart.
#[derive(Debug, Default)]
struct ChangeCount {
    applied: usize,
    deferred: usize,
}

impl ChangeCount {
    fn log(&mut self, changes: &[SettingChange]) {
        for change in changes {
            match change.effect {
                ChangeEffect::Immediately => {
                    self.applied += 1;
                    tracing::info!("{change}");
                }
                ChangeEffect::AtRestart => {
                    self.deferred += 1;
                    tracing::warn!("{change}");
                }
            }
        }
    }

    fn summary(&self) -> String {
        match self {
            Self { applied: 0, deferred: 0 } => "configuration reloaded; nothing changed".into(),
            Self { applied, deferred: 0 } => format!("configuration reloaded; changed: {applied}"),
            Self { applied, deferred } => format!(
                "configuration reloaded; changed: {applied}, waiting for a restart: {deferred} (see \
                 the log)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::{CheckRun, DiagnosisContext},
        server::{BindAddress, ListenSettings, NoopConnectionObserver, PreAuthLimits},
        services::{RunningService, Service, ServiceContext, ServiceInput, ServiceStartError},
        telemetry::{
            log,
            log::{LogFilter, LogFormat, LogSettings},
        },
    };

    /// A service that has trusted proxies and applies every change of them.
    #[derive(Debug, Clone)]
    struct ProxiedServiceStub(Vec<IpNet>);

    impl Service for ProxiedServiceStub {
        fn trusted_proxies(&self) -> &[IpNet] {
            &self.0
        }

        fn inputs(&self) -> Vec<ServiceInput> {
            Vec::new()
        }

        fn needs_shared_listener(&self) -> bool {
            false
        }

        fn diagnose<'a, 'r: 'a>(
            &'a self,
            _: DiagnosisContext,
            _: &'a mut CheckRun<'r>,
        ) -> BoxFuture<'a, ()> {
            Box::pin(std::future::ready(()))
        }

        fn start(self: Box<Self>, _: ServiceContext) -> Result<RunningService, ServiceStartError> {
            Err(ServiceStartError::System("a start", std::io::Error::other("none in this test")))
        }
    }

    impl ServiceReload for ProxiedServiceStub {
        fn trusted_proxies(&self) -> &[IpNet] {
            &self.0
        }

        fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, ()> {
            self.0 = fresh.trusted_proxies().to_vec();
            Box::pin(async {})
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
        ReloadableService { name, route: ServiceRoute::default(), reload: Box::new(behind(proxy)) }
    }

    #[tokio::test]
    async fn proxies_of_the_running_services_are_trusted() {
        let (_log, control) = log::build(LogFilter::default(), LogFormat::Json, std::io::sink);
        let pre_auth = || {
            PreAuthLimiter::new(settings().pre_auth, |_| false, Arc::new(NoopConnectionObserver))
        };
        let mut live = LiveSettings {
            settings: settings(),
            services: vec![following("a", "10.0.0.0/8"), following("b", "192.0.2.0/24")],
            config_reader: None,
            log: control,
            addresses: ClientAddressResolver::new(Vec::new()),
            pre_auth: [pre_auth(), pre_auth()],
            certificates: ServerCertificates::default(),
        };
        // `b` is gone from the file and `c` is new: neither is so before the next start.
        let entry = |name, proxy| ServiceEntry {
            name: ServiceName::parse(name),
            route: ServiceRoute::default(),
            service: Box::new(behind(proxy)) as BoxedService,
        };
        let services = vec![entry("a", "172.16.0.0/12"), entry("c", "198.51.100.0/24")];
        let message = live
            .apply(ReloadedConfig {
                settings: settings(),
                services,
                rows: Vec::new(),
                warnings: Vec::new(),
            })
            .await;
        assert!(message.contains("waiting for a restart: 1"), "{message}");
        let trusted = |ip: &str| live.addresses.trusts(ip.parse().unwrap());
        assert!(trusted("172.16.0.1"), "the new ones of a service that goes on");
        assert!(trusted("192.0.2.1"), "those of a service that still runs");
        assert!(!trusted("10.0.0.1") && !trusted("198.51.100.1"));
    }
}

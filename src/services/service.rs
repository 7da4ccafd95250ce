//! The interface between the daemon and a service: a [`Service`] is configured, a [`RunningService`] runs.

use super::ServiceContext;
use crate::{
    client::ByteStream,
    config::ServiceRoute,
    doctor::{CheckRun, DiagnosisContext},
    health::ServiceDependency,
    server::ListenSettings,
    telemetry::metrics::{CompatMetric, MetricsRegistry},
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::{any::Any, error::Error, ffi::OsString, fmt, path::PathBuf, sync::Arc, time::Duration};
use warp::{filters::BoxedFilter, reply::Response};

/// A configured service that hasn't started.
pub trait Service: fmt::Debug + Send + Sync + Any {
    /// The sources it consumes, each as it may be shown. Two services with the same input would receive
    /// each other's messages, so the daemon refuses to start them together.
    fn inputs(&self) -> Vec<ServiceInput>;

    /// Whether it has routes for the shared listener. If no service has any, the daemon doesn't bind it.
    fn needs_shared_listener(&self) -> bool;

    /// Networks of the reverse proxies in front of it; their `X-Forwarded-For` is trusted.
    fn trusted_proxies(&self) -> &[IpNet] {
        &[]
    }

    /// Checks everything it needs, whether it runs or not, in bounded time. Findings hold no secret.
    fn diagnose<'a, 'r: 'a>(
        &'a self,
        context: DiagnosisContext,
        run: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()>;

    /// The commands it has besides serving ([`crate::config::ServiceAction`]), if any.
    fn commands(&self) -> Option<&dyn ServiceCommands> {
        None
    }

    /// Starts its tasks; the daemon binds and serves the listeners.
    ///
    /// # Errors
    /// [`ServiceStartError`]. An unreachable server is no error: the service retries.
    fn start(self: Box<Self>, context: ServiceContext)
    -> Result<RunningService, ServiceStartError>;
}

/// A source that a service consumes: what it is, for messages, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceInput {
    /// What kind of source: `Redis`.
    pub kind: &'static str,
    /// Its address without secrets.
    pub address: String,
    /// What an administrator changes to give each service a source of its own.
    pub remedy: &'static str,
}

/// Commands of a service besides serving: `notify_push phorge stop`.
pub trait ServiceCommands {
    /// Runs one and returns what to print.
    ///
    /// # Errors
    /// [`ServiceCommandError`], for the operator.
    fn run(
        &self,
        command: &str,
        invocation: &ProgramInvocation,
    ) -> Result<String, ServiceCommandError>;
}

/// Why a command failed.
pub type ServiceCommandError = Box<dyn Error + Send + Sync>;

/// How the program was called, for a command that starts it again.
#[derive(Debug, Clone)]
pub struct ProgramInvocation {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
}

/// A service that has started. Every capability is optional; the daemon asks for it.
pub struct RunningService {
    /// Routes of the shared listener, below the service's path; they reject requests they don't know.
    pub routes: Option<BoxedFilter<(Response,)>>,
    /// Listeners of its own, which the daemon binds and serves.
    pub listeners: Vec<ServiceListener>,
    /// What it depends on.
    pub dependencies: Vec<ServiceDependency>,
    /// The metrics registry of the service.
    pub metrics: MetricsRegistry,
    /// The same numbers under the names of the daemon that it replaces.
    pub compat_metrics: Option<CompatMetricsReader>,
    /// How the daemon tests that the service still does its work.
    pub self_test: SelfTest,
    /// Its clients' sessions.
    pub sessions: Option<Arc<dyn Sessions>>,
    /// How long its work may continue at shutdown.
    pub drain_time: Duration,
    /// Applies changed settings.
    pub reload: Box<dyn ServiceReload>,
}

/// Reads the current numbers under another daemon's names.
pub type CompatMetricsReader = Arc<dyn Fn() -> Vec<CompatMetric> + Send + Sync>;

/// The sessions of a service's clients.
pub trait Sessions: Send + Sync {
    /// The number of sessions.
    fn count(&self) -> usize;

    /// The sessions of a user, or all.
    fn list(&self, user: Option<&str>) -> BoxFuture<'static, Vec<SessionSummary>>;

    /// Closes a user's sessions and returns their number.
    fn revoke(&self, user: &str) -> BoxFuture<'static, usize>;
}

/// One session, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SessionSummary {
    /// Its id while the daemon runs: shard, slot and serial number.
    pub id: String,
    /// The user, as the service names them.
    pub user: String,
}

/// How the daemon tests a running service before it notifies the service manager's watchdog.
pub enum SelfTest {
    /// As a client over a fresh connection: to the listener of this index in
    /// [`RunningService::listeners`], else to the shared one.
    Client {
        /// The client to run.
        probe: Arc<dyn SelfProbe>,
        /// The index of the listener.
        listener: Option<usize>,
    },
    /// Without a connection.
    Task(Arc<dyn SelfTestTask>),
}

/// A self-test that needs no connection.
pub trait SelfTestTask: Send + Sync {
    /// Runs once. The caller bounds the time.
    fn run(&self) -> BoxFuture<'_, Result<(), SelfProbeError>>;
}

/// A listener of a service's own.
pub struct ServiceListener {
    /// Its name in the log.
    pub name: &'static str,
    /// Its address, TLS and PROXY protocol. The certificate is watched and reloaded.
    pub listen: ListenSettings,
    /// The routes that it serves.
    pub routes: BoxedFilter<(Response,)>,
    /// Who connects to it.
    pub audience: ListenerAudience,
}

/// Whose connection limits apply at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerAudience {
    /// Anyone who can reach it.
    Clients,
    /// The operator's programs: they must get through while clients use up their limits.
    Operators,
}

/// Applies changed settings to a running service.
pub trait ServiceReload: Send + Sync {
    /// Networks of the reverse proxies in front of it, by the current settings.
    fn trusted_proxies(&self) -> &[IpNet] {
        &[]
    }

    /// Takes over the settings that take effect at once. A service of another kind changes nothing.
    fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, ()>;
}

/// Why a self-test failed.
pub type SelfProbeError = Box<dyn Error + Send + Sync>;

/// A client of the daemon's own that goes the whole path: listener, login, events, hub, socket.
pub trait SelfProbe: Send + Sync {
    /// Tests once over a fresh connection. The caller bounds the time.
    fn go<'a>(
        &'a self,
        stream: Box<dyn ByteStream>,
        route: &'a ServiceRoute,
    ) -> BoxFuture<'a, Result<(), SelfProbeError>>;
}

/// Why a service can't start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceStartError {
    /// The database's settings can't be used.
    #[error(transparent)]
    Store(#[from] crate::client::database::DatabaseClientError),
    /// A metric is registered twice.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::metrics::MetricsError),
    /// The system refuses an event queue or random numbers.
    #[error("the system refuses {0}")]
    System(&'static str, #[source] std::io::Error),
}

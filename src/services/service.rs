//! The seam between the daemon and a kind of host: what is prepared from settings, and what the
//! daemon reaches of it once it runs.

use super::ServiceContext;
use crate::{
    client::ByteStream,
    config::{ServiceRoute, SettingChange},
    doctor::{CheckRun, DiagnosisContext},
    health::ServiceDependency,
    runtime::admin::RevokeSessions,
    server::ListenSettings,
    services::nextcloud::CompatSnapshot,
    telemetry::metrics::MetricsRegistry,
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::{any::Any, error::Error, ffi::OsString, fmt, path::PathBuf, sync::Arc};
use warp::{filters::BoxedFilter, reply::Response};

/// A host whose settings are known and that has not begun.
pub trait Service: fmt::Debug + Send + Sync + Any {
    /// Networks of the proxies in front of it: many clients share an address there.
    fn trusted_proxies(&self) -> &[IpNet];

    /// Looks over what has to work for it, while it runs or not; nothing, if the kind doesn't say. In
    /// bounded time; nothing found holds a secret.
    fn diagnose<'a, 'r: 'a>(
        &'a self,
        _: DiagnosisContext,
        _: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Where its messages come from, each place as it would be shown: two hosts that listen at one
    /// place would hear each other.
    fn inputs(&self) -> Vec<String>;

    /// Whether it has listeners of its own only: where that is so for all hosts, the daemon's shared
    /// listener isn't bound.
    fn has_own_listeners(&self) -> bool {
        false
    }

    /// Does something else than to serve ([`crate::config::ServiceAction`]), and says what there is to say
    /// of it.
    ///
    /// # Errors
    /// [`ActionError`], for the operator.
    fn act(&self, action: &str, _: &ProgramInvocation) -> Result<String, ActionError> {
        Err(format!("a host of this kind can't {action}").into())
    }

    /// Starts everything but the listeners.
    ///
    /// # Errors
    /// [`ServiceStartError`]. What takes time, such as a server that is away, is no error.
    fn start(self: Box<Self>, ground: ServiceContext) -> Result<RunningService, ServiceStartError>;
}

/// Why what was asked could not be done.
pub type ActionError = Box<dyn Error + Send + Sync>;

/// How the program was called, for a host that starts it again.
#[derive(Debug, Clone)]
pub struct ProgramInvocation {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
}

/// What the daemon reaches of a host that runs.
pub struct RunningService {
    /// What the shared listener answers its clients, below its place; rejects what it doesn't know.
    pub routes: BoxedFilter<(Response,)>,
    /// Listeners of its own, to be bound and served by the daemon.
    pub service_listeners: Vec<ServiceListener>,
    /// At which of these the probe begins; none: at the shared listener.
    pub probe_listener: Option<usize>,
    /// What it depends on.
    pub dependencies: Vec<ServiceDependency>,
    /// Its numbers.
    pub metrics: MetricsRegistry,
    /// Its numbers by the original's names, where there was an original with such.
    pub snapshot: Option<Arc<dyn Fn() -> CompatSnapshot + Send + Sync>>,
    /// Closes a user's sessions.
    pub revoke: RevokeSessions,
    /// Goes a client's way.
    pub probe: Arc<dyn SelfProbe>,
    /// Takes other settings in.
    pub reload: Box<dyn ServiceReload>,
}

/// A listener that is a host's own.
pub struct ServiceListener {
    /// What it is for, as the log names it.
    pub name: &'static str,
    /// Where it is. Its certificate is watched, and read again with the settings.
    pub listen: ListenSettings,
    /// What is answered there.
    pub routes: BoxedFilter<(Response,)>,
    /// Who comes there.
    pub audience: ListenerAudience,
}

/// Whose limits count at a listener: operators must get through while clients crowd the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerAudience {
    /// Whoever can reach it.
    Clients,
    /// Programs of the operator's.
    Operators,
}

/// A host that takes other settings in while it runs.
pub trait ServiceReload: Send + Sync {
    /// Networks of the proxies in front of it, by the settings in force.
    fn trusted_proxies(&self) -> &[IpNet];

    /// Takes over what can change live, of settings that were read again; says what differs. A host
    /// of another kind changes nothing.
    fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, Vec<SettingChange>>;
}

/// Why the daemon does not do what it is there for.
pub type SelfProbeError = Box<dyn Error + Send + Sync>;

/// A client's whole way, gone by the daemon itself: from the listener through log-in, event path
/// and hub, back to the client.
pub trait SelfProbe: Send + Sync {
    /// Goes it once, over a fresh connection to the shared listener, or to the one of the host's own
    /// that [`RunningService::probe_listener`] says. The caller bounds the time.
    fn go<'a>(
        &'a self,
        stream: Box<dyn ByteStream>,
        place: &'a ServiceRoute,
    ) -> BoxFuture<'a, Result<(), SelfProbeError>>;
}

/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceStartError {
    /// See [`crate::client::database::DatabaseClientError`].
    #[error(transparent)]
    Store(#[from] crate::client::database::DatabaseClientError),
    /// See [`crate::telemetry::metrics::MetricsError`].
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::metrics::MetricsError),
    /// The system refuses an event queue or random numbers.
    #[error("the system refuses {0}")]
    System(&'static str, #[source] std::io::Error),
}

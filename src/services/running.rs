//! The seam between the daemon and a kind of host: what is prepared from settings, and what the
//! daemon reaches of it once it runs.

use super::Ground;
use crate::{
    config::{Change, Place},
    doctor::{Round, Visit},
    health::Dependency,
    runtime::admin::Revoke,
    server::ListenSettings,
    services::nextcloud::Snapshot,
    telemetry::metrics::Metrics,
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::{any::Any, error::Error, ffi::OsString, fmt, path::PathBuf, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use warp::{filters::BoxedFilter, reply::Response};

/// A host whose settings are known and that has not begun.
pub trait Prepared: fmt::Debug + Send + Sync + Any {
    /// Networks of the proxies in front of it: many clients share an address there.
    fn trusted_proxies(&self) -> &[IpNet];

    /// Looks over what has to work for it, while it runs or not; nothing, if the kind doesn't say. In
    /// bounded time; nothing found holds a secret.
    fn look_over<'a, 'r: 'a>(&'a self, _: Visit, _: &'a mut Round<'r>) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Where its messages come from, each place as it would be shown: two hosts that listen at one
    /// place would hear each other.
    fn listens_to(&self) -> Vec<String>;

    /// Whether it has listeners of its own only: where that is so for all hosts, the daemon's shared
    /// listener isn't bound.
    fn is_apart(&self) -> bool {
        false
    }

    /// Does something else than to serve ([`crate::config::Action`]), and says what there is to say
    /// of it.
    ///
    /// # Errors
    /// [`ActError`], for the operator.
    fn act(&self, action: &str, _: &Invocation) -> Result<String, ActError> {
        Err(format!("a host of this kind can't {action}").into())
    }

    /// Starts everything but the listeners.
    ///
    /// # Errors
    /// [`StartError`]. What takes time, such as a server that is away, is no error.
    fn start(self: Box<Self>, ground: Ground) -> Result<Running, StartError>;
}

/// Why what was asked could not be done.
pub type ActError = Box<dyn Error + Send + Sync>;

/// How the program was called, for a host that starts it again.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
}

/// What the daemon reaches of a host that runs.
pub struct Running {
    /// What the shared listener answers its clients, below its place; rejects what it doesn't know.
    pub routes: BoxedFilter<(Response,)>,
    /// Listeners of its own, to be bound and served by the daemon.
    pub doorways: Vec<Doorway>,
    /// At which of these the probe begins; none: at the shared listener.
    pub probe_at: Option<usize>,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
    /// Its numbers.
    pub metrics: Metrics,
    /// Its numbers by the original's names, where there was an original with such.
    pub snapshot: Option<Arc<dyn Fn() -> Snapshot + Send + Sync>>,
    /// Closes a user's sessions.
    pub revoke: Revoke,
    /// Goes a client's way.
    pub probe: Arc<dyn Probe>,
    /// Takes other settings in.
    pub adopts: Box<dyn Adopts>,
}

/// A listener that is a host's own.
pub struct Doorway {
    /// What it is for, as the log names it.
    pub name: &'static str,
    /// Where it is. Its certificate is watched, and read again with the settings.
    pub listen: ListenSettings,
    /// What is answered there.
    pub routes: BoxedFilter<(Response,)>,
    /// Who comes there.
    pub audience: Audience,
}

/// Whose limits count at a listener: operators must get through while clients crowd the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whoever can reach it.
    Clients,
    /// Programs of the operator's.
    Operators,
}

/// A host that takes other settings in while it runs.
pub trait Adopts: Send + Sync {
    /// Networks of the proxies in front of it, by the settings in force.
    fn trusted_proxies(&self) -> &[IpNet];

    /// Takes over what can change live, of settings that were read again; says what differs. A host
    /// of another kind changes nothing.
    fn adopt<'a>(&'a mut self, fresh: &'a dyn Prepared) -> BoxFuture<'a, Vec<Change>>;
}

/// A connection of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why the daemon does not do what it is there for.
pub type ProbeError = Box<dyn Error + Send + Sync>;

/// A client's whole way, gone by the daemon itself: from the listener through log-in, event path
/// and hub, back to the client.
pub trait Probe: Send + Sync {
    /// Goes it once, over a fresh connection to the shared listener, or to the one of the host's own
    /// that [`Running::probe_at`] says. The caller bounds the time.
    fn go<'a>(
        &'a self,
        stream: Box<dyn Stream>,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<(), ProbeError>>;
}

/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// See [`crate::client::database::StoreError`].
    #[error(transparent)]
    Store(#[from] crate::client::database::StoreError),
    /// See [`crate::telemetry::metrics::MetricsError`].
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::metrics::MetricsError),
    /// The system refuses an event queue or random numbers.
    #[error("the system refuses {0}")]
    System(&'static str, #[source] std::io::Error),
}

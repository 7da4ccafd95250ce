//! What the listeners report to whoever counts; every method may be left out.

use http::StatusCode;

/// Why a connection got no place, or lost it to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// Too many unauthenticated_clients, all of whom have said who they are.
    TotalLimit,
    /// Too many unauthenticated_clients from its address.
    PerAddressLimit,
    /// It kept us waiting longest when somebody else came.
    Evicted,
    /// No trusted proxy introduced it, where one must.
    NoProxyHeader,
}

/// Told of everything worth counting. Called for each connection: must be cheap and must not block.
pub trait ConnectionObserver: Send + Sync + 'static {
    /// A connection was accepted.
    fn accepted(&self) {}
    /// Accepting failed, for example for lack of descriptors.
    fn accept_failed(&self) {}
    /// A connection was closed before it could log in.
    fn refused(&self, _why: RefusalReason) {}
    /// There is one pre_auth_connection more (`true`) or fewer (`false`).
    fn pre_auth_connection(&self, _here: bool) {}
    /// A TLS handshake failed or took too long.
    fn handshake_failed(&self) {}
    /// An HTTP request was answered.
    fn answered(&self, _status: StatusCode) {}
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopConnectionObserver;

impl ConnectionObserver for NoopConnectionObserver {}

//! What the listeners report for metrics; every method is optional.

use http::StatusCode;

/// Why a connection was refused or evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The limit is reached, and every counted client has sent its credentials.
    TotalLimit,
    /// Too many unauthenticated connections from its address.
    PerAddressLimit,
    /// It was silent longest when a new connection arrived.
    Evicted,
    /// No PROXY header from a trusted proxy, where one is required.
    NoProxyHeader,
}

/// Receives everything worth counting. Called for each connection: must be cheap and must not block.
pub trait ConnectionObserver: Send + Sync + 'static {
    /// A connection was accepted.
    fn accepted(&self) {}
    /// Accepting failed, for example for lack of descriptors.
    fn accept_failed(&self) {}
    /// A connection was closed before it could log in.
    fn refused(&self, _why: RefusalReason) {}
    /// There is one unauthenticated connection more (`true`) or fewer (`false`).
    fn pre_auth_connection(&self, _here: bool) {}
    /// A TLS handshake failed or took too long.
    fn handshake_failed(&self) {}
    /// An HTTP response was sent.
    fn answered(&self, _status: StatusCode) {}
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopConnectionObserver;

impl ConnectionObserver for NoopConnectionObserver {}

//! Everything that listens: accept, TLS, limits before authentication, HTTP, WebSocket.

pub mod client_address;
mod metrics;
pub mod peer;
pub mod proxy_settings;
pub mod stream;
pub use metrics::{ConnectionRefusalLabel, ServerMetrics};
mod accept;

mod forwarded;
mod full_service;

mod http;
mod listen;

mod observer;

mod reply;

mod pre_auth;
mod settings;
mod tls;
mod upgrade;

pub use accept::{ConnectionTimeouts, HttpServer};
pub use forwarded::{X_FORWARDED_FOR, peer};
pub use full_service::{PROBE, reject_websockets_while};
pub use http::RequestOrigin;
pub use listen::{BoundListener, ListenError, LocalAddress, ProxyHeaderPolicy};
pub use stream::ClientStream;

pub use observer::{ConnectionObserver, NoopConnectionObserver, RefusalReason};

pub use reply::{HttpRoutes, method_not_allowed, routes, text};

pub use pre_auth::{PreAuthConnection, PreAuthLimiter};
pub use settings::{BindAddress, ListenSettings, PreAuthLimits, TlsFiles};
pub use tls::{RELOAD_INTERVAL, ReloadableTls, TlsError};
pub use upgrade::{UpgradedClient, WebSocketHandshake, handshake, upgrade};

//! The ways clients reach us: listeners, TLS, HTTP, WebSocket.

pub mod client_address;
mod metrics;
pub mod peer;
pub mod proxy_settings;
pub mod stream;
pub use metrics::{FrontMetrics, Refusal};
mod accept;

mod forwarded;

mod http;
mod listen;

mod observe;

mod reply;

mod settings;
mod strangers;
mod tls;
mod upgrade;

pub use crate::{runtime::health_routes::health, server::stream::ClientStream};
pub use accept::{Front, Limits};
pub use forwarded::{X_FORWARDED_FOR, peer};
pub use http::Origin;
pub use listen::{Introducers, ListenError, Listener, Local};

pub use observe::{Observer, Refused, Unobserved};

pub use reply::{Routes, routes, text};

pub use settings::{Bind, ListenSettings, Opening, StrangerLimits, TlsFiles};
pub use strangers::{Stranger, Strangers};
pub use tls::{RELOAD_INTERVAL, Tls, TlsError};
pub use upgrade::{Client, Handshake, handshake, upgrade};

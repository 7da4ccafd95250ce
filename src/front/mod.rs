//! The ways clients reach us: listeners, TLS, HTTP, WebSocket.

mod accept;
pub mod admin;
mod forwarded;
mod http;
mod listen;
mod login;
mod observe;
mod reply;
mod settings;
mod strangers;
mod tls;
mod upgrade;
mod visitor;

pub use crate::stream::ClientStream;
pub use accept::{Front, Limits};
pub use forwarded::X_FORWARDED_FOR;
pub use http::Origin;
pub use listen::{ListenError, Listener, Local};
pub use login::{Ending, Login};
pub use observe::{Observer, Refused, Unobserved};
pub use reply::{Routes, routes, text};
pub use settings::{Bind, ListenSettings, StrangerLimits, TlsFiles};
pub use strangers::{Stranger, Strangers};
pub use tls::{RELOAD_INTERVAL, Tls, TlsError};
pub use upgrade::{Client, upgrade};
pub use visitor::{VisitError, Visitor};

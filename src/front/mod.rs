//! The ways clients reach us: listeners, TLS, HTTP, WebSocket.

mod accept;
pub mod admin;
mod conversation;
mod forwarded;
mod health;
mod http;
mod listen;
mod login;
mod observe;
mod ourselves;
mod relay;
mod reply;
mod room;
mod settings;
mod strangers;
mod tls;
mod upgrade;
mod visitor;

pub use crate::stream::ClientStream;
pub use accept::{Front, Limits};
pub use forwarded::{X_FORWARDED_FOR, peer};
pub use health::health;
pub use http::Origin;
pub use listen::{Introducers, ListenError, Listener, Local};
pub use login::{Ending, Login};
pub use observe::{Observer, Refused, Unobserved};
pub use ourselves::{from_here, introduce_ourselves, to_ourselves};
pub use relay::{Relay, Relayed};
pub use reply::{Routes, routes, text};
pub use room::{Aside, PROBE, Room, Seat};
pub use settings::{Bind, ListenSettings, Opening, StrangerLimits, TlsFiles};
pub use strangers::{Stranger, Strangers};
pub use tls::{RELOAD_INTERVAL, Tls, TlsError};
pub use upgrade::{Client, Handshake, handshake, upgrade};
pub use visitor::{Refusal, Request, VisitError, Visitor};

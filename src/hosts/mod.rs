//! The systems we push for: one folder and one line of [`kinds`] each.

pub mod gauges;
mod ground;
pub mod nextcloud;
pub mod phorge;
mod running;
pub mod webhook;

pub use crate::status::Clock;
pub use ground::{Ground, Groups, until_stopped};
pub use running::{
    ActError, Adopts, Audience, Doorway, Invocation, Prepared, Probe, ProbeError, Running,
    StartError, Stream,
};

use crate::config::Kind;

/// A host whose settings are known.
pub type Boxed = Box<dyn Prepared>;

/// The registry. The first kind is what a daemon without a file of hosts serves.
pub fn kinds() -> Vec<Kind<'static, Boxed>> {
    vec![nextcloud::KIND, phorge::KIND, webhook::KIND]
}

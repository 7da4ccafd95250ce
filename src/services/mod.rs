//! The systems we push for: one folder and one line of [`kinds`] each.

mod observe;
mod service_metrics;
pub use service_metrics::{Names, Observers};
pub mod clients;
pub mod gauges;
mod ground;
#[cfg(feature = "nextcloud")]
pub mod nextcloud;
#[cfg(feature = "phorge")]
pub mod phorge;
mod running;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use crate::health::Clock;
pub use ground::{Ground, Groups, until_stopped};
pub use running::{
    ActError, Adopts, Audience, Doorway, Invocation, Prepared, Probe, ProbeError, Running,
    StartError, Stream,
};

use crate::config::Kind;

/// A host whose settings are known.
pub type Boxed = Box<dyn Prepared>;

/// The registry: a line for each kind that this build has. The first is what a daemon without a file of
/// hosts serves.
pub fn kinds() -> Vec<Kind<'static, Boxed>> {
    vec![
        #[cfg(feature = "nextcloud")]
        nextcloud::KIND,
        #[cfg(feature = "phorge")]
        phorge::KIND,
        #[cfg(feature = "webhook")]
        webhook::KIND,
    ]
}

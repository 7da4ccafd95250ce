//! Nextcloud over HTTP: log-ins it decides, and the self-test's questions (`specs/nextcloud.md`
//! sections 5 and 6).

mod answer;
mod client;
mod forwarded;
mod line;
mod login;
mod probe;
mod settings;
mod survey;
mod trouble;
mod trust;

pub use line::MAX_WAITING;
pub use login::Remote;
pub use probe::Probe;
pub use settings::{AT_ONCE, RemoteSettings};
pub use survey::{Endpoint, Status, Survey};
pub use trouble::Trouble;
pub use trust::client_config;

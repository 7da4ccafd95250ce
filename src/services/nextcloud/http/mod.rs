//! Requests to Nextcloud over HTTP: logins, and the questions of the self-test and the doctor
//! (`specs/nextcloud.md` sections 5 and 6).

mod authenticator;
mod client;
mod coalescing_queue;
mod error;
mod forwarded_header;
mod reply;
mod self_test_client;
mod settings;
mod survey;
mod tls;

pub use authenticator::NextcloudAuthenticator;
pub use coalescing_queue::MAX_WAITING;
pub use error::NextcloudError;
pub use self_test_client::SelfTestClient;
pub use settings::{MAX_CONCURRENT_LOGINS, NextcloudClientSettings};
pub use survey::{AdvertisedEndpoint, NextcloudStatus, NextcloudSurvey};
pub use tls::client_config;

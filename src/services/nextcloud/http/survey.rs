//! What the doctor asks Nextcloud: its version and clock, the endpoint it advertises, and the address
//! that it assumes for the daemon.

use super::{
    NextcloudClientSettings,
    client::{NextcloudHttpClient, RequestExtras},
    error::NextcloudError,
    reply,
};
use crate::{push::LoginCredentials, services::nextcloud::self_test::ForwardedChain};
use serde::Deserialize;
use serde_json::Value;

/// `status.php` is a few hundred bytes long; an error page may be longer.
const MAX_STATUS: usize = 64 * 1024;
/// Capabilities are tens of kilobytes.
const MAX_CAPABILITIES: usize = 4 * 1024 * 1024;

/// Asks Nextcloud on behalf of the doctor. The caller limits the time.
pub struct NextcloudSurvey {
    client: NextcloudHttpClient,
}

/// The content of `status.php`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NextcloudStatus {
    /// Nextcloud was set up.
    #[serde(default)]
    pub installed: bool,
    /// Maintenance mode is on: Nextcloud refuses all users.
    #[serde(default)]
    pub maintenance: bool,
    /// `occ upgrade` has to be run.
    #[serde(default, rename = "needsDbUpgrade")]
    pub needs_upgrade: bool,
    /// The version for display, such as `32.0.1`.
    #[serde(default, rename = "versionstring")]
    pub version: String,
    /// The header `Date` of the answer.
    #[serde(skip)]
    pub date: Option<String>,
}

/// The endpoint that the capabilities advertise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvertisedEndpoint {
    /// Clients connect to this address.
    At(String),
    /// No endpoint: the app was not set up.
    NotSet,
    /// The capabilities are shown only to logged-in users.
    NotShown,
    /// Nextcloud answers these credentials as it answers an anonymous visitor: it accepts them for no
    /// session. So it does with the account password of a user with a second factor.
    NotLoggedIn,
}

impl NextcloudSurvey {
    /// Connects to nothing yet.
    pub fn new(settings: NextcloudClientSettings) -> Self {
        Self { client: NextcloudHttpClient::new(settings) }
    }

    /// Reads `status.php`.
    ///
    /// # Errors
    /// [`NextcloudError`], as for the others.
    pub async fn status(&self) -> Result<NextcloudStatus, NextcloudError> {
        let reply =
            self.client.get_from_base("status.php", RequestExtras::default(), MAX_STATUS).await?;
        // A web server without Nextcloud answers 404 here.
        let text = reply::text(&reply).map_err(|error| match error {
            NextcloudError::NoApp => NextcloudError::Nonsense,
            other => other,
        })?;
        let mut status: NextcloudStatus =
            serde_json::from_str(text).map_err(|_| NextcloudError::Nonsense)?;
        status.date = reply.date;
        Ok(status)
    }

    /// Whether the app answers. Without credentials it answers 401.
    ///
    /// # Errors
    /// [`NextcloudError::NoApp`] when it doesn't.
    pub async fn app(&self) -> Result<(), NextcloudError> {
        reply::uid(&self.client.get(&["uid"], RequestExtras::default()).await?).map(drop)
    }

    /// The endpoint that the capabilities advertise to this user, or to an unauthenticated client.
    ///
    /// # Errors
    /// [`NextcloudError::Status`] 401: the credentials are wrong.
    pub async fn endpoint(
        &self,
        credentials: Option<&LoginCredentials>,
    ) -> Result<AdvertisedEndpoint, NextcloudError> {
        let extras = RequestExtras { credentials, ocs: true, ..RequestExtras::default() };
        let path = "ocs/v2.php/cloud/capabilities?format=json";
        let reply = self.client.get_from_base(path, extras, MAX_CAPABILITIES).await?;
        let text = reply::text(&reply)?;
        let answer: Value = serde_json::from_str(text).map_err(|_| NextcloudError::Nonsense)?;
        let all = answer.pointer("/ocs/data/capabilities").ok_or(NextcloudError::Nonsense)?;
        let Some(push) = all.get("notify_push") else {
            // Nextcloud shows the capabilities of its core to logged-in users only.
            let logged_in = all.get("core").is_some();
            return Ok(match (credentials, logged_in) {
                (Some(_), true) => AdvertisedEndpoint::NotSet,
                (Some(_), false) => AdvertisedEndpoint::NotLoggedIn,
                (None, _) => AdvertisedEndpoint::NotShown,
            });
        };
        let url = push.pointer("/endpoints/websocket").and_then(Value::as_str);
        Ok(url.map_or(AdvertisedEndpoint::NotSet, |url| AdvertisedEndpoint::At(url.to_owned())))
    }

    /// Makes Nextcloud write its app's version to its Redis. This route checks no token, so that success
    /// doesn't prove that it is the same Redis; [`NextcloudSurvey::remote`] does.
    ///
    /// # Errors
    /// [`NextcloudError`].
    pub async fn version(&self, token: &str) -> Result<(), NextcloudError> {
        let extras = RequestExtras { token: Some(token), ..RequestExtras::default() };
        reply::text(&self.client.get(&["test", "version"], extras).await?).map(drop)
    }

    /// The forwarded chain of a request through all proxies, as the daemon receives it: for a survey
    /// whose base is the daemon's public address.
    ///
    /// # Errors
    /// [`NextcloudError::NoApp`] when the server there has no such route.
    pub async fn chain(&self, token: &str) -> Result<ForwardedChain, NextcloudError> {
        let extras = RequestExtras { token: Some(token), ..RequestExtras::default() };
        let reply = self.client.get_from_base("test/chain", extras, MAX_STATUS).await?;
        serde_json::from_str(reply::text(&reply)?).map_err(|_| NextcloudError::Nonsense)
    }

    /// The address that Nextcloud assumes for a client behind this forwarded chain and the daemon.
    ///
    /// # Errors
    /// [`NextcloudError::Forbidden`] when it doesn't know the token: then it uses another Redis.
    pub async fn remote(&self, token: &str, chain: &str) -> Result<String, NextcloudError> {
        let forwarded = Some(chain.to_owned());
        let extras = RequestExtras { forwarded, token: Some(token), ..RequestExtras::default() };
        reply::text(&self.client.get(&["test", "remote"], extras).await?).map(str::to_owned)
    }
}

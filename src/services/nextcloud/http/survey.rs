//! What Nextcloud tells whoever looks it over: its version, its clock, where it sends clients, and as
//! whom it sees us.

use super::{
    NextcloudClientSettings,
    client::{NextcloudHttpClient, RequestExtras},
    error::NextcloudError,
    reply,
};
use crate::{push::LoginCredentials, services::nextcloud::self_test::ForwardedChain};
use serde::Deserialize;
use serde_json::Value;

/// `status.php` is a few hundred bytes, unless an error page stands in its place.
const MAX_STATUS: usize = 64 * 1024;
/// Capabilities are tens of kilobytes.
const MAX_CAPABILITIES: usize = 4 * 1024 * 1024;

/// Asks Nextcloud for what the doctor wants to know. The caller bounds the time.
pub struct NextcloudSurvey {
    client: NextcloudHttpClient,
}

/// What `status.php` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NextcloudStatus {
    /// Nextcloud was set up.
    #[serde(default)]
    pub installed: bool,
    /// Nobody is let in.
    #[serde(default)]
    pub maintenance: bool,
    /// `occ upgrade` has not been run.
    #[serde(default, rename = "needsDbUpgrade")]
    pub needs_upgrade: bool,
    /// For people: `32.0.1`.
    #[serde(default, rename = "versionstring")]
    pub version: String,
    /// The answer's `Date` header.
    #[serde(skip)]
    pub date: Option<String>,
}

/// Where the capabilities send clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvertisedEndpoint {
    /// To this address.
    At(String),
    /// Nowhere: the app was not set up.
    NotSet,
    /// They are shown only to those who have logged in.
    NotShown,
}

impl NextcloudSurvey {
    /// Connects to nothing yet.
    pub fn new(settings: NextcloudClientSettings) -> Self {
        Self { client: NextcloudHttpClient::new(settings) }
    }

    /// `status.php`.
    ///
    /// # Errors
    /// [`NextcloudError`], as for the others.
    pub async fn status(&self) -> Result<NextcloudStatus, NextcloudError> {
        let reply =
            self.client.get_from_base("status.php", RequestExtras::default(), MAX_STATUS).await?;
        // An error of the web server's comes as an error; what isn't Nextcloud says 404 here.
        let text = reply::text(&reply).map_err(|trouble| match trouble {
            NextcloudError::NoApp => NextcloudError::Nonsense,
            other => other,
        })?;
        let mut status: NextcloudStatus =
            serde_json::from_str(text).map_err(|_| NextcloudError::Nonsense)?;
        status.date = reply.date;
        Ok(status)
    }

    /// Whether the app answers. It says who asks, and to a unauthenticated_client 401.
    ///
    /// # Errors
    /// [`NextcloudError::NoApp`] when it doesn't.
    pub async fn app(&self) -> Result<(), NextcloudError> {
        reply::uid(&self.client.get(&["uid"], RequestExtras::default()).await?).map(drop)
    }

    /// Where the capabilities send clients, as this user sees them or as a unauthenticated_client does.
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
            let known = credentials.is_some();
            return Ok(if known {
                AdvertisedEndpoint::NotSet
            } else {
                AdvertisedEndpoint::NotShown
            });
        };
        let url = push.pointer("/endpoints/websocket").and_then(Value::as_str);
        Ok(url.map_or(AdvertisedEndpoint::NotSet, |url| AdvertisedEndpoint::At(url.to_owned())))
    }

    /// Makes Nextcloud write its app's version into the Redis it uses.
    ///
    /// # Errors
    /// [`NextcloudError::Forbidden`] when it doesn't know the token: then that is another Redis.
    pub async fn version(&self, token: &str) -> Result<(), NextcloudError> {
        let extras = RequestExtras { token: Some(token), ..RequestExtras::default() };
        reply::text(&self.client.get(&["test", "version"], extras).await?).map(drop)
    }

    /// Who a request through all proxies comes from, as the daemon sees it: for a survey whose base is
    /// the daemon's public address.
    ///
    /// # Errors
    /// [`NextcloudError::NoApp`] when what answers there knows no such question.
    pub async fn chain(&self, token: &str) -> Result<ForwardedChain, NextcloudError> {
        let extras = RequestExtras { token: Some(token), ..RequestExtras::default() };
        let reply = self.client.get_from_base("test/chain", extras, MAX_STATUS).await?;
        serde_json::from_str(reply::text(&reply)?).map_err(|_| NextcloudError::Nonsense)
    }

    /// As what address Nextcloud sees whoever comes through this forwarded chain and us.
    ///
    /// # Errors
    /// As [`NextcloudSurvey::version`].
    pub async fn remote(&self, token: &str, chain: &str) -> Result<String, NextcloudError> {
        let forwarded = Some(chain.to_owned());
        let extras = RequestExtras { forwarded, token: Some(token), ..RequestExtras::default() };
        reply::text(&self.client.get(&["test", "remote"], extras).await?).map(str::to_owned)
    }
}

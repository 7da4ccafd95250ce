//! What Nextcloud tells whoever looks it over: its version, its clock, where it sends clients, and as
//! whom it sees us.

use super::{
    RemoteSettings, answer,
    client::{Client, Extras},
    trouble::Trouble,
};
use crate::services::nextcloud::{endpoints::ChainSeen, login::Credentials};
use serde::Deserialize;
use serde_json::Value;

/// `status.php` is a few hundred bytes, unless an error page stands in its place.
const MAX_STATUS: usize = 64 * 1024;
/// Capabilities are tens of kilobytes.
const MAX_CAPABILITIES: usize = 4 * 1024 * 1024;

/// Asks Nextcloud for what the doctor wants to know. The caller bounds the time.
pub struct Survey {
    client: Client,
}

/// What `status.php` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
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
pub enum Endpoint {
    /// To this address.
    At(String),
    /// Nowhere: the app was not set up.
    NotSet,
    /// They are shown only to those who have logged in.
    NotShown,
}

impl Survey {
    /// Connects to nothing yet.
    pub fn new(settings: RemoteSettings) -> Self {
        Self { client: Client::new(settings) }
    }

    /// `status.php`.
    ///
    /// # Errors
    /// [`Trouble`], as for the others.
    pub async fn status(&self) -> Result<Status, Trouble> {
        let reply = self.client.get_beside("status.php", Extras::default(), MAX_STATUS).await?;
        // An error of the web server's comes as an error; what isn't Nextcloud says 404 here.
        let text = answer::text(&reply).map_err(|trouble| match trouble {
            Trouble::NoApp => Trouble::Nonsense,
            other => other,
        })?;
        let mut status: Status = serde_json::from_str(text).map_err(|_| Trouble::Nonsense)?;
        status.date = reply.date;
        Ok(status)
    }

    /// Whether the app answers. It says who asks, and to a stranger 401.
    ///
    /// # Errors
    /// [`Trouble::NoApp`] when it doesn't.
    pub async fn app(&self) -> Result<(), Trouble> {
        answer::uid(&self.client.get(&["uid"], Extras::default()).await?).map(drop)
    }

    /// Where the capabilities send clients, as this user sees them or as a stranger does.
    ///
    /// # Errors
    /// [`Trouble::Status`] 401: the credentials are wrong.
    pub async fn endpoint(&self, credentials: Option<&Credentials>) -> Result<Endpoint, Trouble> {
        let extras = Extras { credentials, ocs: true, ..Extras::default() };
        let path = "ocs/v2.php/cloud/capabilities?format=json";
        let reply = self.client.get_beside(path, extras, MAX_CAPABILITIES).await?;
        let text = answer::text(&reply)?;
        let answer: Value = serde_json::from_str(text).map_err(|_| Trouble::Nonsense)?;
        let all = answer.pointer("/ocs/data/capabilities").ok_or(Trouble::Nonsense)?;
        let Some(push) = all.get("notify_push") else {
            let known = credentials.is_some();
            return Ok(if known { Endpoint::NotSet } else { Endpoint::NotShown });
        };
        let url = push.pointer("/endpoints/websocket").and_then(Value::as_str);
        Ok(url.map_or(Endpoint::NotSet, |url| Endpoint::At(url.to_owned())))
    }

    /// Makes Nextcloud write its app's version into the Redis it uses.
    ///
    /// # Errors
    /// [`Trouble::Forbidden`] when it doesn't know the token: then that is another Redis.
    pub async fn version(&self, token: &str) -> Result<(), Trouble> {
        let extras = Extras { token: Some(token), ..Extras::default() };
        answer::text(&self.client.get(&["test", "version"], extras).await?).map(drop)
    }

    /// Who a request through all proxies comes from, as the daemon sees it: for a survey whose base is
    /// the daemon's public address.
    ///
    /// # Errors
    /// [`Trouble::NoApp`] when what answers there knows no such question.
    pub async fn chain(&self, token: &str) -> Result<ChainSeen, Trouble> {
        let extras = Extras { token: Some(token), ..Extras::default() };
        let reply = self.client.get_beside("test/chain", extras, MAX_STATUS).await?;
        serde_json::from_str(answer::text(&reply)?).map_err(|_| Trouble::Nonsense)
    }

    /// As what address Nextcloud sees whoever comes through this forwarded chain and us.
    ///
    /// # Errors
    /// As [`Survey::version`].
    pub async fn remote(&self, token: &str, chain: &str) -> Result<String, Trouble> {
        let forwarded = Some(chain.to_owned());
        let extras = Extras { forwarded, token: Some(token), ..Extras::default() };
        answer::text(&self.client.get(&["test", "remote"], extras).await?).map(str::to_owned)
    }
}

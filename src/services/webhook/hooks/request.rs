//! What is asked of hooks, and what is answered.

use crate::{
    config::secret::Secret,
    services::webhook::store::{HookSummary, PrivateHook},
};
use serde::Deserialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who is told by a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookScope {
    /// All of the user's connections.
    User,
    /// The one that asks.
    Connection,
}

/// A hook that somebody wants: `{"to":"connection","seconds":3600,"signed":true}`, each of which may
/// be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookRequest {
    /// Who is told.
    #[serde(default)]
    pub to: Option<HookScope>,
    /// A back end names the connection that is told; none: all of the user's.
    #[serde(default)]
    pub connection: Option<String>,
    /// How long it shall live.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// Whether callers must sign.
    #[serde(default)]
    pub signed: bool,
}

/// What a connected client asks of its hooks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum HookCommand {
    /// Revoke one: `{"revoke":"<id>"}`.
    Revoke {
        /// Its id.
        revoke: String,
    },
    /// Make one.
    Make(HookRequest),
}

/// A hook that was made. Its URL and its secret are told this once.
#[derive(Debug, Clone)]
pub struct CreatedHook {
    /// What stands in the store.
    pub hook: PrivateHook,
    /// Where to call it.
    pub url: Secret,
}

impl CreatedHook {
    /// For its owner: `id`, `url`, `expires` in seconds since 1970, and the `secret` if there is one.
    pub fn json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({
            "id": self.hook.id,
            "url": self.url.expose(),
            "expires": seconds(self.hook.expires),
        });
        if let Some(connection) = self.hook.to.connection() {
            json["connection"] = connection.into();
        }
        if let Some(secret) = &self.hook.secret {
            json["secret"] = secret.expose().into();
        }
        json
    }
}

impl HookSummary {
    /// For its owner: no URL and no secret.
    pub fn json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({
            "id": self.id,
            "expires": seconds(self.expires),
            "signed": self.signed,
        });
        if let Some(connection) = &self.connection {
            json["connection"] = connection.as_str().into();
        }
        json
    }
}

/// Since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

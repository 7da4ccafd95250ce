//! Requests about hooks and their answers.

use crate::{
    config::secret::Secret,
    services::webhook::store::{HookSummary, PrivateHook},
};
use serde::Deserialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// Recipients of a hook's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookScope {
    /// All connections of the user.
    User,
    /// The requesting connection only.
    Connection,
}

/// Request for a hook, such as `{"to":"connection","seconds":3600,"signed":true}`; every field is
/// optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookRequest {
    /// Recipients, for clients.
    #[serde(default)]
    pub to: Option<HookScope>,
    /// Connection that the hook is bound to, for back ends; otherwise all of the user's.
    #[serde(default)]
    pub connection: Option<String>,
    /// Lifetime of the hook.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// Whether calls must be signed.
    #[serde(default)]
    pub signed: bool,
}

/// Request of a connected client about its hooks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum HookCommand {
    /// Revokes a hook: `{"revoke":"<id>"}`.
    Revoke {
        /// Id of the hook.
        revoke: String,
    },
    /// Creates a hook.
    Make(HookRequest),
}

/// A new hook. Its URL and its secret are shown only once.
#[derive(Debug, Clone)]
pub struct CreatedHook {
    /// The hook in the store.
    pub hook: PrivateHook,
    /// URL for callers.
    pub url: Secret,
}

impl CreatedHook {
    /// JSON for the owner: `id`, `url`, `expires` in seconds since 1970, and the `secret` of a
    /// signed hook.
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
    /// JSON for the owner, without URL and secret.
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

/// Seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

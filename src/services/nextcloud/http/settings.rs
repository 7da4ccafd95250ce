//! Where Nextcloud is and how to talk to it.

use std::path::PathBuf;
use url::Url;

/// How many log-ins Nextcloud is asked about at once: as many as a small php-fpm pool has workers.
pub const MAX_CONCURRENT_LOGINS: usize = 8;

/// Everything needed to reach Nextcloud over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextcloudClientSettings {
    /// The base URL (`NEXTCLOUD_URL`, `overwrite.cli.url`): may have a sub-directory, with or
    /// without a slash at its end.
    pub url: Url,
    /// What we call ourselves (`USER_AGENT`).
    pub user_agent: String,
    /// Any certificate will do (`ALLOW_SELF_SIGNED`).
    pub allow_self_signed: bool,
    /// A CA file (PEM) to trust besides the system's; a server that presents one of the
    /// certificates in it is trusted too.
    pub ca: Option<PathBuf>,
    /// How many log-ins are asked about at once, at least one.
    pub at_once: usize,
}

impl NextcloudClientSettings {
    /// With the usual settings for everything but the URL.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            user_agent: concat!("notify_push/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_self_signed: false,
            ca: None,
            at_once: MAX_CONCURRENT_LOGINS,
        }
    }
}

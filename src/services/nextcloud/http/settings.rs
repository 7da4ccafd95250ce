//! How to reach Nextcloud over HTTP.

use std::path::PathBuf;
use url::Url;

/// Logins that Nextcloud is asked about at once: as many as a small php-fpm pool has workers.
pub const MAX_CONCURRENT_LOGINS: usize = 8;

/// Everything needed to reach Nextcloud over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextcloudClientSettings {
    /// The base URL (`NEXTCLOUD_URL`, `overwrite.cli.url`): may have a sub-directory, with or
    /// without a slash at its end.
    pub url: Url,
    /// The User-Agent header (`USER_AGENT`).
    pub user_agent: String,
    /// Accept any certificate (`ALLOW_SELF_SIGNED`).
    pub allow_self_signed: bool,
    /// A CA file (PEM) to trust besides the system's; a server with one of its certificates is
    /// trusted as well.
    pub ca: Option<PathBuf>,
    /// Logins to ask about at once, at least one.
    pub at_once: usize,
}

impl NextcloudClientSettings {
    /// Default settings for this URL.
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

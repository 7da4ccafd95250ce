//! The settings of requests to Nextcloud.

use std::path::PathBuf;
use url::Url;

/// Nextcloud over HTTP: `specs/nextcloud.md` section 6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextcloudHttpSettings {
    /// Its base, `http` or `https`, no query, with a slash at the end:
    /// `url.join("index.php/apps/notify_push/uid")` is right. None: it cannot be asked.
    pub url: Option<Url>,
    /// Any certificate will do.
    pub allow_self_signed: bool,
    /// A CA file (PEM) that is trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// What the daemon calls itself.
    pub user_agent: String,
    /// The version reported to Nextcloud's self-test, `major.minor.patch`.
    pub compat_version: String,
}

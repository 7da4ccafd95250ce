//! The settings of requests to Nextcloud.

use std::{fmt, path::PathBuf};
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
    /// The version reported to Nextcloud's self-test.
    pub compat_version: CompatVersion,
}

/// The version reported to `occ notify_push:self-test`, which compares its first two numbers with the
/// app's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompatVersion {
    /// The one that the app publishes (`specs/nextcloud.md` section 5).
    App,
    /// This one, `major.minor.patch`.
    Fixed(String),
}

impl fmt::Display for CompatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "auto",
            Self::Fixed(version) => version,
        })
    }
}

//! The kinds of host, as the settings know them: a name, and who reads what is said of one.

use super::{ConfigError, Environment, Layers, Report, Setting};
use std::path::Path;

/// A kind of host; `H` is what it makes of its settings.
pub struct Kind<'a, H> {
    /// What it is called: `nextcloud`.
    pub name: &'static str,
    /// What can be set for one.
    pub settings: &'a [Setting],
    /// Reads its settings.
    pub read: ReadHost<'a, H>,
}

/// Makes a host of its settings, noting each in the report.
pub type ReadHost<'a, H> =
    &'a (dyn Fn(&HostRequest<'_>, &mut Report) -> Result<H, ConfigError> + Sync);

/// What is known of a host whose settings are to be read.
pub struct HostRequest<'a> {
    /// The host's own configuration file, if one was named.
    pub file: Option<&'a Path>,
    /// `--glob-config`: also those beside it.
    pub glob: bool,
    /// What stands over that file.
    pub layers: &'a Layers<'a>,
    /// What the file may look at, and what may override its keys.
    pub environment: &'a Environment,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
}

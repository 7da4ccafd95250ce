//! The kinds of service as the settings know them: a name, a list of settings, and a reader.

use super::{
    ConfigError, EnvironmentVariables, Setting, SettingLayers, SettingsReport, setting::PORT,
};
use std::path::Path;

/// A kind of service; `S` is what it makes of its settings.
pub struct ServiceKind<'a, S> {
    /// The name: `nextcloud`. The command `notify_push <name>` serves one service of this kind.
    pub name: &'static str,
    /// One sentence about that command; empty if there is none.
    pub about: &'static str,
    /// Help for `--config` of that command, if such a service has a file of its own.
    pub file: Option<&'static str>,
    /// The port for clients, with the default of this kind.
    pub port: Setting,
    /// The settings of a service of this kind.
    pub settings: &'a [Setting],
    /// What the command can do besides serving.
    pub actions: &'a [ServiceAction],
    /// Help for these actions.
    pub action: &'static str,
    /// Reads the settings.
    pub read: ReadService<'a, S>,
}

/// An action of a kind of service: `notify_push phorge stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceAction {
    /// Its name on the command line.
    pub name: &'static str,
    /// Whether it is the same as serving.
    pub serves: bool,
}

impl<'a, S> ServiceKind<'a, S> {
    /// A kind without a command of its own.
    pub const fn new(
        name: &'static str,
        settings: &'a [Setting],
        read: ReadService<'a, S>,
    ) -> Self {
        Self { name, about: "", file: None, port: PORT, settings, actions: &[], action: "", read }
    }
}

/// Makes a service of its settings and adds each to the report.
pub type ReadService<'a, S> =
    &'a (dyn Fn(&ServiceConfigRequest<'_>, &mut SettingsReport) -> Result<S, ConfigError> + Sync);

/// Where the settings of a service are read from.
pub struct ServiceConfigRequest<'a> {
    /// The service's own configuration file, if one was named.
    pub file: Option<&'a Path>,
    /// `--glob-config`: also the files beside it.
    pub glob: bool,
    /// The layers above that file.
    pub layers: &'a SettingLayers<'a>,
    /// The variables that the file can use, and that may override its keys.
    pub environment: &'a EnvironmentVariables,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
}

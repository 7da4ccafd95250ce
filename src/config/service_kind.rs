//! The kinds of host, as the settings know them: a name, and who reads what is said of one.

use super::{ConfigError, EnvironmentVariables, Setting, SettingLayers, SettingsReport};
use std::path::Path;

/// The clients' port of the first service, which is the original daemon's.
pub const DEFAULT_PORT: u16 = 7867;

/// A kind of host; `H` is what it makes of its settings.
pub struct ServiceKind<'a, H> {
    /// What it is called: `nextcloud`. `notify_push <name>` serves one of it, and nothing else.
    pub name: &'static str,
    /// What that does, for the help.
    pub about: &'static str,
    /// What `--config` names there, if such a host has a file of its own.
    pub file: Option<&'static str>,
    /// The port for clients there, unless it is said.
    pub port: u16,
    /// What can be set for one.
    pub settings: &'a [Setting],
    /// The flags for it, under its name.
    pub flags: &'a [ServiceFlag],
    /// What can be asked of one by a word.
    pub actions: &'a [ServiceAction],
    /// Help for these.
    pub action: &'static str,
    /// Reads its settings.
    pub read: ReadService<'a, H>,
}

/// A flag of a kind of host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceFlag {
    /// What it sets.
    pub setting: Setting,
    /// What its value is, in a word; none: it is a switch.
    pub value: Option<&'static str>,
    /// Its help, with variable and default.
    pub help: &'static str,
}

/// Something that is asked of a kind of host by a word: `notify_push phorge stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceAction {
    /// The word.
    pub name: &'static str,
    /// Whether it is just to serve.
    pub serves: bool,
}

impl<'a, H> ServiceKind<'a, H> {
    /// A kind that is only served without a name, or in a file of hosts.
    pub const fn new(
        name: &'static str,
        settings: &'a [Setting],
        read: ReadService<'a, H>,
    ) -> Self {
        let (about, file, port) = ("", None, DEFAULT_PORT);
        Self { name, about, file, port, settings, flags: &[], actions: &[], action: "", read }
    }
}

/// Makes a host of its settings, noting each in the report.
pub type ReadService<'a, H> =
    &'a (dyn Fn(&ServiceConfigRequest<'_>, &mut SettingsReport) -> Result<H, ConfigError> + Sync);

/// What is known of a host whose settings are to be read.
pub struct ServiceConfigRequest<'a> {
    /// The host's own configuration file, if one was named.
    pub file: Option<&'a Path>,
    /// `--glob-config`: also those beside it.
    pub glob: bool,
    /// What stands over that file.
    pub layers: &'a SettingLayers<'a>,
    /// What the file may look at, and what may override its keys.
    pub environment: &'a EnvironmentVariables,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
}

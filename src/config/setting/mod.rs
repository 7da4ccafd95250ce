//! The type of a setting: everything that is known about it, declared once.
//!
//! Flags, environment variables, keys of the services file, defaults, `--dump-config`, the reload
//! difference, help, completions, the man page and `docs/settings.md` are all made from these values.

mod table;

pub use table::*;

/// One setting. Build it with [`Setting::text`] and its siblings, then refine it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name in `--dump-config`, and the flag without its dashes.
    pub name: &'static str,
    /// The environment variable; in small letters, the key in the services file.
    pub variable: &'static str,
    /// Which values it takes.
    pub format: ValueFormat,
    /// What applies if no layer gives a value.
    pub default: SettingDefault,
    /// One sentence for help, man page and documents, without a full stop.
    pub help: &'static str,
    /// The heading under which it is listed.
    pub group: SettingGroup,
    /// When a changed value takes effect in a running daemon.
    pub effect: SettingEffect,
    /// How an empty variable and a `*_FILE` twin are read.
    pub kind: SettingKind,
    /// Whether there is a flag.
    pub flag: bool,
    /// The letter of the short flag.
    pub short: Option<&'static str>,
    /// The keys in the service's own configuration file, in Markdown.
    pub file_keys: &'static str,
}

/// Which values a setting or an option of a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFormat {
    /// True or false; as a flag without a value.
    Switch,
    /// Any text, under this placeholder.
    Text(&'static str),
    /// The number of a TCP port.
    Port,
    /// The path of a file, under this placeholder.
    File(&'static str),
    /// Text that may be given several times, under this placeholder.
    Repeated(&'static str),
    /// One of these words, under this placeholder.
    Choice(&'static str, &'static [&'static str]),
}

/// What applies if no layer gives a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingDefault {
    /// There is no value.
    Unset,
    /// This text, as it would be written in a variable.
    Text(&'static str),
    /// Something that is computed, described for readers.
    Described(&'static str),
}

/// The heading under which a setting is listed, in the order of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingGroup {
    /// Of one service only.
    Service,
    /// Databases, Redis and HTTP servers.
    Connections,
    /// How users are authenticated.
    Logins,
    /// How and to how many clients messages are delivered.
    Delivery,
    /// Reverse proxies in front of the daemon.
    Proxies,
    /// Where clients connect.
    Listeners,
    /// Metrics, control and the services file.
    Control,
    /// Log and shutdown.
    Process,
}

/// When a changed value takes effect in a running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingEffect {
    /// At the next start.
    AtStart,
    /// As soon as it is reloaded.
    Live,
    /// On reload, as long as there was a value before and there is one now.
    LiveWhileSet,
}

/// How a setting's variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Empty means not set.
    Plain,
    /// Empty is a value.
    MayBeEmpty,
    /// Empty means not set; `<variable>_FILE` names a file that holds the value. Never shown.
    Secret,
}

impl ValueFormat {
    /// What stands for the value in help texts; a switch has none.
    pub const fn placeholder(self) -> Option<&'static str> {
        match self {
            Self::Switch => None,
            Self::Port => Some("port"),
            Self::Text(name) | Self::File(name) | Self::Repeated(name) | Self::Choice(name, _) => {
                Some(name)
            }
        }
    }
}

impl SettingGroup {
    /// The heading as text.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Connections => "Connections",
            Self::Logins => "Logins",
            Self::Delivery => "Delivery",
            Self::Proxies => "Reverse proxies",
            Self::Listeners => "Listeners",
            Self::Control => "Control",
            Self::Process => "Log and shutdown",
        }
    }
}

impl Setting {
    const fn new(
        name: &'static str,
        variable: &'static str,
        format: ValueFormat,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            variable,
            format,
            default: SettingDefault::Unset,
            help,
            group: SettingGroup::Service,
            effect: SettingEffect::AtStart,
            kind: SettingKind::Plain,
            flag: true,
            short: None,
            file_keys: "",
        }
    }

    /// A setting that takes text; `placeholder` stands for it in help texts.
    pub const fn text(
        name: &'static str,
        variable: &'static str,
        placeholder: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(name, variable, ValueFormat::Text(placeholder), help)
    }

    /// A setting that is on or off, and off by default.
    pub const fn switch(name: &'static str, variable: &'static str, help: &'static str) -> Self {
        Self::new(name, variable, ValueFormat::Switch, help).default("false")
    }

    /// A setting that takes the path of a file.
    pub const fn file(name: &'static str, variable: &'static str, help: &'static str) -> Self {
        Self::new(name, variable, ValueFormat::File("file"), help)
    }

    /// A setting that takes the number of a port.
    pub const fn port(name: &'static str, variable: &'static str, help: &'static str) -> Self {
        Self::new(name, variable, ValueFormat::Port, help)
    }

    /// The same with another format.
    #[must_use]
    pub const fn format(mut self, format: ValueFormat) -> Self {
        self.format = format;
        self
    }

    /// The same with this default, written as in a variable.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = SettingDefault::Text(text);
        self
    }

    /// The same with a computed default, described for readers.
    #[must_use]
    pub const fn described_default(mut self, text: &'static str) -> Self {
        self.default = SettingDefault::Described(text);
        self
    }

    /// The same with another help text.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// The same under this heading.
    #[must_use]
    pub const fn group(mut self, group: SettingGroup) -> Self {
        self.group = group;
        self
    }

    /// The same, taking effect on reload.
    #[must_use]
    pub const fn live(mut self) -> Self {
        self.effect = SettingEffect::Live;
        self
    }

    /// The same, taking effect on reload as long as it stays set.
    #[must_use]
    pub const fn live_while_set(mut self) -> Self {
        self.effect = SettingEffect::LiveWhileSet;
        self
    }

    /// The same, as a secret: it may be given in a file and never shows.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.kind = SettingKind::Secret;
        self
    }

    /// The same, for which empty is a value.
    #[must_use]
    pub const fn may_be_empty(mut self) -> Self {
        self.kind = SettingKind::MayBeEmpty;
        self
    }

    /// The same without a flag: anyone on the machine can read a command line.
    #[must_use]
    pub const fn without_flag(mut self) -> Self {
        self.flag = false;
        self
    }

    /// The same with a short flag.
    #[must_use]
    pub const fn short(mut self, letter: &'static str) -> Self {
        self.short = Some(letter);
        self
    }

    /// The same with these keys in the service's own configuration file.
    #[must_use]
    pub const fn file_keys(mut self, keys: &'static str) -> Self {
        self.file_keys = keys;
        self
    }

    /// The key in the services file: the variable's name in small letters.
    pub fn key(&self) -> String {
        self.variable.to_ascii_lowercase()
    }

    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == SettingKind::Secret
    }

    /// The variable that names a file with the value, for a secret.
    pub fn file_variable(&self) -> Option<String> {
        self.is_secret().then(|| format!("{}_FILE", self.variable))
    }

    /// The default for readers; `none` if there is none.
    pub fn shown_default(&self) -> &'static str {
        match self.default {
            SettingDefault::Unset => "none",
            SettingDefault::Text(text) | SettingDefault::Described(text) => text,
        }
    }

    /// Help text with variable and default: `Port for clients [PORT; default 7867]`.
    pub fn help_line(&self) -> String {
        let default = match self.default {
            SettingDefault::Unset => String::new(),
            SettingDefault::Text(_) if self.format == ValueFormat::Switch => String::new(),
            SettingDefault::Text(text) | SettingDefault::Described(text) => {
                format!("; default {text}")
            }
        };
        format!("{} [{}{default}]", self.help, self.variable)
    }
}

#[cfg(test)]
mod tests {
    use super::{LISTENER_SETTINGS, PORT, PROCESS_SETTINGS, REDIS_URL, Setting};
    use std::collections::BTreeSet;

    #[test]
    fn names_and_variables_are_unique() {
        let settings: Vec<&Setting> = LISTENER_SETTINGS.iter().chain(PROCESS_SETTINGS).collect();
        let names: BTreeSet<_> = settings.iter().map(|setting| setting.name).collect();
        let variables: BTreeSet<_> = settings.iter().map(|setting| setting.variable).collect();
        assert_eq!((names.len(), variables.len()), (settings.len(), settings.len()));
    }

    #[test]
    fn help_shows_variable_and_default() {
        assert_eq!(PORT.help_line(), "Port for clients [PORT; default 7867]");
        assert_eq!(PORT.default("3000").help_line(), "Port for clients [PORT; default 3000]");
        assert_eq!(REDIS_URL.file_variable().as_deref(), Some("REDIS_URL_FILE"));
        assert_eq!(PORT.file_variable(), None);
    }
}

//! The generated part of `docs/settings.md`: a table for each kind of service and for the daemon.

use crate::config::{
    ServiceKind, Setting, SettingKind,
    setting::{SettingDefault, daemon_settings},
};
use std::fmt::Write as _;

/// The tables of all settings, in Markdown.
pub fn settings_tables<S>(kinds: &[ServiceKind<'_, S>]) -> String {
    let mut text = String::from("### The daemon\n\n");
    table(&mut text, &daemon_settings().collect::<Vec<_>>());
    for kind in kinds {
        let _ = writeln!(text, "\n### A {} service\n", kind.name);
        if kind.port != crate::config::setting::PORT {
            let port = kind.port.shown_default();
            let _ = writeln!(
                text,
                "With `notify_push {}` the default of `--port` is {port}.\n",
                kind.name
            );
        }
        table(&mut text, kind.settings);
    }
    text
}

fn table(text: &mut String, settings: &[Setting]) {
    let has_keys = settings.iter().any(|setting| !setting.file_keys.is_empty());
    let (keys, line) = if has_keys { (" `config.php` |", "---|") } else { ("", "") };
    let _ = writeln!(text, "| Flag | Variable |{keys} Default | Meaning |");
    let _ = writeln!(text, "|---|---|{line}---|---|");
    for setting in settings {
        let flag = match setting.flag {
            true => format!("`--{}`", setting.name),
            false => "–".to_owned(),
        };
        let short = setting.short.map(|letter| format!(", `-{letter}`")).unwrap_or_default();
        let keys = if has_keys { format!(" {} |", setting.file_keys) } else { String::new() };
        let _ = writeln!(
            text,
            "| {flag}{short} | `{}` |{keys} {} | {}{} |",
            setting.variable,
            default(setting),
            setting.help,
            remarks(setting)
        );
    }
}

fn default(setting: &Setting) -> String {
    match setting.default {
        SettingDefault::Unset => String::new(),
        SettingDefault::Text(text) => format!("`{text}`"),
        SettingDefault::Described(text) => text.to_owned(),
    }
}

fn remarks(setting: &Setting) -> String {
    match setting.kind {
        SettingKind::Plain => String::new(),
        SettingKind::MayBeEmpty => ". The variable may be empty".to_owned(),
        SettingKind::Secret => format!(". Or `{}_FILE`", setting.variable),
    }
}

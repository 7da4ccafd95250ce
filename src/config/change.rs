//! The difference between the settings in force and those that were read again, from their rows.

use super::{
    ServiceName, SettingRow,
    setting::{Setting, SettingEffect},
};
use std::fmt;

/// A setting whose value is another than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// The service it belongs to, where there are several.
    pub service: Option<ServiceName>,
    /// Its variable, or its name where it has none.
    pub name: &'static str,
    /// When it takes effect.
    pub effect: ChangeEffect,
}

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeEffect {
    /// As soon as it has been read again.
    Immediately,
    /// Never in a running daemon.
    AtRestart,
}

impl SettingChange {
    /// Other services than those that were started.
    pub const SERVICES: Self =
        Self { service: None, name: "the list of services", effect: ChangeEffect::AtRestart };
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(service) = &self.service {
            write!(f, "service {service}: ")?;
        }
        match self.effect {
            ChangeEffect::Immediately => write!(f, "{} changed: in effect now", self.name),
            ChangeEffect::AtRestart => write!(
                f,
                "{} changed: takes effect at the next start, systemctl restart notify_push",
                self.name
            ),
        }
    }
}

/// Compares the rows in force with new ones and takes over those that take effect at once. A
/// setting that waits for a restart is reported at every reload until then.
pub fn apply_rows(in_force: &mut [SettingRow], new: &[SettingRow]) -> Vec<SettingChange> {
    let mut changes = Vec::new();
    for row in in_force {
        let same = |other: &&SettingRow| other.name == row.name && other.service == row.service;
        let Some(fresh) = new.iter().find(same) else { continue };
        if fresh.exact == row.exact {
            continue;
        }
        let effect = effect(row, fresh);
        let name = row.setting.map_or(row.name, |setting: Setting| setting.variable);
        changes.push(SettingChange { service: row.service.clone(), name, effect });
        if effect == ChangeEffect::Immediately {
            row.clone_from(fresh);
        }
    }
    changes
}

fn effect(before: &SettingRow, after: &SettingRow) -> ChangeEffect {
    match before.setting.map(|setting| setting.effect) {
        Some(SettingEffect::Live) => ChangeEffect::Immediately,
        Some(SettingEffect::LiveWhileSet) if before.is_set && after.is_set => {
            ChangeEffect::Immediately
        }
        Some(SettingEffect::LiveWhileSet | SettingEffect::AtStart) | None => {
            ChangeEffect::AtRestart
        }
    }
}

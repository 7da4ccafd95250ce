//! What differs between the settings in force and those that were read again.

use std::fmt;

/// A setting that has another value than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingChange {
    /// What an operator calls it.
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
    /// Other hosts than those that were started with.
    pub const SERVICES: Self = Self { name: "the list of hosts", effect: ChangeEffect::AtRestart };
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// A part of settings with its names; whether it is the same in both.
pub type SettingComparison<S> = (&'static str, fn(&S, &S) -> bool);

/// Every part that differs, those that take effect at once first.
pub fn differing<S>(
    live: &[SettingComparison<S>],
    fixed: &[SettingComparison<S>],
    old: &S,
    new: &S,
) -> Vec<SettingChange> {
    let with = |effect| move |(name, same): &SettingComparison<S>| (*name, *same, effect);
    let parts = live.iter().map(with(ChangeEffect::Immediately));
    let parts = parts.chain(fixed.iter().map(with(ChangeEffect::AtRestart)));
    let differ = parts.filter(|(_, same, _)| !same(old, new));
    differ.map(|(name, _, effect)| SettingChange { name, effect }).collect()
}

//! What differs between the settings in force and those that were read again.

use std::fmt;

/// A setting that has another value than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What an operator calls it.
    pub name: &'static str,
    /// When it takes effect.
    pub effect: Effect,
}

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// As soon as it has been read again.
    AtOnce,
    /// Never in a running daemon.
    AtTheNextStart,
}

impl Change {
    /// Other hosts than those that were started with.
    pub const HOSTS: Self = Self { name: "the list of hosts", effect: Effect::AtTheNextStart };
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.effect {
            Effect::AtOnce => write!(f, "{} changed: in effect now", self.name),
            Effect::AtTheNextStart => write!(
                f,
                "{} changed: takes effect at the next start, systemctl restart notify_push",
                self.name
            ),
        }
    }
}

/// A part of settings with its names; whether it is the same in both.
pub type Part<S> = (&'static str, fn(&S, &S) -> bool);

/// Every part that differs, those that take effect at once first.
pub fn differing<S>(live: &[Part<S>], fixed: &[Part<S>], old: &S, new: &S) -> Vec<Change> {
    let with = |effect| move |(name, same): &Part<S>| (*name, *same, effect);
    let parts = live.iter().map(with(Effect::AtOnce));
    let parts = parts.chain(fixed.iter().map(with(Effect::AtTheNextStart)));
    let differ = parts.filter(|(_, same, _)| !same(old, new));
    differ.map(|(name, _, effect)| Change { name, effect }).collect()
}

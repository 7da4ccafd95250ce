//! PHP's one collection: an ordered map with integer and text keys.

use super::value::{Evaluated, Place, Value};
use indexmap::IndexMap;
use std::fmt;

/// A key of a PHP array.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// An integer key; `'12'` is one too.
    Int(i64),
    /// A text key.
    String(String),
}

/// An element: its value or why it is not known, and where it was written.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) held: Evaluated,
    pub(super) at: Place,
}

/// A PHP array: ordered, with integer and text keys.
///
/// Elements whose value could not be evaluated are not shown by the public methods.
#[derive(Clone, Default)]
pub struct Array {
    pub(super) entries: IndexMap<Key, Entry>,
    /// The next free integer key.
    next: i64,
}

impl Array {
    /// The known element under `key` (`'0'` and 0 are the same key, as in PHP).
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(&Key::from(key))?.held.as_ref().ok()
    }

    /// Where the element under `key` was written.
    pub fn place(&self, key: &str) -> Option<&Place> {
        Some(&self.entries.get(&Key::from(key))?.at)
    }

    /// The known elements in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, entry.held.as_ref().ok()?)))
    }

    /// Whether there is no element at all, known or not.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes under `key`, or under the next free integer.
    pub(super) fn set(&mut self, key: Option<Key>, held: Evaluated, at: Place) {
        let slot = self.slot(key, &at);
        *slot = Entry { held, at };
    }

    /// Writes as `array_merge` and `...` do: text keys replace, others are numbered anew.
    pub(super) fn merge(&mut self, other: Array) {
        for (key, Entry { held, at }) in other.entries {
            self.set(Some(key).filter(|key| matches!(key, Key::String(_))), held, at);
        }
    }

    /// Both arrays; where both have a key, this one's element stays.
    pub(super) fn union(&self, other: &Array) -> Array {
        let mut union = self.clone();
        for (key, entry) in &other.entries {
            if !union.entries.contains_key(key) {
                union.set(Some(key.clone()), entry.held.clone(), entry.at.clone());
            }
        }
        union
    }

    /// The entry under `key` or the next free integer; a new one holds null.
    pub(super) fn slot(&mut self, key: Option<Key>, at: &Place) -> &mut Entry {
        let key = key.unwrap_or(Key::Int(self.next));
        if let Key::Int(int) = key {
            self.next = self.next.max(int.saturating_add(1));
        }
        let null = || Entry { held: Ok(Value::Null), at: at.clone() };
        self.entries.entry(key).or_insert_with(null)
    }
}

impl Key {
    /// Stands for a key that could not be evaluated.
    pub(super) fn unnamed() -> Self {
        Self::String(UNNAMED.to_owned())
    }
}

/// How a key that could not be evaluated is reported.
pub(super) const UNNAMED: &str = "?";

impl From<&str> for Key {
    /// A decimal integer as PHP would print it becomes an integer key.
    fn from(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(int) if int.to_string() == text => Self::Int(int),
            _ => Self::String(text.to_owned()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => int.fmt(f),
            Self::String(text) => f.write_str(text),
        }
    }
}

impl PartialEq for Array {
    /// The same elements in the same order, wherever they were written.
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (&self.entries, &other.entries);
        left.len() == right.len()
            && left.iter().zip(right).all(|((a, x), (b, y))| a == b && x.held == y.held)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

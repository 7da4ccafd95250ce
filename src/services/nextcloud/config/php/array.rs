//! PHP's one collection: an ordered map with integer and text keys.

use super::value::{Evaluated, Place, Unknown, Value};
use indexmap::IndexMap;
use std::{fmt, path::Path};

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
    /// Set where there may be more elements than these.
    pub(super) open: Option<Unknown>,
    /// Set where the order of the elements is not known.
    pub(super) unordered: Option<Unknown>,
    /// The next free integer key.
    next: i64,
}

/// How an element whose key could not be evaluated is reported.
pub(super) const UNNAMED: &str = "?";

impl Array {
    /// An array of which nothing is known.
    pub(super) fn unknown(why: Unknown) -> Self {
        Self { open: Some(why), ..Self::default() }
    }

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
        self.entries.is_empty() && self.open.is_none()
    }

    /// The element under `key`; none where there is none for certain.
    pub(super) fn look(&self, key: &Key) -> Result<Option<&Value>, Unknown> {
        match (self.entries.get(key), &self.open) {
            (Some(entry), _) => entry.held.as_ref().map(Some).map_err(Clone::clone),
            (None, Some(unknown)) => Err(unknown.clone()),
            (None, None) => Ok(None),
        }
    }

    /// All elements in order, when all of them are known.
    pub(super) fn known(&self) -> Result<Vec<(&Key, &Value)>, Unknown> {
        if let Some(unknown) = self.open.as_ref().or(self.unordered.as_ref()) {
            return Err(unknown.clone());
        }
        let elements = self.entries.iter();
        let all: Result<Vec<_>, &Unknown> =
            elements.map(|(key, entry)| Ok((key, entry.held.as_ref()?))).collect();
        all.map_err(Clone::clone)
    }

    /// Notes that an element may have been added.
    pub(super) fn may_hold(&mut self, key: Key, why: &Unknown, at: &Place) {
        self.set(Some(key), Err(why.clone()), at.clone());
        self.unordered.get_or_insert_with(|| why.clone());
    }

    /// Forgets every value: each may have been changed, and others added. The first reason for
    /// that stays.
    pub(super) fn forget(&mut self, why: &Unknown) {
        for entry in self.entries.values_mut().filter(|entry| entry.held.is_ok()) {
            entry.held = Err(why.clone());
        }
        self.open.get_or_insert_with(|| why.clone());
    }

    /// Writes under `key`, or under the next free integer.
    pub(super) fn set(&mut self, key: Option<Key>, held: Evaluated, at: Place) {
        let slot = self.slot(key, &at);
        *slot = Entry { held, at };
    }

    /// Writes what PHP said, or that it has no plain value.
    pub(in super::super) fn set_by_php(&mut self, key: Key, value: Option<Value>, file: &Path) {
        let at = Place::by_php(file);
        let why = "PHP gives no plain value for it";
        let held = value.ok_or_else(|| Unknown { why, at: at.clone() });
        self.set(Some(key), held, at);
    }

    /// Writes as `array_merge` and `...` do: text keys replace, others are numbered anew.
    pub(super) fn merge(&mut self, other: Self) {
        if let Some(unknown) = &other.open {
            self.forget(unknown);
        }
        self.unordered = self.unordered.take().or(other.unordered);
        for (key, Entry { held, at }) in other.entries {
            if self.open.is_some() && matches!(key, Key::Int(_)) {
                continue;
            }
            self.set(Some(key).filter(|key| matches!(key, Key::String(_))), held, at);
        }
    }

    /// Both arrays; where both have a key, this one's element stays.
    pub(super) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for (key, entry) in &other.entries {
            if !union.entries.contains_key(key) {
                let held = self.open.clone().map_or_else(|| entry.held.clone(), Err);
                union.set(Some(key.clone()), held, entry.at.clone());
            }
        }
        union.open = union.open.or_else(|| other.open.clone());
        union.unordered = union.unordered.or_else(|| other.unordered.clone());
        union
    }

    /// The entry under `key` or the next free integer; a new one holds null.
    pub(super) fn slot(&mut self, key: Option<Key>, at: &Place) -> &mut Entry {
        let key = key.unwrap_or(Key::Int(self.next));
        if let Key::Int(int) = key {
            self.next = self.next.max(int.saturating_add(1));
        }
        let held = self.open.clone().map_or(Ok(Value::Null), Err);
        let new = || Entry { held, at: at.clone() };
        self.entries.entry(key).or_insert_with(new)
    }

    /// Whether `[]` would write under a key that depends on PHP's version.
    pub(super) fn appends_by_version(&self) -> bool {
        self.next == 0 && self.entries.keys().any(|key| matches!(key, Key::Int(..0)))
    }
}

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

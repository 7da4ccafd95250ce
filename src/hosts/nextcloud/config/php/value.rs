//! PHP values as configuration holds them, with PHP's conversions.

use indexmap::IndexMap;
use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A PHP value. `Debug` shows its shape and never the content of a string: it may be a secret.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text (PHP's byte strings that are UTF-8).
    String(String),
    /// An ordered map; a PHP list is one with the keys 0, 1, 2…
    Array(Array),
}

/// A key of a PHP array.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// An integer key; `'12'` is one too.
    Int(i64),
    /// A text key.
    String(String),
}

/// Where in which file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: u32,
}

/// Why an expression has no known value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) why: Cow<'static, str>,
    pub(super) at: Place,
}

/// What evaluating an expression gives.
pub(super) type Evaluated = Result<Value, Unknown>;

#[derive(Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) held: Evaluated,
    pub(super) at: Place,
}

/// A PHP array: ordered, with integer and text keys.
///
/// Elements whose value could not be evaluated are not shown by the public methods.
#[derive(Clone, Default, PartialEq)]
pub struct Array {
    pub(super) entries: IndexMap<Key, Entry>,
    next: i64,
}

impl Value {
    /// The element under `key`, when this is an array that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_array()?.get(key)
    }

    /// The array, when this is one.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The elements in order; nothing when this is no array.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.as_array().into_iter().flat_map(Array::iter)
    }

    /// The text as PHP's `(string)` gives it; none for null and arrays.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Array(_) => None,
            Self::Bool(true) => Some("1".into()),
            Self::Bool(false) => Some("".into()),
            Self::Int(int) => Some(int.to_string().into()),
            Self::Float(float) => Some(float_text(*float).into()),
            Self::String(text) => Some(text.as_str().into()),
        }
    }

    /// The integer: also of a numeric string (`'6379'`), a whole float or a boolean. None for
    /// anything PHP would have to cut (`'12abc'`, 1.5) and for null.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Bool(bool) => Some(i64::from(*bool)),
            Self::Int(int) => Some(*int),
            Self::Float(float) => whole(*float),
            Self::String(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
            Self::Null | Self::Array(_) => None,
        }
    }

    /// What an `if` in PHP makes of it: `''`, `'0'`, 0, null and the empty array are false.
    pub fn as_bool(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(bool) => *bool,
            Self::Int(int) => *int != 0,
            Self::Float(float) => *float != 0.0,
            Self::String(text) => !text.is_empty() && text != "0",
            Self::Array(array) => !array.entries.is_empty(),
        }
    }

    /// PHP's name of the type, for messages such as "expected a number, found a string".
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "string",
            Self::Array(_) => "array",
        }
    }
}

/// The largest magnitude up to which every integer is also a double.
const WHOLE_LIMIT: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "guarded: whole and within 2^53")]
pub(super) fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= WHOLE_LIMIT).then_some(float as i64)
}

/// A float as PHP 8 prints it: the shortest digits that read back, `1.0E+25` beyond 15 digits.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NAN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "INF".into() } else { "-INF".into() };
    }
    let size = float.abs();
    if size == 0.0 || (1e-4..1e15).contains(&size) {
        return float.to_string();
    }
    let text = format!("{float:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let dot = if digits.contains('.') { "" } else { ".0" };
    let plus = if exponent.starts_with('-') { "" } else { "+" };
    format!("{digits}{dot}E{plus}{exponent}")
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
        let key = key.unwrap_or(Key::Int(self.next));
        if let Key::Int(int) = key {
            self.next = self.next.max(int.saturating_add(1));
        }
        self.entries.insert(key, Entry { held, at });
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.file.display(), self.line)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(array) => array.fmt(f),
            Self::Bool(bool) => bool.fmt(f),
            other => f.write_str(other.type_name()),
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn debug_never_shows_a_string() {
        let value = Value::from("hunter2");
        assert!(!format!("{value:?} {:?}", Some(&value)).contains("hunter2"));
    }

    #[test]
    fn converts_as_php_does() {
        assert_eq!(Value::from("6379").as_i64(), Some(6379));
        assert_eq!(Value::from("12abc").as_i64(), None);
        assert_eq!(Value::Float(1.5e3).as_str().as_deref(), Some("1500"));
        assert_eq!(Value::Float(1e25).as_str().as_deref(), Some("1.0E+25"));
        assert_eq!(Value::Float(0.1).as_str().as_deref(), Some("0.1"));
        assert!(Value::from("false").as_bool() && !Value::from("0").as_bool());
    }
}

//! PHP values as configuration holds them, with PHP's conversions.

use super::{
    array::{Array, Key},
    convert::{self, Number},
};
use std::{borrow::Cow, fmt, path::Path, sync::Arc};

/// A PHP value. `Debug` shows its shape and never the content of a string: it may be a secret.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text (PHP's byte strings that are UTF-8).
    String(String),
    /// An ordered map; a PHP list is one with the keys 0, 1, 2…
    Array(Array),
}

/// Where in which file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file that has it.
    pub file: Arc<Path>,
    /// The line, from 1; 0 where PHP evaluated the file.
    pub line: u32,
}

impl Place {
    /// A file that PHP evaluated.
    pub(super) fn by_php(file: &Path) -> Self {
        Self { file: file.into(), line: 0 }
    }

    /// Whether PHP evaluated the file.
    pub fn is_by_php(&self) -> bool {
        self.line == 0
    }
}

/// Why an expression has no known value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    /// In words that hold no text of the file: any of it may be a misquoted secret.
    pub(super) why: &'static str,
    pub(super) at: Place,
}

/// What evaluating an expression gives.
pub(super) type Evaluated = Result<Value, Unknown>;

impl Value {
    /// The element under `key`, when this is an array that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_array()?.get(key)
    }

    /// The array 0, 1, 2… of some values.
    pub(super) fn list(values: impl IntoIterator<Item = Value>, at: &Place) -> Self {
        let mut array = Array::default();
        for value in values {
            array.set(None, Ok(value), at.clone());
        }
        Self::Array(array)
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

    /// The text as PHP's `(string)` gives it; none for null, arrays and long floats.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Array(_) => None,
            Self::Bool(true) => Some("1".into()),
            Self::Bool(false) => Some("".into()),
            Self::Int(int) => Some(int.to_string().into()),
            Self::Float(float) => convert::float_text(*float).map(Into::into),
            Self::String(text) => Some(text.as_str().into()),
        }
    }

    /// The integer: also of a numeric string (`'6379'`), a whole float or a boolean. None for
    /// anything PHP would have to cut (`'12abc'`, 1.5) and for null.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Bool(bool) => Some(i64::from(*bool)),
            Self::Int(int) => Some(*int),
            Self::Float(float) => convert::whole(*float),
            Self::String(text) => match convert::numeric(text)? {
                Number::Int(int) => Some(int),
                Number::Float(float) => convert::whole(float),
            },
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
            Self::Array(array) => !array.is_empty(),
        }
    }

    /// As [`Self::as_bool`]; none for an array that may be empty.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Array(array) if array.is_empty() => Some(false),
            Self::Array(array) => array.iter().next().map(|_| true),
            other => Some(other.as_bool()),
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}, evaluated by PHP", self.file.display()),
            line => write!(f, "{} line {line}", self.file.display()),
        }
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

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Int(int) => Self::Int(int),
            Key::String(text) => Self::String(text),
        }
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
        assert_eq!(Value::Float(1e25).as_str(), None);
        assert_eq!(Value::Float(0.1).as_str().as_deref(), Some("0.1"));
        assert!(Value::from("false").as_bool() && !Value::from("0").as_bool());
    }
}

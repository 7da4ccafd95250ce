//! From files to values: the main file, `*.config.php` beside it, and what was left out.

use super::error::PhpError;
use super::value::{Array, Key, Place, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// What a `config.php` may look at besides itself.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions<'a> {
    /// Also merge the `*.config.php` beside the file, in PHP's natural order (`--glob-config`).
    pub glob: bool,
    /// What `getenv()` and `$_ENV` see.
    pub environment: &'a BTreeMap<String, String>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The known top-level keys of `$CONFIG`.
    pub values: BTreeMap<String, Located>,
    /// What was there but could not be evaluated, one note for each key.
    pub skipped: Vec<Skipped>,
}

/// A value and where it was written last.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The value.
    pub value: Value,
    /// The line of the key.
    pub at: Place,
}

/// A key whose value could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Dotted path: `redis.port`. (Keys with dots of their own stand as they are.)
    pub key: String,
    /// Where the value stands.
    pub at: Place,
    /// Why, in words that hold no value.
    pub why: String,
}

impl Loaded {
    /// The value under a top-level key.
    pub fn get(&self, key: &str) -> Option<&Located> {
        self.values.get(key)
    }

    /// The notes on a top-level key and on everything below it.
    pub fn skipped<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Skipped> {
        self.skipped.iter().filter(move |skipped| {
            skipped
                .key
                .strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// Reads a `config.php`.
pub fn read(path: &Path, _options: &ReadOptions<'_>) -> Result<Loaded, PhpError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| PhpError::Read { path: path.to_owned(), source })?;
    let literal = text
        .split_once('=')
        .and_then(|(_, rest)| Some(rest.rsplit_once(';')?.0))
        .ok_or_else(|| PhpError::NoConfig { path: path.to_owned() })?;
    let at = Place { file: path.into(), line: 1 };
    let values = match php_literal_parser::from_str(literal) {
        Ok(php_literal_parser::Value::Array(entries)) => entries
            .into_iter()
            .map(|(key, value)| {
                (key.to_string(), Located { value: plain(value, &at), at: at.clone() })
            })
            .collect(),
        _ => return Err(PhpError::Syntax { at, what: "this is no plain array" }),
    };
    Ok(Loaded { values, skipped: Vec::new() })
}

fn plain(value: php_literal_parser::Value, at: &Place) -> Value {
    match value {
        php_literal_parser::Value::Null => Value::Null,
        php_literal_parser::Value::Bool(bool) => Value::Bool(bool),
        php_literal_parser::Value::Int(int) => Value::Int(int),
        php_literal_parser::Value::Float(float) => Value::Float(float),
        php_literal_parser::Value::String(text) => Value::String(text),
        php_literal_parser::Value::Array(entries) => {
            let mut array = Array::default();
            for (key, value) in entries {
                let key = Key::from(key.to_string().as_str());
                array.set(Some(key), Ok(plain(value, at)), at.clone());
            }
            Value::Array(array)
        }
    }
}

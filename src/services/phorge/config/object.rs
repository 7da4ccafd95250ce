//! Reads typed values from a JSON document and names file and key of what is wrong.

use super::AphlictFileError;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// An object and its path in the document, such as `servers[1]`.
pub(super) struct ConfigObject<'a> {
    pub(super) file: &'a Path,
    pub(super) at: String,
    pub(super) members: &'a Map<String, Value>,
}

impl<'a> ConfigObject<'a> {
    /// Reads the value as an object with only these keys.
    pub(super) fn new(
        file: &'a Path,
        at: impl Into<String>,
        value: &'a Value,
        known: &[&str],
    ) -> Result<Self, AphlictFileError> {
        let at = at.into();
        let Some(members) = value.as_object() else {
            return Err(AphlictFileError::new(file, &at, "expected an object: {…}"));
        };
        let object = Self { file, at, members };
        match members.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(object),
            Some(key) => {
                let known = known.join(", ");
                Err(object
                    .fault(key, format!("there is no such key. Remove it; known are {known}")))
            }
        }
    }

    /// An error about one of its keys.
    pub(super) fn fault(&self, key: &str, problem: impl Into<String>) -> AphlictFileError {
        let dot = if self.at.is_empty() { "" } else { "." };
        AphlictFileError::new(self.file, &format!("{}{dot}{key}", self.at), problem)
    }

    /// The value of a key; null counts as missing.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.members.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, AphlictFileError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(Some).ok_or_else(|| self.fault(key, "expected a text that isn't empty"))
    }

    /// A text; an empty one counts as missing, as in JavaScript.
    pub(super) fn non_empty(&self, key: &str) -> Result<Option<&'a str>, AphlictFileError> {
        match self.get(key).and_then(Value::as_str) {
            Some("") => Ok(None),
            _ => self.text(key),
        }
    }

    pub(super) fn path(&self, key: &str) -> Result<Option<PathBuf>, AphlictFileError> {
        Ok(self.text(key)?.map(PathBuf::from))
    }

    /// A required port.
    pub(super) fn port(&self, key: &str) -> Result<u16, AphlictFileError> {
        let number = self.get(key).and_then(Value::as_u64);
        let port = number.and_then(|number| u16::try_from(number).ok());
        port.ok_or_else(|| self.fault(key, "expected a port number up to 65535, not in quotes"))
    }

    /// The elements of a list, each an object with only these keys.
    pub(super) fn objects(
        &self,
        key: &str,
        known: &[&str],
    ) -> Result<Vec<ConfigObject<'a>>, AphlictFileError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let elements = value.as_array();
        let elements = elements.ok_or_else(|| self.fault(key, "expected a list: […]"))?;
        let object = |(number, value)| {
            ConfigObject::new(self.file, format!("{key}[{number}]"), value, known)
        };
        elements.iter().enumerate().map(object).collect()
    }
}

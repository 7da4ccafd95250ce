//! One table of the services file: the texts of its keys, with their lines.

use super::{SourceText, value};
use crate::config::{ConfigError, SettingSource, SourcedValue, nearest, setting::Setting};
use std::collections::BTreeMap;
use toml::de::DeTable;

/// The values of a table, looked up by setting.
///
/// Some of them are secrets, so this has no `Debug`.
#[derive(Default, Clone)]
pub struct SettingTable {
    entries: BTreeMap<String, SourcedValue<Vec<String>>>,
}

/// The value of a setting in a table.
pub enum TableValue {
    /// One value, or those of a list.
    Values(SourcedValue<Vec<String>>),
    /// The path of a file that holds the value.
    InFile(SourcedValue<String>),
}

impl SettingTable {
    /// Reads a table that may have these keys and no others. `prefix` precedes their names in messages.
    pub(crate) fn read(
        source: &SourceText<'_>,
        prefix: &str,
        table: &DeTable<'_>,
        known: &[String],
    ) -> Result<Self, ConfigError> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            let at = source.source(at, &format!("{prefix}{key}"));
            if !known.iter().any(|one| one == key) {
                return Err(unknown(at, key, known));
            }
            let value = value::texts(value.get_ref())
                .map_err(|problem| ConfigError::invalid(at.clone(), problem))?;
            entries.insert(key.to_owned(), SourcedValue { value, source: at });
        }
        Ok(Self { entries })
    }

    /// Rejects keys other than these.
    pub(crate) fn only(&self, known: &[String]) -> Result<(), ConfigError> {
        match self.entries.iter().find(|(key, _)| !known.contains(key)) {
            Some((key, found)) => Err(unknown(found.source.clone(), key, known)),
            None => Ok(()),
        }
    }

    /// Adds the values of another table.
    pub(crate) fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Removes a key that is not a setting and returns its values.
    pub(crate) fn take(&mut self, key: &str) -> Option<SourcedValue<Vec<String>>> {
        self.entries.remove(key)
    }

    /// Looks up a setting.
    ///
    /// # Errors
    /// [`ConfigError`] if both the value and a file for it are given.
    pub fn get(&self, setting: Setting) -> Result<Option<TableValue>, ConfigError> {
        let plain = self.entries.get(&setting.key());
        let file_key = setting.file_variable().map(|variable| variable.to_ascii_lowercase());
        let file = file_key.and_then(|key| self.entries.get(&key));
        match (plain, file) {
            (Some(_), Some(file)) => {
                let problem = format!("{} is set as well. Set one of them", setting.key());
                Err(ConfigError::invalid(file.source.clone(), problem))
            }
            (Some(values), None) => Ok(Some(TableValue::Values(values.clone()))),
            (None, Some(file)) => {
                let path = file.clone().map(|texts| texts.concat());
                Ok(Some(TableValue::InFile(path)))
            }
            (None, None) => Ok(None),
        }
    }
}

fn unknown(at: SettingSource, key: &str, known: &[String]) -> ConfigError {
    let problem = match nearest(key, known) {
        Some(near) => format!("there is no such key here. Did you mean {near}?"),
        None => format!("there is no such key here. The keys are {}", known.join(", ")),
    };
    ConfigError::invalid(at, problem)
}

//! One table of the file: its keys as texts, with the line in which each stands.

use super::{SourceText, nearest::nearest, value};
use crate::config::{
    ConfigError, SettingSource, SourcedValue,
    setting::{Setting, SettingKind},
};
use std::collections::BTreeMap;
use toml::de::DeTable;

/// What a table says, to be looked up by setting.
///
/// Some of it are secrets, so this has no `Debug`.
#[derive(Default, Clone)]
pub struct SettingTable {
    entries: BTreeMap<String, SourcedValue<Vec<String>>>,
}

/// What a table says of a setting.
pub enum TableValue {
    /// The value, or several.
    Values(SourcedValue<Vec<String>>),
    /// The path of a file that holds the value.
    InFile(SourcedValue<String>),
}

impl SettingTable {
    /// Reads a table that may have these keys and no others. `prefix` is what they are called by.
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

    /// Refuses keys that are none of these.
    pub(crate) fn only(&self, known: &[String]) -> Result<(), ConfigError> {
        match self.entries.iter().find(|(key, _)| !known.contains(key)) {
            Some((key, said)) => Err(unknown(said.source.clone(), key, known)),
            None => Ok(()),
        }
    }

    /// Adds what another table says.
    pub(crate) fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Takes a key out that is no setting.
    pub(crate) fn take(&mut self, key: &str) -> Option<SourcedValue<Vec<String>>> {
        self.entries.remove(key)
    }

    /// What is said of a setting.
    pub fn get(&self, setting: Setting) -> Result<Option<TableValue>, ConfigError> {
        let plain = self.entries.get(&setting.key());
        let file_key = format!("{}_file", setting.key());
        let file = self.entries.get(&file_key).filter(|_| setting.kind == SettingKind::Secret);
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
        Some(near) => format!("there is no such key here. Is {near} meant?"),
        None => format!("there is no such key here, but {}", known.join(", ")),
    };
    ConfigError::invalid(at, problem)
}

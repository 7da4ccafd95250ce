//! The keys of `config.php` with `NC_<key>` variables over them, and what is wrong with them.

use super::php::{self, Array, Key, Loaded, Place, ReadOptions, Skipped, Value};
use crate::{
    config::{ConfigError, SettingSource},
    services::nextcloud::settings::ConfigFileRequest,
};
use std::collections::BTreeMap;

/// Nextcloud takes a key from the variable of this name and the key, as text, even an empty one.
const PREFIX: &str = "NC_";

/// The top-level keys.
pub(super) struct ConfigKeys {
    loaded: Loaded,
    overrides: BTreeMap<String, (Value, SettingSource)>,
}

/// A key that is there.
pub(super) struct ConfigEntry<'a> {
    keys: &'a ConfigKeys,
    /// Dotted where it is nested.
    name: String,
    pub(super) value: &'a Value,
    pub(super) source: SettingSource,
}

type ConfigResult<T> = std::result::Result<T, ConfigError>;

impl ConfigKeys {
    pub(super) fn read(request: &ConfigFileRequest<'_>) -> ConfigResult<Self> {
        let environment = request.environment.merged();
        let options = ReadOptions { glob: request.glob, environment: &environment };
        let loaded = match request.path {
            Some(path) => {
                php::read(path, &options).map_err(|error| ConfigError::File(error.into()))?
            }
            None => Loaded::default(),
        };
        let overrides = environment.iter().filter_map(|(name, text)| {
            let key = name.strip_prefix(PREFIX)?;
            let source = request.environment.source(name);
            Some((key.to_owned(), (Value::from(text.as_str()), source)))
        });
        Ok(Self { overrides: overrides.collect(), loaded })
    }

    /// One warning for each key that could not be evaluated.
    pub(super) fn skipped(&self) -> Vec<String> {
        let skipped = self.loaded.skipped.iter();
        skipped.map(|Skipped { key, at, why }| format!("{at}: {key} is left out: {why}")).collect()
    }

    /// A key, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> ConfigResult<Option<ConfigEntry<'_>>> {
        if let Some((value, source)) = self.overrides.get(name) {
            let (name, source) = (name.to_owned(), source.clone());
            return Ok(Some(ConfigEntry { keys: self, name, value, source }));
        }
        if let Some(located) = self.loaded.get(name) {
            return Ok(self.entry(name.to_owned(), &located.value, &located.at));
        }
        self.evaluated(name).map(|()| None)
    }

    fn entry<'a>(&'a self, name: String, value: &'a Value, at: &Place) -> Option<ConfigEntry<'a>> {
        let source = source(at, &name);
        (*value != Value::Null).then_some(ConfigEntry { keys: self, name, value, source })
    }

    /// Fails when there is something in the file that could be any key: for keys that are absent
    /// and needed.
    pub(super) fn complete(&self) -> ConfigResult<()> {
        self.evaluated("?")
    }

    /// Fails when there is something under this name that could not be evaluated.
    fn evaluated(&self, name: &str) -> ConfigResult<()> {
        match self.loaded.skipped.iter().find(|skipped| skipped.key == name) {
            None => Ok(()),
            Some(Skipped { key, at, why }) => Err(ConfigError::NotEvaluated {
                at: source(at, key),
                why,
                remedy: "Write a plain value there, or give the setting by its flag or \
                         environment variable",
            }),
        }
    }

    /// A key's text; none where it is empty.
    pub(super) fn text(&self, name: &str) -> ConfigResult<Option<String>> {
        let text = self.get(name)?.map(|entry| entry.text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }
}

fn source(at: &Place, key: &str) -> SettingSource {
    SettingSource::File { file: at.file.clone(), line: at.line, key: key.to_owned() }
}

impl<'a> ConfigEntry<'a> {
    /// What an operator is told about this value.
    pub(super) fn invalid(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::invalid(self.source.clone(), problem)
    }

    fn expected(&self, what: &str) -> ConfigError {
        let article = if self.value.type_name().starts_with(['a', 'i']) { "an" } else { "a" };
        self.invalid(format!("this is {article} {}; expected {what}", self.value.type_name()))
    }

    pub(super) fn text(&self) -> ConfigResult<String> {
        let text = self.value.as_str().ok_or_else(|| self.expected("a string"))?;
        Ok(text.into_owned())
    }

    /// A number, also as a string; none where that is empty.
    pub(super) fn number(&self) -> ConfigResult<Option<i64>> {
        match self.value {
            Value::String(text) if text.trim().is_empty() => Ok(None),
            value => value.as_i64().map(Some).ok_or_else(|| self.expected("a number")),
        }
    }

    pub(super) fn port(&self) -> ConfigResult<Option<u16>> {
        let Some(number) = self.number()? else { return Ok(None) };
        let port = u16::try_from(number);
        port.map(Some).map_err(|_| self.invalid("expected a port number from 0 to 65535"))
    }

    pub(super) fn array(&self) -> ConfigResult<&'a Array> {
        self.value.as_array().ok_or_else(|| self.expected("an array"))
    }

    /// An element of this array, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> ConfigResult<Option<ConfigEntry<'a>>> {
        let array = self.array()?;
        let path = format!("{}.{name}", self.name);
        let Some(value) = array.get(name) else {
            return self.keys.evaluated(&path).map(|()| None);
        };
        let source = array.place(name).map_or_else(|| self.source.clone(), |at| source(at, &path));
        let there = *value != Value::Null;
        Ok(there.then_some(ConfigEntry { keys: self.keys, name: path, value, source }))
    }

    /// An element's text; none where it is empty.
    pub(super) fn get_text(&self, name: &str) -> ConfigResult<Option<String>> {
        let text = self.get(name)?.map(|entry| entry.text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The elements of this list. Fails when one of them could not be evaluated.
    pub(super) fn list(&self) -> ConfigResult<Vec<ConfigEntry<'a>>> {
        let array = self.array()?;
        let below = format!("{}.", self.name);
        if let Some(skipped) =
            self.keys.loaded.skipped.iter().find(|skipped| skipped.key.starts_with(&below))
        {
            self.keys.evaluated(&skipped.key)?;
        }
        let names = array.iter().map(|(key, _): (&Key, _)| key.to_string());
        Ok(names
            .map(|name| self.get(&name))
            .collect::<ConfigResult<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

//! The keys of `config.php` with `NC_<key>` variables over them, and what is wrong with them.

use super::{
    interpreter::{InterpreterError, InterpreterRequest, PhpInterpreter},
    php::{self, Array, Key, Loaded, PhpError, Place, ReadOptions, Skipped, Value},
};
use crate::{
    config::{ConfigError, Setting, SettingKind, SettingSource},
    services::nextcloud::settings::{ConfigFileRequest, NEXTCLOUD_SETTINGS},
};
use std::{collections::BTreeMap, path::PathBuf};

/// Nextcloud takes a key from the variable of this name and the key, as text, even an empty one.
const PREFIX: &str = "NC_";

/// How keys are reported of which only PHP knows the name.
const ANY: &str = "?";

/// The top-level keys.
pub(super) struct ConfigKeys {
    loaded: Loaded,
    /// Why PHP gave no answer, where it was asked.
    asked: String,
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

/// The keys that this daemon needs PHP's answer for.
const REQUIRED_TABLES: &[&str] = &[
    "auth.bruteforce.max-attempts",
    "auth.bruteforce.protection.enabled",
    "datadirectory",
    "dbdriveroptions",
    "dbhost",
    "dbname",
    "dbpassword",
    "dbport",
    "dbtableprefix",
    "dbtype",
    "dbuser",
    "forwarded_for_headers",
    "notify_push_redis",
    "notify_push_redis.cluster",
    "overwrite.cli.url",
    "overwriteprotocol",
    "overwritewebroot",
    "pgsql_ssl",
    "redis",
    "redis.cluster",
    "secret",
    "security.ipv6_normalized_subnet_size",
    "token_auth_enforced",
    "trusted_domains",
    "trusted_proxies",
    "twofactor_enforced",
    "twofactor_enforced_excluded_groups",
    "twofactor_enforced_groups",
];

/// The keys that errors name together.
const REQUIRED: &[&str] =
    &["dbtype", "dbhost", "dbname", "dbuser", "dbpassword", "redis", "secret", "overwrite.cli.url"];

/// Variables that hold secrets of this daemon, or concern its process alone: not for PHP.
const WITHHELD: &[&str] = &["AUTH_TOKEN", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

const REMEDY: &str = "Write a plain value there, or give the setting by its flag or environment \
                      variable";

impl ConfigKeys {
    /// The keys, and what an operator should know about them. What stays unknown is asked of PHP.
    pub(super) fn read(
        request: &ConfigFileRequest<'_>,
        interpreter: &dyn PhpInterpreter,
    ) -> ConfigResult<(Self, Vec<String>)> {
        let environment = request.environment.merged();
        let overrides = environment.iter().filter_map(|(name, text)| {
            let key = name.strip_prefix(PREFIX)?;
            let source = request.environment.source(name);
            Some((key.to_owned(), (Value::from(text.as_str()), source)))
        });
        let overrides = overrides.collect();
        let mut keys = Self { loaded: Loaded::default(), overrides, asked: String::new() };
        let Some(path) = request.path else { return Ok((keys, Vec::new())) };
        let options = ReadOptions { glob: request.glob, environment: &environment };
        let read = php::read(path, &options);
        let complete = read.as_ref().is_ok_and(|loaded| !keys.lacks(loaded));
        if complete || matches!(&read, Err(error) if !error.may_ask_php()) {
            keys.loaded = read.map_err(file_error)?;
            let warnings = keys.skipped();
            return Ok((keys, warnings));
        }
        match ask(interpreter, &php::merged_files(path, request.glob), environment) {
            Ok(answer) if read.is_ok() || !answer.is_empty() => {
                keys.loaded = read.unwrap_or_default();
                let differing = keys.loaded.take_answer(answer);
                let mut warnings = keys.skipped();
                warnings.extend(differing.iter().map(|key| {
                    format!("{}: PHP gives another value for {key}; using PHP's", path.display())
                }));
                Ok((keys, warnings))
            }
            answer => {
                keys.loaded = read.map_err(file_error)?;
                keys.asked = answer.err().map(|error| format!("; {error}")).unwrap_or_default();
                let warnings = keys.skipped();
                Ok((keys, warnings))
            }
        }
    }

    /// Whether a key that is needed is unknown.
    fn lacks(&self, loaded: &Loaded) -> bool {
        REQUIRED_TABLES
            .iter()
            .any(|key| !self.overrides.contains_key(*key) && loaded.skipped(key).next().is_some())
    }

    /// One warning for each piece of code that left keys unknown.
    fn skipped(&self) -> Vec<String> {
        let mut causes: Vec<(&Place, &str, Vec<&str>)> = Vec::new();
        for Skipped { key, at, why } in &self.loaded.skipped {
            let cause = causes.iter_mut().find(|cause| (cause.0, cause.1) == (at, *why));
            match cause {
                Some((_, _, keys)) => keys.push(key),
                None => causes.push((at, why, vec![key])),
            }
        }
        let asked = &self.asked;
        let warning = |(at, why, mut keys): (&Place, &str, Vec<&str>)| {
            keys.sort_by_key(|key| (!REQUIRED_TABLES.contains(key), *key == ANY));
            let keys = keys.iter().map(|key| if *key == ANY { "any other key" } else { key });
            let keys = keys.collect::<Vec<_>>().join(", ");
            format!("{at}: left out {keys}: {why}{asked}")
        };
        causes.into_iter().map(warning).collect()
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
        self.evaluated(name, ANY).map(|()| None)
    }

    fn entry<'a>(&'a self, name: String, value: &'a Value, at: &Place) -> Option<ConfigEntry<'a>> {
        let source = source(at, &name);
        (*value != Value::Null).then_some(ConfigEntry { keys: self, name, value, source })
    }

    /// Fails when the value under this name could not be evaluated, or code that was not evaluated
    /// may have set it: then `any` is reported.
    fn evaluated(&self, name: &str, any: &str) -> ConfigResult<()> {
        let unknown = |skipped: &&Skipped| skipped.key == name || skipped.key == any;
        match self.loaded.skipped.iter().find(unknown) {
            None => Ok(()),
            Some(Skipped { at, why, .. }) => Err(ConfigError::NotEvaluated {
                at: source(at, name),
                why: format!("{why}{}{}", self.also_unknown(name, at), self.asked),
                remedy: REMEDY,
            }),
        }
    }

    /// Names the keys that no daemon does without and that the same code left unknown.
    fn also_unknown(&self, name: &str, at: &Place) -> String {
        let same = |key: &&&str| {
            let mut causes = self.loaded.skipped(key).filter(|skipped| skipped.at == *at);
            let known = self.loaded.get(key).is_some() || self.overrides.contains_key(**key);
            **key != name && !known && causes.next().is_some()
        };
        let keys: Vec<_> = REQUIRED.iter().filter(same).copied().collect();
        if keys.is_empty() { String::new() } else { format!(" (likewise {})", keys.join(", ")) }
    }

    /// A key's text; none where it is empty.
    pub(super) fn text(&self, name: &str) -> ConfigResult<Option<String>> {
        let text = self.get(name)?.map(|entry| entry.text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }
}

fn source(at: &Place, key: &str) -> SettingSource {
    let (file, key) = (at.file.clone(), key.to_owned());
    if at.is_by_php() {
        return SettingSource::Php { file, key };
    }
    SettingSource::File { file, line: at.line, key }
}

fn file_error(error: PhpError) -> ConfigError {
    ConfigError::File(error.into())
}

/// PHP's answer. PHP gets the environment without this daemon's own secrets.
fn ask(
    interpreter: &dyn PhpInterpreter,
    files: &[PathBuf],
    mut environment: BTreeMap<String, String>,
) -> std::result::Result<Array, InterpreterError> {
    let secret = |setting: &&Setting| setting.kind == SettingKind::Secret;
    let secrets = NEXTCLOUD_SETTINGS.iter().filter(secret).map(|setting| setting.variable);
    let mut withheld = Vec::new();
    for name in secrets.chain(WITHHELD.iter().copied()) {
        for name in [name.to_owned(), format!("{name}_FILE")] {
            if environment.remove(&name).is_some() {
                withheld.push(name);
            }
        }
    }
    let request = InterpreterRequest { files, environment: &environment, withheld: &withheld };
    interpreter.evaluate(&request)
}

impl<'a> ConfigEntry<'a> {
    /// The error about this value, for the operator.
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
            return self.keys.evaluated(&path, &format!("{}.{ANY}", self.name)).map(|()| None);
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
        self.elements()?.into_iter().collect()
    }

    /// The elements of this list, each by itself: one that could not be evaluated costs no other.
    pub(super) fn elements(&self) -> ConfigResult<Vec<ConfigResult<ConfigEntry<'a>>>> {
        let below = format!("{}.", self.name);
        let skipped = self.keys.loaded.skipped.iter().map(|skipped| skipped.key.as_str());
        let direct = |key: &&str| !key.contains('.');
        let unknown = skipped.filter_map(|key| key.strip_prefix(&below)).filter(direct);
        let known = self.array()?.iter().map(|(key, _): (&Key, _)| key.to_string());
        let names = known.chain(unknown.map(str::to_owned));
        Ok(names.filter_map(|name| self.get(&name).transpose()).collect())
    }
}

//! The environment of the process and the environment file beside it.

use super::{ConfigError, SettingSource};
use std::collections::BTreeMap;

/// Variables of the process, and those of `.env`, which hold where the process has none.
///
/// Some of them are secrets, so this has no `Debug`.
#[derive(Default)]
pub struct EnvironmentVariables {
    process: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

/// One of the two layers.
pub(crate) struct EnvironmentLayer<'a> {
    variables: &'a BTreeMap<String, String>,
    source: fn(String) -> SettingSource,
}

impl EnvironmentVariables {
    /// `dotenv` is the content of the `.env` file, when there is one.
    pub fn new(
        process: BTreeMap<String, String>,
        dotenv: Option<&str>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { process, dotenv: dotenv.map(parse).transpose()?.unwrap_or_default() })
    }

    /// Both, the stronger first.
    pub(crate) fn layers(&self) -> [EnvironmentLayer<'_>; 2] {
        [
            EnvironmentLayer { variables: &self.process, source: SettingSource::Environment },
            EnvironmentLayer { variables: &self.dotenv, source: SettingSource::DotEnv },
        ]
    }

    /// What a program would see that loads `.env` into its environment.
    pub fn merged(&self) -> BTreeMap<String, String> {
        let mut merged = self.dotenv.clone();
        merged.extend(self.process.iter().map(|(name, value)| (name.clone(), value.clone())));
        merged
    }

    /// The same without the variables whose names begin so.
    #[must_use]
    pub fn without(&self, prefix: &str) -> Self {
        let keep = |variables: &BTreeMap<String, String>| {
            let other = variables.iter().filter(|(name, _)| !name.starts_with(prefix));
            other.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Self { process: keep(&self.process), dotenv: keep(&self.dotenv) }
    }

    /// Where a variable of [`EnvironmentVariables::merged`] comes from.
    pub fn source(&self, name: &str) -> SettingSource {
        let known = self.process.contains_key(name);
        if known {
            SettingSource::Environment(name.to_owned())
        } else {
            SettingSource::DotEnv(name.to_owned())
        }
    }
}

impl<'a> EnvironmentLayer<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(crate) fn source(&self, name: &str) -> SettingSource {
        (self.source)(name.to_owned())
    }
}

/// As dotenv files go, the first of several lines for one name counts.
fn parse(content: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let content = content.trim_start_matches('\u{feff}');
    let mut variables = BTreeMap::new();
    for item in dotenvy::Iter::new(content.as_bytes()) {
        let (name, value) =
            item.map_err(|error| ConfigError::DotEnv { line: line_of(content, &error) })?;
        variables.entry(name).or_insert(value);
    }
    Ok(variables)
}

/// The error holds the text that was not understood: its place is told, never the text.
fn line_of(content: &str, error: &dotenvy::Error) -> usize {
    let text = match error {
        dotenvy::Error::LineParse(text, _) => text.as_str(),
        _ => "",
    };
    let before = content.find(text).and_then(|at| content.get(..at)).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(process: &[(&str, &str)], dotenv: &str) -> Result<EnvironmentVariables, String> {
        let process = process.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        EnvironmentVariables::new(process, Some(dotenv)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_process_wins_over_dotenv() {
        let both = environment(&[("A", "1")], "A=2\nexport B=\"x y\" # why\n").unwrap();
        let merged = both.merged();
        assert_eq!((merged["A"].as_str(), merged["B"].as_str()), ("1", "x y"));
        assert_eq!(both.source("A"), SettingSource::Environment("A".into()));
        assert_eq!(both.source("B"), SettingSource::DotEnv("B".into()));
    }

    #[test]
    fn an_error_in_dotenv_names_the_line_and_not_the_text() {
        let error = environment(&[], "A=1\n# two\nPASS word=hunter2\n").err().unwrap();
        assert!(error.starts_with("environment file line 3:"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

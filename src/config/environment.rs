//! The environment of the process and the environment file beside it.

use super::{ConfigError, SettingSource, SystemProbes, nearest::nearest_typo};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// The variable that names the environment file.
const FILE_VARIABLE: &str = "ENV_FILE";
/// The environment file in the working directory, if no variable names one.
const DEFAULT_FILE: &str = ".env";
/// The most faulty lines that are listed.
const MAX_WARNINGS: usize = 10;

/// Variables of the process, and those of the environment file, which apply where the process has
/// none.
///
/// Some of them are secrets, so this has no `Debug`.
#[derive(Default)]
pub struct EnvironmentVariables {
    process: BTreeMap<String, String>,
    file: BTreeMap<String, FileVariable>,
    /// The environment file, where there is one.
    path: PathBuf,
    /// Faults of a file that was not named explicitly.
    pub(crate) warnings: Vec<String>,
}

/// A variable of the environment file.
#[derive(Clone)]
struct FileVariable {
    value: String,
    line: usize,
}

/// One of the two layers.
pub(crate) struct EnvironmentLayer<'a> {
    variables: BTreeMap<&'a str, &'a str>,
    source: fn(String) -> SettingSource,
}

impl EnvironmentVariables {
    /// Reads the environment file that `ENV_FILE` names, else `.env` in the working directory, which
    /// may belong to another program: its faults are warnings.
    ///
    /// # Errors
    /// [`ConfigError`]: a file that was named can't be read, or has a line that can't.
    pub fn read(
        process: BTreeMap<String, String>,
        probes: &SystemProbes<'_>,
    ) -> Result<Self, ConfigError> {
        let named = process.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let path = named.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let mut environment = Self { process, path: path.clone(), ..Self::default() };
        match (probes.read)(&path) {
            Ok(content) => environment.parse(&content, named.is_some())?,
            Err(source) if named.is_some() => {
                return Err(ConfigError::unreadable(FILE_VARIABLE, &path, source, probes));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => environment.warnings.push(format!(
                "the environment file {} can't be read and is ignored: {error}",
                path.display()
            )),
        }
        Ok(environment)
    }

    /// As dotenv files go, the first of several lines for one name counts.
    fn parse(&mut self, content: &str, strict: bool) -> Result<(), ConfigError> {
        let content = content.trim_start_matches('\u{feff}');
        let mut faulty = Vec::new();
        for item in dotenvy::Iter::new(content.as_bytes()) {
            match item {
                Ok((name, value)) => {
                    let line = line_of_name(content, &name);
                    self.file.entry(name).or_insert(FileVariable { value, line });
                }
                Err(error) => faulty.push(line_of_error(content, &error)),
            }
        }
        match faulty.first() {
            Some(&line) if strict => {
                return Err(ConfigError::EnvironmentFile { file: self.path.clone(), line });
            }
            _ => {}
        }
        let name = self.path.display().to_string();
        let warning = |line: &usize| {
            format!(
                "environment file {name} line {line}: not of the form NAME=value; ignored. Quote \
                 values that contain blanks, quotes or # signs"
            )
        };
        self.warnings.extend(faulty.iter().take(MAX_WARNINGS).map(warning));
        Ok(())
    }

    /// Both layers, the stronger first.
    pub(crate) fn layers(&self) -> [EnvironmentLayer<'_>; 2] {
        let process = self.process.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let file = self.file.iter().map(|(name, found)| (name.as_str(), found.value.as_str()));
        [
            EnvironmentLayer { variables: process.collect(), source: SettingSource::Environment },
            EnvironmentLayer { variables: file.collect(), source: SettingSource::EnvironmentFile },
        ]
    }

    /// One warning for each variable of the file that is most likely a mistyped setting.
    pub(crate) fn typo_warnings(&self, known: &[String]) -> Vec<String> {
        let unknown = self.file.iter().filter(|(name, _)| !known.contains(name));
        let near = unknown.filter_map(|(name, found)| {
            let near = nearest_typo(name, known)?;
            let (path, line) = (self.path.display(), found.line);
            Some(format!(
                "environment file {path} line {line}: there is no setting {name}. Did you mean \
                 {near}?"
            ))
        });
        near.take(MAX_WARNINGS).collect()
    }

    /// The variables that a program would have that loads the file into its environment.
    pub fn merged(&self) -> BTreeMap<String, String> {
        let file = self.file.iter().map(|(name, found)| (name.clone(), found.value.clone()));
        let mut merged: BTreeMap<_, _> = file.collect();
        merged.extend(self.process.iter().map(|(name, value)| (name.clone(), value.clone())));
        merged
    }

    /// The same without the variables whose names begin with this prefix.
    #[must_use]
    pub fn without(&self, prefix: &str) -> Self {
        let other = |name: &String| !name.starts_with(prefix);
        let process = self.process.iter().filter(|(name, _)| other(name));
        let file = self.file.iter().filter(|(name, _)| other(name));
        Self {
            process: process.map(|(name, value)| (name.clone(), value.clone())).collect(),
            file: file.map(|(name, found)| (name.clone(), found.clone())).collect(),
            path: self.path.clone(),
            warnings: Vec::new(),
        }
    }

    /// The source of a variable of [`EnvironmentVariables::merged`].
    pub fn source(&self, name: &str) -> SettingSource {
        if self.process.contains_key(name) {
            SettingSource::Environment(name.to_owned())
        } else {
            SettingSource::EnvironmentFile(name.to_owned())
        }
    }

    /// The path of the environment file.
    pub fn file(&self) -> &Path {
        &self.path
    }
}

impl<'a> EnvironmentLayer<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name).copied()
    }

    pub(crate) fn source(&self, name: &str) -> SettingSource {
        (self.source)(name.to_owned())
    }
}

/// The first line that assigns this variable, from 1.
fn line_of_name(content: &str, name: &str) -> usize {
    let assigns = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    content.lines().position(assigns).map_or(1, |line| line + 1)
}

/// The line of an error, from 1. The error holds the line's text, which may be a secret.
fn line_of_error(content: &str, error: &dotenvy::Error) -> usize {
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

    /// An environment file named by `ENV_FILE`, or `.env`.
    fn environment(
        process: &[(&str, &str)],
        content: &str,
    ) -> Result<EnvironmentVariables, String> {
        let process = process.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let probes = SystemProbes {
            read: &|path| match path.to_str() {
                Some(".env" | "/etc/environment") => Ok(content.to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
            siblings: &|_| vec!["environment".to_owned()],
            ..SystemProbes::NONE
        };
        EnvironmentVariables::read(process, &probes).map_err(|error| error.to_string())
    }

    #[test]
    fn the_process_wins_over_the_file() {
        let both = environment(&[("A", "1")], "A=2\nexport B=\"x y\" # why\n").unwrap();
        let merged = both.merged();
        assert_eq!((merged["A"].as_str(), merged["B"].as_str()), ("1", "x y"));
        assert_eq!(both.source("A"), SettingSource::Environment("A".into()));
        assert_eq!(both.source("B"), SettingSource::EnvironmentFile("B".into()));
    }

    #[test]
    fn a_named_file_must_be_readable_and_the_error_names_line_and_never_text() {
        let named = [("ENV_FILE", "/etc/environment")];
        let error = environment(&named, "A=1\n# two\nPASS word=hunter2\n").err().unwrap();
        assert!(error.starts_with("environment file /etc/environment line 3:"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let error = environment(&[("ENV_FILE", "/etc/enviroment")], "").err().unwrap();
        assert!(error.contains("ENV_FILE: cannot read /etc/enviroment"), "{error}");
        assert!(error.contains("did you mean /etc/environment?"), "{error}");
    }

    /// Lines of .env files for docker compose, most of which dotenv libraries refuse.
    const COMPOSE_FORMS: [&str; 20] = [
        "PASS=a b c",
        "PASS=it's",
        "PASS=say \"hi\" there",
        "PASS='it''s'",
        "PASS: value",
        "PASS",
        "PASS = value",
        "1PASS=value",
        "PASS-WORD=value",
        "pass.word=value",
        "PASS=\"unterminated",
        "PASS='unterminated",
        "PASS=a\\ b\\q",
        "PASS=${OTHER:-default}",
        "PASS=${OTHER:?required}",
        "PASS=$(date)",
        "PASS=a#b # c",
        "export PASS",
        "=value",
        "[section]",
    ];

    #[test]
    fn a_file_in_the_working_directory_only_warns() {
        for form in COMPOSE_FORMS {
            let content = format!("PORT=1\n{form}\n");
            let read = environment(&[], &content).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(read.merged()["PORT"], "1", "{form}");
            for warning in &read.warnings {
                assert!(warning.starts_with("environment file .env line 2: "), "{form}: {warning}");
            }
        }
        let good = environment(&[], "PASS=a b c\nPORT=2\n").unwrap();
        assert_eq!(good.merged()["PORT"], "2", "the lines after a faulty one count");
        assert_eq!(good.warnings.len(), 1);
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let probes = SystemProbes {
            read: &|_| Err(io::ErrorKind::IsADirectory.into()),
            ..SystemProbes::NONE
        };
        let read = EnvironmentVariables::read(BTreeMap::new(), &probes).unwrap();
        assert!(read.warnings[0].contains("the environment file .env can't be read"));
        assert!(environment(&[("ENV_FILE", "")], "A=1").is_ok(), "an empty variable is not set");
    }

    #[test]
    fn a_mistyped_variable_gets_the_nearest_name() {
        let known = ["PORT", "DATABASE_URL"].map(str::to_owned);
        let read = environment(&[], "A=1\nDATABSE_URL=x\nHOST=y\nPORT=1\n").unwrap();
        assert_eq!(
            read.typo_warnings(&known),
            ["environment file .env line 2: there is no setting DATABSE_URL. Did you mean \
              DATABASE_URL?"]
        );
    }
}

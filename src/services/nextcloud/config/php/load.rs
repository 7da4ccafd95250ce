//! From files to values: the main file, `*.config.php` beside it, and what was left out.

use super::{
    array::{Array, UNNAMED},
    error::PhpError,
    evaluate::Evaluator,
    files::{Disk, Files, MAX_FILE},
    order, parser,
    source::{self, Source},
    value::{Evaluated, Place, Value},
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::ErrorKind,
    path::{Path, PathBuf},
};

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
    /// The value of the key.
    pub value: Value,
    /// The line of the key.
    pub at: Place,
}

/// A key whose value could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Dotted path: `redis.port` (keys with dots of their own stand as they are). A `?` in it is a
    /// key that could not be evaluated itself; `?` alone may stand for any key.
    pub key: String,
    /// Where the value stands.
    pub at: Place,
    /// Why, in words that hold no text of the file.
    pub why: &'static str,
}

impl Loaded {
    /// The value under a top-level key.
    pub fn get(&self, key: &str) -> Option<&Located> {
        self.values.get(key)
    }

    /// The notes that may concern a top-level key: on itself, on what is below it, and on keys
    /// that could not be evaluated.
    pub fn skipped<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Skipped> {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('.');
        self.skipped.iter().filter(move |skipped| {
            skipped.key == UNNAMED || skipped.key.strip_prefix(key).is_some_and(below)
        })
    }

    /// Takes over what PHP made of the files. Names the keys that were known, and otherwise.
    pub fn take_answer(&mut self, answer: Array) -> Vec<String> {
        let mut own = std::mem::take(self);
        let mut php = Self::from(answer);
        let certain = |own: &Self, key: &str| own.skipped(key).next().is_none();
        let mut differing = Vec::new();
        for (key, located) in &mut php.values {
            match own.values.remove(key) {
                Some(known) if known.value == located.value => *located = known,
                Some(_) if certain(&own, key) => differing.push(key.clone()),
                _ => {}
            }
        }
        let gone = own.values.keys().filter(|key| certain(&own, key));
        differing.extend(gone.cloned());
        *self = php;
        differing
    }
}

/// The files that Nextcloud merges: the main one, and with `glob` those beside it.
pub fn merged_files(path: &Path, glob: bool) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    if glob {
        files.extend(beside(&Disk, path).iter().map(|name| path.with_file_name(name)));
    }
    files
}

/// Reads a `config.php` from the file system.
pub fn read(path: &Path, options: &ReadOptions<'_>) -> Result<Loaded, PhpError> {
    read_from(&Disk, path, options)
}

/// Reads a `config.php` from any files.
pub(super) fn read_from(
    files: &dyn Files,
    path: &Path,
    options: &ReadOptions<'_>,
) -> Result<Loaded, PhpError> {
    let main = open(files, path)?;
    let mut evaluator = Evaluator::new(files, options.environment, main.clone());
    let config = run(files, &mut evaluator, main.clone())?;
    if config.is_none() && !options.glob {
        return Err(PhpError::NoConfig { path: path.to_owned() });
    }
    let mut merged = array(config);
    for name in if options.glob { beside(files, path) } else { Vec::new() } {
        let source = open(files, &main.shown.with_file_name(name))?;
        let config = run(files, &mut evaluator, source.clone())?;
        merged.merge(array(config));
    }
    Ok(Loaded::from(merged))
}

fn open(files: &dyn Files, path: &Path) -> Result<Source, PhpError> {
    let real =
        files.real(path).map_err(|source| PhpError::Read { path: path.to_owned(), source })?;
    Ok(Source { shown: path.into(), real })
}

/// Evaluates one file and returns its `$CONFIG`.
fn run(
    files: &dyn Files,
    evaluator: &mut Evaluator<'_>,
    source: Source,
) -> Result<Option<Evaluated>, PhpError> {
    let path = source.shown.to_path_buf();
    let bytes = files.read(&source.real, MAX_FILE).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => PhpError::TooLarge { path, limit: MAX_FILE },
        ErrorKind::WouldBlock => PhpError::Locked { path },
        _ => PhpError::Read { path, source: error },
    })?;
    let text = source::decode(&bytes);
    let program = parser::file(&text, 0)
        .map_err(|fault| PhpError::Syntax { at: source.place(fault.line), what: fault.what })?;
    let outcome = evaluator.run(source, program);
    match outcome.exhausted {
        Some(at) => Err(PhpError::TooMuchWork { at }),
        None => Ok(outcome.config),
    }
}

/// What Nextcloud merges: arrays alone. Something unknown is kept as a hole of its own.
fn array(config: Option<Evaluated>) -> Array {
    match config {
        Some(Ok(Value::Array(array))) => array,
        Some(Err(unknown)) => Array::unknown(unknown),
        None | Some(Ok(_)) => Array::default(),
    }
}

/// The names of the `*.config.php` beside the main file, in the order in which Nextcloud merges
/// them.
fn beside(files: &dyn Files, main: &Path) -> Vec<String> {
    let mut names = files.names(main.parent().unwrap_or(Path::new("")));
    names.retain(|name| {
        name.ends_with(".config.php")
            && !name.starts_with('.')
            && main.file_name() != Some(OsStr::new(name))
    });
    names.sort_by(|a, b| order::natural(a, b).then_with(|| a.cmp(b)));
    names
}

impl From<Array> for Loaded {
    fn from(array: Array) -> Self {
        let mut loaded = Self::default();
        report(&array, "", &mut loaded.skipped);
        for (key, entry) in array.entries {
            if let Ok(value) = entry.held {
                loaded.values.insert(key.to_string(), Located { value, at: entry.at });
            }
        }
        loaded
    }
}

/// Notes every hole below `prefix`; values are no deeper than the evaluator lets them be.
fn report(array: &Array, prefix: &str, skipped: &mut Vec<Skipped>) {
    for (key, entry) in &array.entries {
        let key = format!("{prefix}{key}");
        match &entry.held {
            Ok(Value::Array(inner)) => report(inner, &(key + "."), skipped),
            Ok(_) => {}
            Err(unknown) => skipped.push(Skipped { key, at: unknown.at.clone(), why: unknown.why }),
        }
    }
    if let Some(unknown) = &array.open {
        let key = format!("{prefix}{UNNAMED}");
        skipped.push(Skipped { key, at: unknown.at.clone(), why: unknown.why });
    }
}

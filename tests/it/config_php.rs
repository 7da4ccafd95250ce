//! What comes out of real and of nasty `config.php` files: `tests/data/config` and
//! `tests/data/config-nasty`, where each `<case>.php` (or folder, read with `--glob-config`) has a
//! `<case>.json` beside it that says what must come out.

use notify_push::services::nextcloud::config::php::{
    Loaded, Located, PhpError, ReadOptions, Skipped, Value, read,
};
use php_literal_parser::Value as Literal;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The password of every nasty file.
const SECRET: &str = "hunter2";

#[derive(Deserialize)]
struct ConfigCase {
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// `values` (`{dir}` is the folder of all cases) and `skipped` (key to line and reason), or `error`
    /// (what the operator reads).
    #[serde(flatten)]
    expected: Map<String, Json>,
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder)
}

/// The files of a folder with an extension, sorted.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// `config.php` in a folder, or in the `config` of a whole installation.
fn main_file(folder: &Path) -> PathBuf {
    let installed = folder.join("config/config.php");
    if installed.exists() { installed } else { folder.join("config.php") }
}

fn to_json(value: &Value, dir: &str) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::Float(float) => json!(float),
        Value::String(text) => json!(text.replace(dir, "{dir}")),
        Value::Array(array) => {
            let entry = |(key, value): (_, &Value)| (format!("{key}"), to_json(value, dir));
            Json::Object(array.iter().map(entry).collect())
        }
    }
}

/// What the literal parser makes of a file that is one plain array.
fn plain(path: &Path) -> Option<Json> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.strip_prefix("<?php\n$CONFIG = ")?.trim_end().trim_end_matches("?>");
    let value: Literal = php_literal_parser::from_str(text.trim_end().strip_suffix(';')?).ok()?;
    Some(literal_to_json(&value))
}

fn literal_to_json(value: &Literal) -> Json {
    match value {
        Literal::Null => Json::Null,
        Literal::Bool(bool) => json!(bool),
        Literal::Int(int) => json!(int),
        Literal::Float(float) => json!(float),
        Literal::String(text) => json!(text),
        Literal::Array(entries) => {
            Json::Object(entries.iter().map(|(k, v)| (k.to_string(), literal_to_json(v))).collect())
        }
    }
}

fn outcome(result: &Result<Loaded, PhpError>, dir: &str) -> Json {
    match result {
        Ok(loaded) => {
            let value = |(key, at): (&String, &_)| {
                let at: &Located = at;
                (key.clone(), to_json(&at.value, dir))
            };
            let values: Map<_, _> = loaded.values.iter().map(value).collect();
            let mut outcome = json!({ "values": values });
            if !loaded.skipped.is_empty() {
                let line = |skipped: &Skipped| {
                    (
                        skipped.key.clone(),
                        json!(format!("line {}: {}", skipped.at.line, skipped.why)),
                    )
                };
                outcome["skipped"] = Json::Object(loaded.skipped.iter().map(line).collect());
            }
            outcome
        }
        Err(error) => json!({ "error": error.to_string().replace(&format!("{dir}/"), "") }),
    }
}

/// Everything that an operator could read about a result.
fn messages(result: &Result<Loaded, PhpError>) -> String {
    match result {
        Ok(loaded) => format!("{loaded:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

#[test]
fn nasty_files_give_what_is_written_beside_them() {
    let mut wrong = Vec::new();
    let folder = data("config-nasty");
    let cases = files(&folder, "json");
    for expected in &cases {
        let case: ConfigCase = serde_json::from_str(&std::fs::read_to_string(expected).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
        let directory = expected.with_extension("");
        let glob = directory.is_dir();
        let path = if glob { main_file(&directory) } else { expected.with_extension("php") };
        let dir = folder.to_str().unwrap().to_owned();
        let environment =
            case.environment.into_iter().map(|(k, v)| (k, v.replace("{dir}", &dir))).collect();
        let result = read(&path, &ReadOptions { glob, environment: &environment });
        assert!(!messages(&result).contains(SECRET), "{} tells the secret", path.display());
        let found = outcome(&result, &dir);
        if found != Json::Object(case.expected) {
            wrong.push(format!("{}\n{found:#}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "other than expected:\n{}", wrong.join("\n"));
    assert!(cases.len() >= 25, "the cases are gone");
}

#[test]
fn every_nasty_file_has_its_expectation() {
    for path in files(&data("config-nasty"), "php") {
        assert!(path.with_extension("json").exists(), "{} has no .json", path.display());
    }
}

/// An independent reading of what a real Nextcloud wrote.
#[test]
fn files_of_a_real_nextcloud_are_read_as_the_literal_parser_reads_them() {
    let environment = BTreeMap::new();
    let options = ReadOptions { glob: false, environment: &environment };
    let mut compared = 0;
    for path in files(&data("config"), "php") {
        let result = read(&path, &options);
        let Some(plain) = plain(&path) else { continue };
        assert_eq!(outcome(&result, "{dir}"), json!({ "values": plain }), "{}", path.display());
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} files are plain");
}

#[test]
fn hand_edited_files_of_a_real_nextcloud_are_read() {
    let environment = BTreeMap::from([("REDIS_HOST".to_owned(), "cache".to_owned())]);
    let options = ReadOptions { glob: true, environment: &environment };
    let text = |loaded: &Loaded, key: &str, inner: &str| {
        let value = &loaded.get(key).unwrap().value;
        let value = if inner.is_empty() { value } else { value.get(inner).unwrap() };
        value.as_str().unwrap().into_owned()
    };
    let edited = read(&data("config/50-short-array-and-comments.php"), &options).unwrap();
    assert_eq!(text(&edited, "redis", "host"), "cache");
    assert_eq!(text(&edited, "secret", ""), "fake$ecret \"quoted\" A B");
    assert!(text(&edited, "datadirectory", "").ends_with("tests/data/config/../data"));
    let assigned = read(&data("config/52-assignments.php"), &options).unwrap();
    assert_eq!(text(&assigned, "redis", "host"), "localhost");
    let merged = read(&data("config/60-glob/config.php"), &options).unwrap();
    assert_eq!(text(&merged, "redis", "host"), "redis-from-glob");
    assert_eq!(text(&merged, "dbhost", ""), "db-from-glob:3306");
    assert_eq!(merged.get("dbhost").unwrap().at.line, 3);
    assert!(merged.get("dbhost").unwrap().at.file.ends_with("60-glob/zz-db.config.php"));
}

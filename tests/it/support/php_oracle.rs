//! PHP as the judge of what a config.php gives: `tests/data/config_php/oracle.php`, one process for many
//! files.

use notify_push::services::nextcloud::config::php::{Array, Loaded, Value};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A file and the environment that it is read in.
#[derive(Debug, Clone)]
pub struct PhpTask {
    pub file: PathBuf,
    pub environment: BTreeMap<String, String>,
}

/// `$CONFIG`, or why there is none.
#[derive(Deserialize)]
pub struct PhpAnswer {
    pub config: Option<Json>,
    pub failed: Option<String>,
}

/// What PHP makes of these files; none where there is no PHP.
pub fn ask_php(tasks: &[PhpTask]) -> Vec<PhpAnswer> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config_php/oracle.php");
    let options =
        ["display_errors=0", "log_errors=0", "memory_limit=64M", "serialize_precision=-1"];
    let mut php = Command::new("php")
        .args(options.iter().flat_map(|option| ["-d", option]))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("php-cli, which tests/install installs");
    let mut stdin = php.stdin.take().unwrap();
    let lines: String = tasks
        .iter()
        .map(|task| format!("{}\n", json!({"file": task.file, "environment": task.environment})))
        .collect();
    let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = php.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), tasks.len(), "PHP answers for every file");
    answers
}

/// Where the reader's values differ from PHP's without a note that they are unknown.
pub fn silent_differences(own: &Loaded, php: &Json) -> Vec<String> {
    let skipped = own.skipped.iter().map(|skipped| skipped.key.as_str()).collect();
    let mut comparison = Comparison { skipped, differences: Vec::new() };
    let elements = elements(php);
    for (key, value) in &elements {
        match own.get(key) {
            Some(located) => comparison.value(key, &located.value, value),
            None if comparison.is_unknown("", key) => {}
            None => comparison.differences.push(format!("{key} is missing")),
        }
    }
    for key in own.values.keys().filter(|key| !elements.iter().any(|(other, _)| other == *key)) {
        if !comparison.holds_unknown(key) {
            comparison.differences.push(format!("{key} is too much"));
        }
    }
    comparison.differences
}

struct Comparison<'a> {
    skipped: Vec<&'a str>,
    differences: Vec<String>,
}

impl Comparison<'_> {
    fn is_unknown(&self, prefix: &str, key: &str) -> bool {
        let (path, any) = (format!("{prefix}{key}"), format!("{prefix}?"));
        self.skipped.iter().any(|skipped| *skipped == path || *skipped == any)
    }

    fn holds_unknown(&self, path: &str) -> bool {
        self.skipped.iter().any(|skipped| skipped.starts_with(&format!("{path}.")))
    }

    fn value(&mut self, path: &str, own: &Value, php: &Json) {
        let same = match (own, php) {
            (Value::Array(own), Json::Object(_)) if php.get("array").is_some() => {
                return self.array(path, own, &elements(php));
            }
            (Value::Null, Json::Null) => true,
            (Value::Bool(own), Json::Bool(php)) => own == php,
            (Value::Int(own), Json::Number(php)) => php.as_i64() == Some(*own),
            (Value::Float(own), Json::Number(php)) => {
                php.as_i64().is_none() && php.as_f64().is_some_and(|php| (php - own).abs() == 0.0)
            }
            (Value::String(own), Json::String(php)) => own == php,
            (Value::Array(_), _) => self.holds_unknown(path),
            _ => false,
        };
        if !same {
            self.differences.push(format!("{path} is {own:?}, not {php}"));
        }
    }

    fn array(&mut self, path: &str, own: &Array, php: &[(String, Json)]) {
        let prefix = format!("{path}.");
        for (key, value) in php {
            match own.get(key) {
                Some(own) => self.value(&format!("{prefix}{key}"), own, value),
                None if self.is_unknown(&prefix, key) => {}
                None => self.differences.push(format!("{prefix}{key} is missing")),
            }
        }
        // Of text keys, the order is of no account: nothing here depends on it.
        let number = |key: &&String| key.parse::<i64>().is_ok();
        let mut theirs: Vec<_> =
            php.iter().map(|(key, _)| key).filter(|key| own.get(key).is_some()).collect();
        let ours: Vec<_> = own.iter().map(|(key, _)| key.to_string()).collect();
        let mut ours: Vec<_> = ours.iter().collect();
        theirs.sort_by_key(|key| (!number(key)).then(|| (*key).clone()));
        ours.sort_by_key(|key| (!number(key)).then(|| (*key).clone()));
        if self.holds_unknown(path) {
            theirs.sort();
            ours.sort();
        }
        if ours != theirs {
            self.differences.push(format!("{path} has other keys: {ours:?}"));
        }
    }
}

fn elements(array: &Json) -> Vec<(String, Json)> {
    let pairs = array["array"].as_array().cloned().unwrap_or_default();
    let key = |key: &Json| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    pairs.iter().map(|pair| (key(&pair[0]), pair[1].clone())).collect()
}

//! The daemon's own reader of config.php against PHP: a value may be equal, or unknown with a note, never
//! another. And what PHP is asked where it is unknown.

use crate::support::{
    php_generator::Generator,
    php_oracle::{PhpAnswer, PhpTask, ask_php, silent_differences},
};
use notify_push::services::nextcloud::config::{
    interpreter::{InterpreterRequest, PhpInterpreter, PhpProcess},
    php::{Loaded, ReadOptions, read},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What stands before a form.
const BASE: &str = "<?php\n$CONFIG = ['dbtype' => 'mysql', 'dbhost' => 'db', 'dbname' => 'nc', 'dbuser' => 'u', \
    'dbpassword' => 'p', 'dbport' => 3306, 'redis' => ['host' => 'r', 'port' => 6379], \
    'redis.cluster' => ['seeds' => ['r1:7000']], 'trusted_proxies' => ['10.0.0.1'], \
    'overwrite.cli.url' => 'https://c.example'];\n";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config_php").join(name)
}

fn environment() -> BTreeMap<String, String> {
    let variables = [("E", "env"), ("P", "6380"), ("L", "a, b,c"), ("N", ""), ("B", "false")];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Files in a folder of their own, with what they may include.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in ["more.php", "returns.php"] {
            std::fs::copy(data("beside").join(file), folder.path().join(file)).unwrap();
        }
        Self(folder)
    }

    fn tasks(&self, contents: &[String]) -> Vec<PhpTask> {
        let task = |(index, content): (usize, &String)| {
            let file = self.0.path().join(format!("{index}-config.php"));
            std::fs::write(&file, content).unwrap();
            PhpTask { file, environment: environment() }
        };
        contents.iter().enumerate().map(task).collect()
    }
}

/// What is silently different; the error of a file that the reader refuses is none.
fn differences(task: &PhpTask, answer: &PhpAnswer) -> Vec<String> {
    let options = ReadOptions { glob: false, environment: &task.environment };
    match (read(&task.file, &options), &answer.config) {
        (Ok(own), Some(php)) => silent_differences(&own, php),
        // PHP refuses the file: Nextcloud does not run on it.
        (Err(_), _) | (_, None) => Vec::new(),
    }
}

/// Compares all of these with PHP, and shows those that differ.
fn compare(contents: &[String]) -> Vec<PhpAnswer> {
    let folder = Folder::new();
    let tasks = folder.tasks(contents);
    let answers = ask_php(&tasks);
    let mut wrong = Vec::new();
    for ((task, answer), content) in tasks.iter().zip(&answers).zip(contents) {
        let differences = differences(task, answer);
        if !differences.is_empty() {
            let content = content.strip_prefix(BASE).unwrap_or(content);
            wrong.push(format!("{content}\n    {}", differences.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{} silent differences:\n{}", wrong.len(), wrong.join("\n"));
    answers
}

fn forms() -> Vec<String> {
    let text = std::fs::read_to_string(data("forms.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("# ") || line.contains("?>"));
    let form = |line: &str| {
        let line = line.replace('¶', "\n");
        if line.contains("<?php") && !line.contains("?>") { line } else { format!("{BASE}{line}") }
    };
    lines.map(form).collect()
}

#[test]
fn no_form_differs_from_php_without_a_note() {
    let forms = forms();
    assert!(forms.len() >= 300, "only {} forms are left", forms.len());
    let answers = compare(&forms);
    let failed = answers.iter().filter(|answer| answer.failed.is_some()).count();
    assert!(failed < 40, "PHP refuses {failed} of the forms");
}

#[test]
fn php_gives_what_the_reader_leaves_unknown() {
    let folder = Folder::new();
    let tasks = folder.tasks(&forms());
    let answers = ask_php(&tasks);
    let interpreter = PhpProcess::new("php".into());
    let (mut asked, mut wrong) = (0, Vec::new());
    for (task, answer) in tasks.iter().zip(&answers).filter(|(task, _)| lacks(task)) {
        let files = [task.file.clone()];
        let mut environment = task.environment.clone();
        environment.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        let request =
            InterpreterRequest { files: &files, environment: &environment, withheld: &[] };
        match (interpreter.evaluate(&request), &answer.config) {
            (Ok(given), Some(php)) => {
                let mut loaded = Loaded::default();
                loaded.take_answer(given);
                let different = silent_differences(&loaded, php);
                // These show the environment as a whole, or how PHP was started.
                let text = std::fs::read_to_string(&task.file).unwrap();
                let own = ["$_ENV", "$_SERVER"].iter().any(|name| text.contains(name));
                wrong.extend(
                    (!own && !different.is_empty()).then(|| format!("{text}{different:?}")),
                );
            }
            (Err(_), None) => {}
            (given, php) => wrong.push(format!("{:?}: {given:?}, {php:?}", task.file)),
        }
        asked += 1;
        // Each is a process: some of them show the way.
        if asked == 60 {
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= 50, "only {asked} forms leave something unknown");
}

fn lacks(task: &PhpTask) -> bool {
    let options = ReadOptions { glob: false, environment: &task.environment };
    read(&task.file, &options).is_ok_and(|own| !own.skipped.is_empty())
}

/// The same programs on every run.
#[test]
fn random_programs_do_not_differ_from_php_without_a_note() {
    let mut generator = Generator::new(20_261_130);
    let programs: Vec<_> = (0..600).map(|_| format!("{BASE}{}", generator.program())).collect();
    let answers = compare(&programs);
    let run = answers.iter().filter(|answer| answer.config.is_some()).count();
    assert!(run > programs.len() / 3, "PHP runs only {run} of the programs");
}

/// `cargo test --test it ten_minutes -- --ignored`
#[test]
#[ignore = "takes ten minutes"]
fn ten_minutes_of_random_programs_do_not_differ_from_php() {
    let end = Instant::now() + Duration::from_mins(10);
    let mut seed = u64::from(std::process::id());
    let mut programs = 0;
    while Instant::now() < end {
        seed += 1;
        let mut generator = Generator::new(seed);
        let batch: Vec<_> = (0..500).map(|_| format!("{BASE}{}", generator.program())).collect();
        compare(&batch);
        programs += batch.len();
    }
    println!("{programs} programs");
}

#[derive(serde::Deserialize)]
struct Case {
    about: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    rows: BTreeMap<String, String>,
}

/// Files in the manner of real set-ups, read by the daemon as a whole, with PHP beside it.
#[test]
fn files_of_real_set_ups_give_what_php_gives() {
    let folders = std::fs::read_dir(data("cases")).unwrap().map(|entry| entry.unwrap().path());
    let mut wrong = Vec::new();
    let mut cases = 0;
    for folder in folders {
        let case = std::fs::read_to_string(folder.join("case.json")).unwrap();
        let Case { about, arguments, environment, rows } = serde_json::from_str(&case).unwrap();
        let here = folder.to_str().unwrap();
        let environment =
            environment.iter().map(|(name, text)| (name, text.replace("@DIR@", here)));
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_notify_push"))
            .args(arguments)
            .current_dir(&folder)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(environment)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for (name, value) in rows {
            let row = |line: &&str| line.split_whitespace().next() == Some(name.as_str());
            let found = text.lines().find(row).unwrap_or_default();
            if found.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).nth(1)
                != Some(&value)
            {
                let errors = String::from_utf8_lossy(&output.stderr);
                wrong.push(format!("{here} ({about}): {found:?}, not {value:?}: {errors}"));
            }
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 30, "only {cases} cases are left");
}

//! The man page, the tables of `docs/settings.md` and the completion scripts agree with the program.
//!
//! After a change of the command line or of a setting write the files anew with
//! `UPDATE_MAN=1 cargo test --test it manual`.

use crate::support::folder;
use notify_push::{cli::reference, services::kinds};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const COMMANDS: [&str; 10] = [
    "doctor",
    "demo",
    "phorge",
    "webhook",
    "healthcheck",
    "metrics",
    "log",
    "revoke",
    "completions",
    "help",
];

/// The lines between which `docs/settings.md` is generated.
const BEGIN: &str = "<!-- generated: settings -->\n";
const END: &str = "<!-- end of the generated part -->\n";

fn run(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    let output = command.args(arguments).env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// Compares a file with its generated content, or writes it if that is asked for.
fn compare(file: &Path, generated: &str) {
    #[expect(clippy::disallowed_methods, reason = "the switch that writes the files")]
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(file, generated).unwrap();
    }
    let current = std::fs::read_to_string(file).unwrap();
    let hint = "UPDATE_MAN=1 cargo test --test it manual writes it anew";
    assert!(current == generated, "{}: {hint}", file.display());
}

#[test]
fn the_man_page_is_up_to_date() {
    let page = reference::man_page(&kinds());
    compare(&document("man/notify_push.8"), &page);
    for section in ["EXAMPLES", "FILES", "ENVIRONMENT", "EXIT STATUS", "SIGNALS", "SEE ALSO"] {
        assert!(page.contains(section), "{section}");
    }
    assert!(page.contains(".TH NOTIFY_PUSH 8"));
}

#[test]
fn the_tables_of_settings_are_up_to_date() {
    let file = document("settings.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the begin of the generated part");
    let (_, after) = rest.split_once(END).expect("the end of the generated part");
    let tables = reference::settings_tables(&kinds());
    compare(&file, &format!("{before}{BEGIN}\n{tables}\n{END}{after}"));
}

#[test]
fn the_help_lists_the_commands() {
    let help = run(&["--help"]);
    let commands = help.split("COMMANDS:").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter(|line| line.len() > 4 && !line.starts_with("     "));
    let names: Vec<_> = names.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, COMMANDS);
    for name in COMMANDS {
        let help = run(&[name, "--help"]);
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(help.lines().count() <= 60, "{name}: {}", help.lines().count());
    }
}

#[test]
fn each_command_has_the_default_of_its_port() {
    for (command, port) in [("webhook", "3000"), ("phorge", "22280")] {
        let help = run(&[command, "--help"]);
        assert!(help.contains(&format!("[PORT; default {port}]")), "{help}");
    }
    assert!(run(&["--help"]).contains("[PORT; default 7867]"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    command.args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn completion_scripts_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        for word in COMMANDS.iter().chain(&["idle-time", "redis-url"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn each_shell_accepts_its_script() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let checked = run_in_shell(shell, check, &run(&["completions", shell]));
        assert!(checked.status.success() && checked.stderr.is_empty(), "{shell}: {checked:?}");
        let broken = run_in_shell(shell, check, "case x in (a) 'b ;;");
        assert!(!broken.status.success(), "{shell} accepts anything");
    }
}

/// Words on the command line and the completions of the last one.
const COMPLETIONS: [(&str, &str); 7] = [
    ("notify_push doc", "doctor"),
    ("notify_push doctor --idl", "--idle-time"),
    ("notify_push log --res", "--restore"),
    ("notify_push --log-format j", "json"),
    ("notify_push completions z", "zsh"),
    ("notify_push phorge sta", "start status"),
    // The flags of a Nextcloud are none of this command.
    ("notify_push webhook --database", ""),
];

#[test]
fn fish_completes_commands_flags_and_values() {
    let script = run(&["completions", "fish"]);
    for (words, expected) in COMPLETIONS {
        let asked = format!("{script}\ncomplete -C '{words}'\n");
        let output = run_in_shell("fish", "--no-config", &asked);
        let text = String::from_utf8(output.stdout).unwrap();
        let found = text.lines().map(|line| line.split('\t').next().unwrap());
        assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{words}");
    }
}

#[test]
fn bash_completes_commands_flags_values_and_files() {
    let script = run(&["completions", "bash"]);
    let complete = |words: &str| {
        let count = words.split(' ').count() - 1;
        let asked = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={count}\n\
             _notify_push notify_push\necho \"${{COMPREPLY[@]}}\"\n"
        );
        let output = run_in_shell("bash", "--norc", &asked);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for (words, expected) in COMPLETIONS {
        assert_eq!(complete(words), expected, "{words}");
    }
    let folder = folder("completion");
    let file = folder.path().join("certificate.pem");
    std::fs::write(&file, "").unwrap();
    let start = folder.path().join("cert").display().to_string();
    assert_eq!(complete(&format!("notify_push --tls-cert {start}")), file.display().to_string());
    assert_eq!(complete(&format!("notify_push --port {start}")), "", "a port is no file");
}

#[test]
fn a_setting_is_named_once_in_the_sources() {
    let mut sources = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.to_string_lossy();
            // The modules of `cli/load.rs` are its tests.
            let test = name.contains("test") || name.contains("/cli/load/");
            // It keeps another service's secret from PHP, and services don't know each other.
            let test = test || name.ends_with("nextcloud/config/keys.rs");
            // A path of the admin API has the name of the setting that it changes.
            let test = test || name.ends_with("runtime/admin/mod.rs");
            if path.is_dir() {
                folders.push(path);
            } else if !test && path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                if text.contains("#[test]") && !text.contains("#[cfg(test)]") {
                    // A module of tests.
                    continue;
                }
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                sources.insert(path, code);
            }
        }
    }
    let kinds = kinds();
    let own = kinds.iter().flat_map(|kind| kind.settings.iter().copied());
    for setting in own.chain(notify_push::config::setting::daemon_settings()) {
        let declared = |text: &str| {
            let code = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let (name, variable) = (setting.name, setting.variable);
            code.matches(&format!("\"{name}\", \"{variable}\"")).count()
        };
        let count: usize = sources.values().map(|text| declared(text)).sum();
        assert_eq!(count, 1, "declarations of {}", setting.variable);
        // Short words such as AUTH are also commands of Redis.
        let distinct = [setting.variable, setting.name].into_iter();
        for word in distinct.filter(|word| word.contains(['-', '_'])) {
            let quoted = format!("\"{word}\"");
            let named: usize = sources.values().map(|text| text.matches(&quoted).count()).sum();
            assert_eq!(named, 1, "{quoted} in {:?}", files_with(&sources, &quoted));
        }
    }
}

fn files_with<'a>(sources: &'a BTreeMap<PathBuf, String>, part: &str) -> Vec<&'a Path> {
    let found = sources.iter().filter(|(_, text)| text.contains(part));
    found.map(|(path, _)| path.as_path()).collect()
}

/// Runs a script in a shell, in a folder without other files that could be completed.
fn run_in_shell(shell: &str, mode: &str, script: &str) -> Output {
    let (folder, file) = (folder("shell"), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(file.path(), script).unwrap();
    let mut command = Command::new(shell);
    command.arg(mode).arg(file.path()).current_dir(folder.path()).stdin(Stdio::null());
    command.output().unwrap()
}

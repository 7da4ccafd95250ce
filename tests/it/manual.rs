//! The man page and the completion scripts say what the program understands.
//!
//! `docs/man/notify_push.1` is made here from the program's own help; after a change of the command line
//! write it anew with `UPDATE_MAN=1 cargo test --test it manual`.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

const COMMANDS: [&str; 9] = [
    "doctor",
    "demo",
    "log",
    "completions",
    "revoke",
    "healthcheck",
    "metrics",
    "phorge",
    "webhook",
];

fn run(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    let output = command.args(arguments).env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The page, from the help of the program and of each of its commands.
fn page() -> String {
    let help = run(&["--help"]);
    let mut page = String::from(
        ".\\\" Made from `notify_push --help` by tests/it/manual.rs.\n\
         .TH NOTIFY_PUSH 1 \"\" \"notify_push\" \"User Commands\"\n\
         .SH NAME\nnotify_push \\- tells the clients of a Nextcloud that something changed\n\
         .SH DESCRIPTION\n",
    );
    section(&mut page, &help, ".SH");
    for name in COMMANDS {
        let _ = writeln!(page, ".SH \"COMMAND {}\"", name.to_uppercase());
        section(&mut page, &run(&[name, "--help"]), ".SS");
    }
    page.push_str(
        ".SH \"EXIT STATUS\"\n0 when all is well, 1 when something is wrong, 2 when the command line \
         is not understood.\n.SH \"SEE ALSO\"\ndocs/settings.md and docs/troubleshooting.md of the project.\n",
    );
    page
}

/// One help text: first a line with the name, then prose, then headings with entries.
fn section(page: &mut String, help: &str, heading: &str) {
    let mut entries = false;
    for line in help.lines().skip(1) {
        let text = line.trim();
        let depth = line.len() - line.trim_start().len();
        let title = text.strip_suffix(':').filter(|title| title.chars().all(|c| c.is_uppercase()));
        let flag = text.starts_with('-') || text.starts_with('<');
        if let Some(title) = title.filter(|_| depth == 0) {
            entries = title != "USAGE";
            let _ = writeln!(page, "{heading} {title}");
        } else if text.is_empty() {
            page.push_str(if entries { "" } else { ".PP\n" });
        } else if entries && flag && depth <= 8 {
            let _ = writeln!(page, ".TP\n.B {}", roff(text));
        } else if let Some((name, about)) = text.split_once("  ").filter(|_| entries && depth == 4)
        {
            let _ = writeln!(page, ".TP\n.B {}\n{}", roff(name), roff(about.trim()));
        } else {
            let _ = writeln!(page, "{}", roff(text));
        }
    }
}

/// groff_man(7): dashes that may be typed, no line that looks like a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[test]
fn the_man_page_says_what_the_program_understands() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man/notify_push.1");
    let page = page();
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the command line")]
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let stands = std::fs::read_to_string(&file).unwrap();
    assert!(stands == page, "UPDATE_MAN=1 cargo test --test it manual writes it anew");
    for name in COMMANDS {
        assert!(run(&["--help"]).contains(&format!("\n    {name} ")), "{name}");
    }
    let listed = run(&["--help"]);
    let commands = listed.split("SUBCOMMANDS:").nth(1).unwrap().lines().skip(1);
    let count = commands.filter(|line| !line.trim().is_empty()).count();
    assert_eq!(count, COMMANDS.len(), "a command is missing in the page: {listed}");
}

#[test]
fn completion_scripts_are_scripts_and_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        for word in COMMANDS.iter().chain(&["idle-time", "redis-url"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn each_shell_finds_its_script_well_formed() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let checked = shell_reads(shell, check, &run(&["completions", shell]));
        assert!(checked.status.success() && checked.stderr.is_empty(), "{shell}: {checked:?}");
        let broken = shell_reads(shell, check, "case x in (a) 'b ;;");
        assert!(!broken.status.success(), "{shell} finds no fault with anything");
    }
}

#[test]
fn fish_completes_commands_and_flags() {
    let script = run(&["completions", "fish"]);
    for (words, expected) in
        [("notify_push doc", "doctor\t"), ("notify_push doctor --idle", "--idle-time\t")]
    {
        let asked = format!("{script}\ncomplete -C '{words}'\n");
        let output = shell_reads("fish", "--no-config", &asked);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(expected) && text.lines().count() == 1, "{words}: {text}");
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let script = run(&["completions", "bash"]);
    for (words, expected) in
        [("notify_push doc", "doctor"), ("notify_push doctor --idle", "--idle-time")]
    {
        let count = words.split(' ').count() - 1;
        let last = words.rsplit(' ').next().unwrap();
        let asked = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={count}\n\
             _notify_push notify_push {last} ''\necho \"${{COMPREPLY[@]}}\"\n"
        );
        let output = shell_reads("bash", "--norc", &asked);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.trim(), expected, "{words}");
    }
}

/// What a shell makes of a script.
fn shell_reads(shell: &str, mode: &str, script: &str) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    Command::new(shell).arg(mode).arg(file.path()).stdin(Stdio::null()).output().unwrap()
}

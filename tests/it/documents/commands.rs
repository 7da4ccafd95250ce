//! Shell commands in documents: the shell can read them, our own programs take their arguments, the
//! files of ours that they name exist.

use super::root;
use std::process::{Command, Output};

/// Programs of others that our documents may call. What isn't here is a typing error, or is added.
const PROGRAMS: &str = "a2enmod apt apt-get apache2ctl brew caddy cargo cat cd chmod chown cp curl \
    dpkg docker echo export git grep haproxy helm install journalctl kubectl ln ls mariadb mkdir mv \
    mysql nginx node npm occ openssl php printf promtool psql python3 redis-cli rm rustup sed sh sha256sum source \
    ss sudo sysctl systemctl systemd-analyze tail tar tee test touch traefik ulimit useradd wget";

/// What is wrong with a block of commands.
pub(super) fn complaint(text: &str) -> Option<String> {
    unreadable(text).or_else(|| {
        let joined = text.replace("\\\n", " ");
        joined.lines().flat_map(commands).find_map(|words| of_command(&words))
    })
}

fn unreadable(text: &str) -> Option<String> {
    let output = Command::new("bash").args(["-n", "-c", text]).output().expect("bash");
    refusal(&output)
}

/// The simple commands of a line, as words without quotes.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    if line.is_empty() || line.starts_with('#') {
        return Vec::new();
    }
    let ends = ["&&", "||", "|", ";"];
    let words: Vec<&str> = line.split_whitespace().collect();
    let parts = words.split(|word| ends.contains(word));
    parts.map(|part| part.iter().map(|word| word.replace(['"', '\''], "")).collect()).collect()
}

fn of_command(words: &[String]) -> Option<String> {
    let words = without_environment(words);
    let (program, arguments) = words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or_default();
    let before_redirection = arguments.iter().take_while(|word| !word.starts_with(['<', '>']));
    let arguments: Vec<&str> = before_redirection.map(String::as_str).collect();
    let own = match name {
        "sudo" => return of_command(without_options(&words[1..])),
        "notify_push" => refused_by_us(&arguments),
        "cargo" => of_cargo(&arguments),
        "run" | "build-deb" if root().join(program).exists() => None,
        _ if PROGRAMS.split_whitespace().any(|known| known == name) => None,
        _ if root().join(program).is_file() => None,
        _ => Some(format!("which program is {program}?")),
    };
    own.or_else(|| missing_file(words))
}

fn without_environment(words: &[String]) -> &[String] {
    let first = words.iter().position(|word| !word.contains('=')).unwrap_or(words.len());
    &words[first..]
}

/// `-u www-data` of sudo.
fn without_options(words: &[String]) -> &[String] {
    match words {
        [flag, _, rest @ ..] if flag == "-u" || flag == "-g" => rest,
        [flag, rest @ ..] if flag.starts_with('-') => rest,
        _ => words,
    }
}

/// Whether our own binary understands these arguments: asked for help after them it gives help.
fn refused_by_us(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    let output = command.args(arguments).arg("--help").env_clear().output().expect("our program");
    refusal(&output)
}

/// `cargo run [--release] [-p member] [--example name] -- arguments`.
fn of_cargo(arguments: &[&str]) -> Option<String> {
    let mut sides = arguments.splitn(2, |word| *word == "--");
    let (cargos, ours) = (sides.next()?, sides.next().unwrap_or_default());
    let after = |flag: &str| {
        let at = cargos.iter().position(|word| *word == flag)?;
        cargos.get(at + 1).copied()
    };
    match (cargos.first(), after("-p"), after("--example")) {
        (Some(&"run"), None, None) => refused_by_us(ours),
        (_, Some(member), _) if !root().join(member).join("Cargo.toml").exists() => {
            Some(format!("no member {member}"))
        }
        (_, _, Some(example)) => {
            let folders = ["", "clients"].map(|folder| root().join("examples").join(folder));
            let found = folders.iter().any(|folder| {
                folder.join(example).exists() || folder.join(format!("{example}.rs")).exists()
            });
            (!found).then(|| format!("no example {example}"))
        }
        _ => None,
    }
}

/// A word that looks like a file of this project but isn't one.
fn missing_file(words: &[String]) -> Option<String> {
    let ours = |word: &&String| {
        let first = word.split('/').next().unwrap_or_default();
        let folder = root().join(first).is_dir() && first != "target";
        word.contains('/') && !first.is_empty() && first != "." && first != ".." && folder
    };
    let missing = |word: &&String| !root().join(word.trim_end_matches('/')).exists();
    words.iter().filter(ours).find(missing).map(|word| format!("no file {word}"))
}

fn refusal(output: &Output) -> Option<String> {
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[test]
fn wrong_commands_are_found() {
    for good in [
        "cargo run --release -- demo --once",
        "sudo -u www-data occ notify_push:self-test",
        "LOG=debug notify_push --port 7867 /var/www/config/config.php",
        "echo x | python3 examples/clients/client.py ws://127.0.0.1/ws bob",
        "# a comment\ntests/run",
    ] {
        assert_eq!(complaint(good), None, "{good}");
    }
    for bad in [
        "cargo run --release -- dmo --no-such-flag",
        "notify_push --prot 7867",
        "cp systemd/notify_psh.service /etc/systemd/system/",
        "cargo run -p no_such_member",
        "systemclt start notify_push",
        "echo 'open",
    ] {
        assert!(complaint(bad).is_some(), "{bad}");
    }
}

/// Whether Node can read it.
pub(super) fn javascript(text: &str) -> Option<String> {
    let file = tempfile::Builder::new().suffix(".mjs").tempfile().expect("a file");
    std::fs::write(file.path(), text).expect("our own file");
    let node = crate::support::find("node");
    let output = Command::new(node).arg("--check").arg(file.path()).output().expect("Node");
    refusal(&output)
}

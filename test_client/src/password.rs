//! Where the password comes from, without the process list where that is wanted.

use crate::failure::Failure;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    fmt, fs,
    io::{self, BufRead, Write},
    path::PathBuf,
};

/// Passwords are shorter; so is what is read of a file or of standard input.
const LONGEST: u64 = 4096;

/// A password; `Debug` shows nothing of it.
pub struct Password(String);

/// What there is to choose from.
pub struct PasswordSources {
    /// On the command line.
    pub argument: Option<String>,
    /// `--password-file`.
    pub file: Option<PathBuf>,
    /// NEXTCLOUD_PASSWORD.
    pub environment: Option<String>,
    /// Whether somebody can be asked.
    pub terminal: bool,
}

impl Password {
    /// The text itself, for those who send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The first source that says anything.
pub fn read(
    sources: PasswordSources,
    user: &str,
    input: &mut impl BufRead,
) -> Result<Password, Failure> {
    let PasswordSources { argument, file, environment, terminal } = sources;
    let text = match (argument, file, environment) {
        (Some(dash), _, _) if dash == "-" => line(input)?,
        (Some(text), _, _) => text,
        (None, Some(path), _) => {
            let file = fs::File::open(&path).map_err(|error| Failure::PasswordFile(path, error))?;
            line(&mut io::BufReader::new(file))?
        }
        (None, None, Some(text)) => text,
        (None, None, None) if terminal => ask(user, input)?,
        (None, None, None) => return Err(Failure::NoPassword),
    };
    if text.is_empty() { Err(Failure::NoPassword) } else { Ok(Password(text)) }
}

fn line(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut text = String::new();
    io::Read::take(input, LONGEST).read_line(&mut text).map_err(Failure::Io)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask(user: &str, input: &mut impl BufRead) -> Result<String, Failure> {
    let mut stderr = io::stderr();
    // First: what is typed as soon as it is asked for must not show, nor get lost.
    let echo_guard = EchoGuard::begin().map_err(Failure::Io)?;
    write!(stderr, "Password of {user}: ").map_err(Failure::Io)?;
    let text = line(input);
    drop(echo_guard);
    writeln!(stderr).map_err(Failure::Io)?;
    text
}

/// A terminal that doesn't show what is typed, until this is dropped.
struct EchoGuard(Termios);

impl EchoGuard {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut echo_guard = before.clone();
        echo_guard.local_modes.remove(LocalModes::ECHO);
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &echo_guard)?;
        Ok(Self(before))
    }
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        // The terminal is gone: then there is nothing to be put right.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{PasswordSources, read};
    use crate::failure::Failure;

    const NONE: PasswordSources =
        PasswordSources { argument: None, file: None, environment: None, terminal: false };

    fn of(sources: PasswordSources) -> Result<String, Failure> {
        read(sources, "bob", &mut &b"typed \r\nmore"[..]).map(|password| password.0)
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let environment = Some("from the environment".to_owned());
        let argument = Some("argument".to_owned());
        assert_eq!(
            of(PasswordSources { environment: environment.clone(), ..NONE }).unwrap(),
            "from the environment"
        );
        assert_eq!(of(PasswordSources { argument, environment, ..NONE }).unwrap(), "argument");
    }

    #[test]
    fn a_dash_reads_one_line_and_keeps_its_blanks() {
        assert_eq!(
            of(PasswordSources { argument: Some("-".to_owned()), ..NONE }).unwrap(),
            "typed "
        );
    }

    #[test]
    fn of_a_file_the_first_line_counts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret\n\n").unwrap();
        assert_eq!(
            of(PasswordSources { file: Some(file.path().into()), ..NONE }).unwrap(),
            "secret"
        );
    }

    #[test]
    fn none_at_all_is_a_failure_that_says_how_to_give_one() {
        let failure = of(NONE).unwrap_err();
        assert!(matches!(failure, Failure::NoPassword));
        assert!(failure.remedy().contains("NEXTCLOUD_PASSWORD"));
        assert!(of(PasswordSources { environment: Some(String::new()), ..NONE }).is_err());
    }
}

//! `notify_push doctor` at the environment: the password, the terminal, the time of day.

use crate::{Failure, failure, runtime};
use notify_push::{
    cli::{DoctorOptions, LoadedConfig},
    config::{ConfigError, ServiceEntry, ServiceName, secret::Secret},
    doctor,
    doctor::{CheckFinding, CheckRun, DescriptorLimits, DiagnosisContext, ReportStyle},
    push::LoginCredentials,
    services::BoxedService,
};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::SystemTime,
};

/// Passwords are shorter.
const MAX_PASSWORD_LENGTH: u64 = 4096;

/// Looks everything over and prints what was found. Ends with 0 when nothing is wrong, else with 1.
pub(super) fn run(
    described: Result<Box<LoadedConfig<BoxedService>>, ConfigError>,
    file: Option<&Path>,
    options: &DoctorOptions,
) -> Result<ExitCode, Failure> {
    let style = ReportStyle { colours: !options.json && colours() };
    let print_text = |text: String| {
        // Whoever reads may have gone; the exit code still says how it is.
        if !options.json {
            let _ = print(&text);
        }
    };
    let findings = match described {
        Ok(described) => {
            print_text(style.heading());
            let mut all = Vec::new();
            for (name, subject) in subjects(*described, file, options)? {
                if let Some(name) = &name {
                    print_text(format!("host {name}\n"));
                }
                let found =
                    diagnose_service(subject, &mut |finding| print_text(style.finding(finding)))?;
                all.extend(found.into_iter().map(|finding| (name.clone(), finding)));
            }
            all
        }
        Err(error) => {
            let finding = doctor::unusable(&error);
            print_text(style.heading() + &style.finding(&finding));
            vec![(None, finding)]
        }
    };
    let all = findings.iter().map(|(_, finding)| finding);
    let end = if options.json { doctor::json(&findings) } else { style.summary(all.clone()) };
    print(&end).map_err(failure)?;
    Ok(ExitCode::from(u8::from(doctor::is_wrong(all))))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn diagnose_service(
    Subject { host, context, descriptors }: Subject,
    print_text: &mut (dyn FnMut(&CheckFinding) + Send),
) -> Result<Vec<CheckFinding>, Failure> {
    let mut round = CheckRun::new(print_text);
    doctor::begin(&mut round, &context, descriptors);
    let runtime = runtime(1)?;
    runtime.block_on(host.diagnose(context, &mut round));
    // A name that is still being looked up in a thread must not keep us.
    runtime.shutdown_background();
    Ok(round.into_findings())
}

/// Whether what is printed may have colours.
#[expect(clippy::disallowed_methods, reason = "NO_COLOR is part of the environment")]
pub(super) fn colours() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
    io::stdout().is_terminal() && !plain
}

/// A host to be looked over.
struct Subject {
    host: BoxedService,
    context: DiagnosisContext,
    descriptors: DescriptorLimits,
}

/// Every host, with its name where it has one.
#[expect(clippy::disallowed_methods, reason = "this is where the outside comes in")]
fn subjects(
    described: LoadedConfig<BoxedService>,
    file: Option<&Path>,
    options: &DoctorOptions,
) -> Result<Vec<(Option<ServiceName>, Subject)>, Failure> {
    let credentials = match &options.user {
        None => None,
        Some(user) => {
            let password = password(user, options.password_file.as_deref())?;
            Some(LoginCredentials { user: user.clone(), password })
        }
    };
    let LoadedConfig { settings, hosts, rows, warnings } = described;
    let subject = |ServiceEntry { name, place, host }: ServiceEntry<BoxedService>| {
        let context = DiagnosisContext {
            listen: settings.listen.clone(),
            place,
            rows: rows.clone(),
            warnings: warnings.clone(),
            file: file.map(Into::into),
            credentials: credentials.clone(),
            patience: options.patience,
            clock: Arc::new(SystemTime::now),
            rng: fastrand::Rng::new(),
        };
        let descriptors = doctor::descriptors(&settings.listen.bind);
        (name, Subject { host, context, descriptors })
    };
    Ok(hosts.into_iter().map(subject).collect())
}

/// From the file, else asked for, else the first line of standard input.
fn password(user: &str, file: Option<&Path>) -> Result<Secret, Failure> {
    let unreadable = |error: io::Error| Failure {
        message: format!("the password of {user} can't be read: {error}"),
        code: 2,
    };
    let text = match file {
        Some(path) => File::open(path).and_then(|file| line(BufReader::new(file))),
        None if io::stdin().is_terminal() => ask(user),
        None => line(io::stdin().lock()),
    };
    let text = text.map_err(unreadable)?;
    if text.is_empty() {
        return Err(unreadable(io::Error::other("it is empty")));
    }
    Ok(Secret::new(text))
}

fn line(input: impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    input.take(MAX_PASSWORD_LENGTH).read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask(user: &str) -> io::Result<String> {
    // First: what is typed as soon as it is asked for must not show, nor get lost.
    let echo_guard = Quiet::begin()?;
    write!(io::stderr(), "Password of {user}: ")?;
    let text = line(io::stdin().lock());
    drop(echo_guard);
    writeln!(io::stderr())?;
    text
}

/// A terminal that doesn't show what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut echo_guard = before.clone();
        echo_guard.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &echo_guard)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // The terminal is gone: then there is nothing to be put right.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

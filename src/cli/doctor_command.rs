//! `notify_push doctor`: reads the password, runs the checks of all services, prints the report.

use crate::{
    cli::{CommandFailure, DoctorOptions, LoadedConfig},
    config::{ConfigError, ServiceEntry, ServiceName, secret::Secret},
    doctor::{self, CheckFinding, CheckRun, DescriptorLimits, DiagnosisContext, ReportStyle},
    health::WallClock,
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
};
use tokio::runtime::Builder;

/// The most bytes of a password that are read.
const MAX_PASSWORD_LENGTH: u64 = 4096;

/// What the command takes from the process's environment.
pub struct DoctorEnvironment {
    /// Whether standard output accepts colours.
    pub colours: bool,
    /// Reads the time of day.
    pub clock: WallClock,
}

/// Runs all checks and prints their findings. The exit code is 0 if nothing is wrong, else 1.
///
/// # Errors
/// [`CommandFailure`] if the password can't be read or the report can't be printed.
pub fn run(
    config: Result<Box<LoadedConfig<BoxedService>>, ConfigError>,
    file: Option<&Path>,
    options: &DoctorOptions,
    environment: &DoctorEnvironment,
) -> Result<ExitCode, CommandFailure> {
    let style = ReportStyle { colours: !options.json && environment.colours };
    let print_text = |text: String| {
        // The reader may have closed the pipe; the exit code still tells the result.
        if !options.json {
            let _ = print(&text);
        }
    };
    let findings = match config {
        Ok(config) => {
            print_text(style.heading());
            let mut all = Vec::new();
            for (name, target) in targets(*config, file, options, &environment.clock)? {
                if let Some(name) = &name {
                    print_text(format!("service {name}\n"));
                }
                let found =
                    diagnose_service(target, &mut |finding| print_text(style.finding(finding)))?;
                all.extend(found.into_iter().map(|finding| (name.clone(), finding)));
            }
            all
        }
        Err(error) => {
            let finding = doctor::invalid_settings(&error);
            print_text(style.heading() + &style.finding(&finding));
            vec![(None, finding)]
        }
    };
    let all = findings.iter().map(|(_, finding)| finding);
    let end = if options.json { doctor::json(&findings) } else { style.summary(all.clone()) };
    print(&end).map_err(CommandFailure::new)?;
    Ok(ExitCode::from(u8::from(doctor::is_wrong(all))))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn diagnose_service(
    CheckTarget { service, context, descriptors }: CheckTarget,
    print_text: &mut (dyn FnMut(&CheckFinding) + Send),
) -> Result<Vec<CheckFinding>, CommandFailure> {
    let mut run = CheckRun::new(print_text);
    doctor::begin(&mut run, &context, descriptors);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(CommandFailure::new)?;
    runtime.block_on(service.diagnose(context, &mut run));
    // A name look-up that still runs in a thread must not delay the end.
    runtime.shutdown_background();
    Ok(run.into_findings())
}

/// A service with everything that its checks need.
struct CheckTarget {
    service: BoxedService,
    context: DiagnosisContext,
    descriptors: DescriptorLimits,
}

/// All services, each with its name if it has one.
fn targets(
    config: LoadedConfig<BoxedService>,
    file: Option<&Path>,
    options: &DoctorOptions,
    clock: &WallClock,
) -> Result<Vec<(Option<ServiceName>, CheckTarget)>, CommandFailure> {
    let credentials = match &options.user {
        None => None,
        Some(user) => {
            let password = password(user, options.password_file.as_deref())?;
            Some(LoginCredentials { user: user.clone(), password })
        }
    };
    let LoadedConfig { settings, services, rows, warnings } = config;
    let target = |ServiceEntry { name, route: place, service }: ServiceEntry<BoxedService>| {
        let context = DiagnosisContext {
            listen: settings.listen.clone(),
            place,
            rows: rows.clone(),
            warnings: warnings.clone(),
            file: file.map(Into::into),
            credentials: credentials.clone(),
            idle_time: options.idle_time,
            clock: Arc::clone(clock),
            rng: fastrand::Rng::new(),
        };
        let descriptors = doctor::descriptors(&settings.listen.bind);
        (name, CheckTarget { service, context, descriptors })
    };
    Ok(services.into_iter().map(target).collect())
}

/// The password: the file's first line, else typed in the terminal, else standard input's first line.
fn password(user: &str, file: Option<&Path>) -> Result<Secret, CommandFailure> {
    let unreadable = |error: io::Error| CommandFailure {
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
    // Before the prompt, so that nothing typed at once is shown or lost.
    let echo_guard = EchoGuard::begin()?;
    write!(io::stderr(), "Password of {user}: ")?;
    let text = line(io::stdin().lock());
    drop(echo_guard);
    writeln!(io::stderr())?;
    text
}

/// Turns the terminal's echo off until it is dropped.
struct EchoGuard(Termios);

impl EchoGuard {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to restore.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

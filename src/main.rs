//! The program: reads arguments, environment and files, sets up log and runtime, runs the command.

use listenfd::ListenFd;
use notify_push::{
    cli::{
        CommandFailure, DemoKind, DoctorEnvironment, LoadInputs, LoadedConfig,
        control_command::{self, CommandOutput},
        doctor_command,
    },
    config::{ConfigError, ServiceEntry, SystemProbes},
    lifecycle::{ExitReason, ServiceManager, SocketActivation, log_panics},
    runtime,
    runtime::{ConfigReader, ReloadedConfig, RuntimeEnvironment},
    services,
    services::{BoxedService, ProgramInvocation},
    telemetry::{
        error_chain::chain,
        log,
        log::{LogSettings, StderrKind},
    },
};
use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::runtime::{Builder, Runtime};

/// Returns memory after many clients have disconnected, which the system's allocator doesn't
/// (`docs/adr/0010`).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long the runtime may take to end after the last task.
const RUNTIME_END: Duration = Duration::from_millis(200);

type Command = notify_push::cli::ProgramCommand<BoxedService>;

fn main() -> ExitCode {
    match load().map_err(CommandFailure::from).and_then(run) {
        Ok(code) => code,
        Err(CommandFailure { message, code }) => {
            // If standard error is closed, the exit code is all that is left.
            let _ = writeln!(io::stderr(), "notify_push: {message}");
            ExitCode::from(code)
        }
    }
}

/// Determines the command from arguments, environment and files: the only place that reads them.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
fn load() -> Result<Command, ConfigError> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    notify_push::cli::load(LoadInputs {
        arguments: std::env::args_os().collect(),
        environment: std::env::vars_os().filter_map(text).collect(),
        probes: SystemProbes::SYSTEM,
        kinds: &services::kinds(),
    })
}

fn run(command: Command) -> Result<ExitCode, CommandFailure> {
    match command {
        Command::Print(text) => print(&CommandOutput { text, code: 0 }),
        Command::Serve(config) => serve(*config),
        Command::Act { config, action } => act(&config, action),
        Command::Log { action, endpoints } => {
            print(&runtime(1)?.block_on(control_command::log(&endpoints, action))?)
        }
        Command::Revoke { user, service, endpoints } => {
            print(&runtime(1)?.block_on(control_command::revoke(&endpoints, user, service))?)
        }
        Command::Healthcheck { live, endpoints, clients, opening } => {
            let asked = control_command::healthcheck(&endpoints, &clients, opening, live);
            print(&runtime(1)?.block_on(asked)?)
        }
        Command::Metrics { over, endpoints } => {
            print(&runtime(1)?.block_on(control_command::metrics(&endpoints, over))?)
        }
        Command::Demo { kind, once, port } => demo(kind, once, port),
        Command::Doctor { config, file, options } => {
            #[expect(
                clippy::disallowed_methods,
                reason = "main is the edge: it passes the clock on"
            )]
            let clock = Arc::new(SystemTime::now);
            let environment = DoctorEnvironment { colours: colours(), clock };
            doctor_command::run(config, file.as_deref(), &options, &environment)
        }
    }
}

/// Prints the output of a command. A reader that closes the pipe early has seen enough.
fn print(output: &CommandOutput) -> Result<ExitCode, CommandFailure> {
    let mut out = io::stdout();
    match out.write_all(output.text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandFailure::new(error)),
        _ => Ok(ExitCode::from(output.code)),
    }
}

/// Runs an action of the services.
fn act(config: &LoadedConfig<BoxedService>, action: &str) -> Result<ExitCode, CommandFailure> {
    let program = std::env::current_exe().map_err(CommandFailure::new)?;
    let invocation =
        ProgramInvocation { program, arguments: std::env::args_os().skip(1).collect() };
    for warning in &config.warnings {
        writeln!(io::stderr(), "notify_push: {warning}").map_err(CommandFailure::new)?;
    }
    let mut text = String::new();
    for ServiceEntry { service, .. } in &config.services {
        let Some(commands) = service.commands() else {
            let message = format!("this service has no command {action}");
            return Err(CommandFailure { message, code: 2 });
        };
        let output = commands.run(action, &invocation);
        text += &output.map_err(|error| CommandFailure::new(&*error))?;
    }
    print(&CommandOutput { text, code: 0 })
}

fn serve(config: LoadedConfig<BoxedService>) -> Result<ExitCode, CommandFailure> {
    let LoadedConfig { settings, services, rows, warnings } = config;
    with_environment(&settings.log.clone(), async |environment| {
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let reader = ConfigReader { rows, read: Arc::new(read_again) };
        runtime::serve(settings, services, environment, reader)
            .await
            .map(ExitReason::code)
            .map_err(CommandFailure::new)
    })
}

/// Whether standard output accepts colours.
#[expect(clippy::disallowed_methods, reason = "NO_COLOR is part of the environment")]
fn colours() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
    io::stdout().is_terminal() && !plain
}

#[cfg(all(feature = "nextcloud", feature = "webhook"))]
fn demo(kind: DemoKind, once: bool, port: Option<u16>) -> Result<ExitCode, CommandFailure> {
    use notify_push::{
        cli::demo_command,
        demo::{DemoOptions, DemoScreen},
    };
    let screen = DemoScreen::new(io::stdout(), colours());
    let options = DemoOptions { once, port: port.unwrap_or_default() };
    with_environment(&demo_command::log_settings(kind)?, async |environment| {
        demo_command::run(kind, options, environment, &std::env::temp_dir(), screen).await
    })
}

/// The demo needs two kinds of service.
#[cfg(not(all(feature = "nextcloud", feature = "webhook")))]
fn demo(_: DemoKind, _: bool, _: Option<u16>) -> Result<ExitCode, CommandFailure> {
    let message = "this build has no demo: it needs the features nextcloud and webhook".to_owned();
    Err(CommandFailure { message, code: 2 })
}

/// Reads the settings again: arguments and environment are the same, files may have changed.
fn read_again() -> Result<ReloadedConfig, String> {
    match load().map_err(|error| chain(&error))? {
        Command::Serve(config) => {
            let LoadedConfig { settings, services, rows, warnings } = *config;
            Ok(ReloadedConfig { settings, services, rows, warnings })
        }
        _ => Err("the arguments don't ask to serve".to_owned()),
    }
}

/// Runs work that needs a log, a runtime and the environment of the process.
#[expect(clippy::disallowed_methods, reason = "this is where the outside comes in")]
fn with_environment(
    settings: &LogSettings,
    work: impl AsyncFnOnce(RuntimeEnvironment) -> Result<u8, CommandFailure>,
) -> Result<ExitCode, CommandFailure> {
    let sockets = sockets()?;
    let stderr = StderrKind::detect(std::env::var_os("JOURNAL_STREAM").as_deref());
    let format = settings.format(stderr);
    let (log, _guard) =
        log::install(settings.filter.clone(), format).map_err(CommandFailure::new)?;
    log_panics();
    let manager =
        ServiceManager::from_environment(|name| std::env::var_os(name), std::process::id())
            .map_err(CommandFailure::new)?
            .with_sockets(sockets);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let environment = RuntimeEnvironment {
        log,
        manager,
        clock: Arc::new(SystemTime::now),
        rng: fastrand::Rng::new(),
        cores,
        play: None,
    };
    let runtime = runtime(cores)?;
    let code = runtime.block_on(work(environment));
    runtime.shutdown_timeout(RUNTIME_END);
    Ok(ExitCode::from(code?))
}

/// Takes the sockets that the service manager bound. Call it before there are threads.
#[expect(clippy::disallowed_methods, reason = "sd_listen_fds(3) is part of the environment")]
fn sockets() -> Result<SocketActivation, CommandFailure> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    SocketActivation::new(ListenFd::from_env(), &names).map_err(CommandFailure::new)
}

fn runtime(threads: usize) -> Result<Runtime, CommandFailure> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(CommandFailure::new)
}

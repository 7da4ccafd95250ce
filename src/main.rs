//! Options → settings → telemetry → app → exit code.

use listenfd::ListenFd;
use notify_push::{
    cli::{CommandFailure, DoctorEnvironment, LoadInputs, LoadedConfig, LogAction, doctor_command},
    client::ConnectionPreamble,
    config,
    config::{ConfigError, ServiceEntry},
    lifecycle::{ExitReason, ServiceManager, SocketActivation, log_panics},
    runtime,
    runtime::{
        ReloadedConfig, RuntimeEnvironment, admin,
        admin::AdminClientError,
        settings::DaemonSettings,
        status::metrics_view::{MetricsScrape, view},
    },
    server::BindAddress,
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
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::runtime::{Builder, Runtime};

/// Gives memory back after a crowd has left, which the system's allocator doesn't (`docs/adr/0010`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// After the last task has ended nothing of the runtime is waited for longer than this.
const RUNTIME_END: Duration = Duration::from_millis(200);

type Command = notify_push::cli::ProgramCommand<BoxedService>;

fn main() -> ExitCode {
    match load().map_err(CommandFailure::from).and_then(run) {
        Ok(code) => code,
        Err(CommandFailure { message, code }) => {
            // Nowhere else to say it.
            let _ = writeln!(io::stderr(), "notify_push: {message}");
            ExitCode::from(code)
        }
    }
}

/// Arguments, environment and files to what is to be done: the only place that looks at them.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
fn load() -> Result<Command, ConfigError> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    notify_push::cli::load(LoadInputs {
        arguments: std::env::args_os().collect(),
        environment: std::env::vars_os().filter_map(text).collect(),
        dotenv: config::read_text(
            &std::env::var_os("ENV_FILE").map_or(".env".into(), PathBuf::from),
        ),
        read: &config::read_text,
        exists: &|path| path.exists(),
        kinds: &services::kinds(),
    })
}

fn run(command: Command) -> Result<ExitCode, CommandFailure> {
    match command {
        Command::Print(text) => {
            io::stdout().write_all(text.as_bytes()).map_err(CommandFailure::new)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve { settings, hosts, warnings } => serve(*settings, hosts, &warnings),
        Command::Act { described, action } => act(&described, action),
        Command::Log { action, endpoints } => {
            let command = match action {
                LogAction::Set(filter) => admin::AdminCommand::SetLog(filter),
                LogAction::Restore => admin::AdminCommand::RestoreLog,
            };
            ask(&endpoints, &command)
        }
        Command::Revoke { user, host, endpoints } => {
            ask(&endpoints, &admin::AdminCommand::Revoke { service: host, user })
        }
        Command::Healthcheck { live, endpoints, clients, opening } => {
            healthcheck(&endpoints, &clients, opening, live)
        }
        Command::Metrics { over, endpoints } => metrics(&endpoints, over),
        Command::Demo { play, once } => demo(play, once),
        Command::Doctor { described, file, options } => {
            let clock = Arc::new(SystemTime::now);
            let environment = DoctorEnvironment { colours: colours(), clock };
            doctor_command::run(described, file.as_deref(), &options, &environment)
        }
    }
}

/// Something else than to serve, by a host that can.
fn act(described: &LoadedConfig<BoxedService>, action: &str) -> Result<ExitCode, CommandFailure> {
    let program = std::env::current_exe().map_err(CommandFailure::new)?;
    let invocation =
        ProgramInvocation { program, arguments: std::env::args_os().skip(1).collect() };
    let mut out = io::stdout();
    for warning in &described.warnings {
        writeln!(io::stderr(), "notify_push: {warning}").map_err(CommandFailure::new)?;
    }
    for ServiceEntry { service, .. } in &described.hosts {
        let Some(commands) = service.commands() else {
            let message = format!("this service has no command {action}");
            return Err(CommandFailure { message, code: 2 });
        };
        let output =
            commands.run(action, &invocation).map_err(|error| CommandFailure::new(&*error))?;
        write!(out, "{output}").map_err(CommandFailure::new)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(
    settings: DaemonSettings,
    hosts: Vec<ServiceEntry<BoxedService>>,
    warnings: &[String],
) -> Result<ExitCode, CommandFailure> {
    with_environment(&settings.log.clone(), async |environment| {
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let reload_settings = Arc::new(reload_settings);
        runtime::serve(settings, hosts, environment, reload_settings)
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
fn demo(kind: notify_push::cli::DemoKind, once: bool) -> Result<ExitCode, CommandFailure> {
    use notify_push::{cli::demo_command, demo::DemoScreen};
    let screen = DemoScreen::new(io::stdout(), colours());
    with_environment(&demo_command::log_settings(kind)?, async |environment| {
        demo_command::run(kind, once, environment, &std::env::temp_dir(), screen).await
    })
}

/// The demo needs two kinds of service.
#[cfg(not(all(feature = "nextcloud", feature = "webhook")))]
fn demo(_: notify_push::cli::DemoKind, _: bool) -> Result<ExitCode, CommandFailure> {
    let message = "this build has no demo: it takes the features nextcloud and webhook".to_owned();
    Err(CommandFailure { message, code: 2 })
}

/// What the settings are now: arguments and environment stay as they were, files may not.
fn reload_settings() -> Result<ReloadedConfig, String> {
    match load().map_err(|error| chain(&error))? {
        Command::Serve { settings, hosts, warnings } => {
            Ok(ReloadedConfig { settings: *settings, services: hosts, warnings })
        }
        _ => Err("the arguments ask for something else than to serve".to_owned()),
    }
}

/// Does something that needs a log, a runtime and whatever else comes from outside.
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

/// Sockets that the service manager bound for us. To be called before there are threads.
#[expect(clippy::disallowed_methods, reason = "sd_listen_fds(3) is part of the environment")]
fn sockets() -> Result<SocketActivation, CommandFailure> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    SocketActivation::new(ListenFd::from_env(), &names).map_err(CommandFailure::new)
}

fn ask(
    endpoints: &[BindAddress],
    command: &admin::AdminCommand,
) -> Result<ExitCode, CommandFailure> {
    let answer =
        runtime(1)?.block_on(admin::ask(endpoints, command)).map_err(CommandFailure::new)?;
    writeln!(io::stdout(), "{answer}").map_err(CommandFailure::new)?;
    Ok(ExitCode::SUCCESS)
}

/// Two looks, and what grew between them.
fn metrics(endpoints: &[BindAddress], over: Duration) -> Result<ExitCode, CommandFailure> {
    let text = runtime(1)?.block_on(async {
        let look = async || {
            let page = admin::ask(endpoints, &admin::AdminCommand::Metrics)
                .await
                .map_err(CommandFailure::new)?;
            Ok::<_, CommandFailure>((MetricsScrape::parse(&page), Instant::now()))
        };
        let (before, begun) = look().await?;
        tokio::time::sleep(over).await;
        let (now, ended) = look().await?;
        Ok::<_, CommandFailure>(view(&before, &now, (ended - begun).as_secs_f64()))
    })?;
    io::stdout().write_all(text.as_bytes()).map_err(CommandFailure::new)?;
    Ok(ExitCode::SUCCESS)
}

/// Exit code 0 or 1, as containers want it; the report goes to stdout either way.
fn healthcheck(
    endpoints: &[BindAddress],
    clients: &BindAddress,
    opening: ConnectionPreamble,
    live: bool,
) -> Result<ExitCode, CommandFailure> {
    let asked = admin::healthcheck(endpoints, clients, opening, live);
    let (report, code) = match runtime(1)?.block_on(asked) {
        Ok(report) => (report, ExitCode::SUCCESS),
        Err(AdminClientError::NotReady(report)) => (report, ExitCode::FAILURE),
        Err(error) => return Err(CommandFailure::new(error)),
    };
    writeln!(io::stdout(), "{report}").map_err(CommandFailure::new)?;
    Ok(code)
}

fn runtime(threads: usize) -> Result<Runtime, CommandFailure> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(CommandFailure::new)
}

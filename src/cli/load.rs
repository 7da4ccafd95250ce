//! From arguments, environment and files to what the process is asked to do.

use super::{
    Command, Described, DoctorOptions, LogAction,
    command_line::{self, Ask, Line, Task},
    several_services::{alone, kind, many},
};
use crate::{
    config::{
        ConfigError, Entry, Environment,
        layers::{Layers, ReadFile},
        parse,
        report::Report,
        service_kind::{HostRequest, Kind},
        services_file,
        services_file::{HostTable, HostsFile, Table},
        setting,
    },
    runtime::settings::{self, DEFAULT_PORT},
    server::Bind,
};
use std::{collections::BTreeMap, ffi::OsString, io, path::Path, time::Duration};

/// How long numbers are watched for rates, unless it is said.
const WATCHED: Duration = Duration::from_secs(1);
/// And no longer than this.
const WATCHED_AT_MOST: Duration = Duration::from_hours(1);

/// What is around the process, as values and probes.
pub struct Surroundings<'a, H> {
    /// The arguments, the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// What reading the environment file gave (`.env`, or what `ENV_FILE` names). One that can't be read is warned of.
    pub dotenv: io::Result<String>,
    /// Reads files named by `*_FILE` variables.
    pub read: ReadFile<'a>,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// The kinds of host there are; the first is what a daemon without a file of hosts serves.
    pub kinds: &'a [Kind<'a, H>],
}

/// Finds out what the process is asked to do.
pub fn load<H>(surroundings: Surroundings<'_, H>) -> Result<Command<H>, ConfigError> {
    let Surroundings { arguments, environment, dotenv, read, exists, kinds } = surroundings;
    let Line { flags, task } = command_line::parse(arguments, kinds)?;
    let unreadable = unreadable(&dotenv);
    let layers = move || -> Result<Layers<'_>, ConfigError> {
        let environment = Environment::new(environment, dotenv.as_deref().ok())?;
        Ok(Layers { flags, environment, table: Table::default(), read })
    };
    match task {
        Task::Print(text) => Ok(Command::Print(text)),
        Task::Demo { play, once } => Ok(Command::Demo { play, once }),
        Task::Log(action) => log(&daemon_layers(layers()?)?.0, action),
        Task::Revoke { user, host } => {
            let endpoints = endpoints(&daemon_layers(layers()?)?.0)?;
            Ok(Command::Revoke { user, host, endpoints })
        }
        Task::Healthcheck { live } => healthcheck(&daemon_layers(layers()?)?.0, live),
        Task::Metrics { over } => {
            let over = over.as_deref().map_or(Ok(WATCHED), parse::duration);
            let over = over.map_err(ConfigError::Usage)?.min(WATCHED_AT_MOST);
            Ok(Command::Metrics { over, endpoints: endpoints(&daemon_layers(layers()?)?.0)? })
        }
        Task::Serve { file, glob, dump } => {
            let sought = Sought { kind: None, file: file.as_deref(), glob, exists };
            let described = describe(&sought, layers()?, kinds, Report::warning(unreadable))?;
            Ok(serve(described, dump))
        }
        Task::Host { kind, file, what } => {
            let kind = Some(kind);
            let sought = Sought { kind, file: file.as_deref(), glob: false, exists };
            let described = layers()
                .and_then(|layers| describe(&sought, layers, kinds, Report::warning(unreadable)));
            Ok(match what {
                Ask::Serve => serve(described?, false),
                Ask::Dump => serve(described?, true),
                Ask::Act(action) => Command::Act { described: Box::new(described?), action },
                Ask::Doctor => {
                    let options = DoctorOptions::default();
                    Command::Doctor { described: described.map(Box::new), file: None, options }
                }
            })
        }
        Task::Doctor { file, glob, options } => {
            let sought = Sought { kind: None, file: file.as_deref(), glob, exists };
            let described = layers()
                .and_then(|layers| describe(&sought, layers, kinds, Report::warning(unreadable)));
            Ok(Command::Doctor { described: described.map(Box::new), file, options })
        }
    }
}

/// The layers of the daemon's own settings, and the hosts, where a file names them.
fn daemon_layers(
    mut layers: Layers<'_>,
) -> Result<(Layers<'_>, Option<Vec<HostTable>>), ConfigError> {
    let Some(path) = layers.get(setting::CONFIG, parse::path)? else { return Ok((layers, None)) };
    let path = path.value;
    let text = (layers.read)(&path)
        .map_err(|source| ConfigError::HostsFile { path: path.clone(), source })?;
    let HostsFile { daemon, hosts } = services_file::parse(&path, &text)?;
    layers.table = daemon;
    Ok((layers, Some(hosts)))
}

fn unreadable(dotenv: &io::Result<String>) -> Option<String> {
    let error = dotenv.as_ref().err().filter(|error| error.kind() != io::ErrorKind::NotFound)?;
    Some(format!("the environment file can't be read and is left out: {error}"))
}

/// Where settings are to be found.
struct Sought<'a> {
    /// The kind of the only host, where that is said.
    kind: Option<&'static str>,
    file: Option<&'a Path>,
    glob: bool,
    exists: &'a dyn Fn(&Path) -> bool,
}

/// Everything there is to say before something is begun.
fn describe<H>(
    sought: &Sought<'_>,
    layers: Layers<'_>,
    kinds: &[Kind<'_, H>],
    mut report: Report,
) -> Result<Described<H>, ConfigError> {
    let &Sought { kind: named, file, glob, exists } = sought;
    let (layers, hosts) = match named {
        Some(_) => (layers, None),
        None => daemon_layers(layers)?,
    };
    let mut port = DEFAULT_PORT;
    let hosts = match hosts {
        Some(hosts) => {
            alone(file, &layers)?;
            many(hosts, &layers, exists, kinds, &mut report)?
        }
        None => {
            let environment = &layers.environment;
            let request = HostRequest { file, glob, layers: &layers, environment, exists };
            let kind = kind(kinds, named, None)?;
            port = kind.port;
            vec![Entry::only((kind.read)(&request, &mut report)?)]
        }
    };
    let settings = settings::settings(&layers, port, &mut report)?;
    Ok(Described { settings, hosts, rows: report.rows, warnings: report.warnings })
}

fn serve<H>(described: Described<H>, dump: bool) -> Command<H> {
    let Described { settings, hosts, rows, warnings } = described;
    if dump {
        return Command::Print(Report::of(rows, warnings).text());
    }
    Command::Serve { settings: Box::new(settings), hosts, warnings }
}

fn log<H>(layers: &Layers<'_>, action: LogAction) -> Result<Command<H>, ConfigError> {
    if let LogAction::Set(filter) = &action {
        parse::filter(filter).map_err(ConfigError::Usage)?;
    }
    Ok(Command::Log { action, endpoints: endpoints(layers)? })
}

/// Where a daemon with these settings can be controlled, what is for control alone first.
fn endpoints(layers: &Layers<'_>) -> Result<Vec<Bind>, ConfigError> {
    let listeners = settings::control_listeners(layers)?;
    if listeners.is_empty() {
        return Err(ConfigError::Missing {
            what: "it is not known where the running daemon can be reached",
            remedy: "Give --admin-socket, --admin-port, --metrics-socket-path or --metrics-port \
                     (ADMIN_SOCKET_PATH, ADMIN_PORT, METRICS_SOCKET_PATH, METRICS_PORT) as the \
                     daemon has it",
        });
    }
    Ok(listeners.into_iter().map(|listener| listener.bind).collect())
}

fn healthcheck<H>(layers: &Layers<'_>, live: bool) -> Result<Command<H>, ConfigError> {
    let control = settings::control_listeners(layers)?;
    let endpoints = control.into_iter().map(|listener| listener.bind).collect();
    let clients = settings::clients_listener(layers)?;
    let opening = clients.opening();
    Ok(Command::Healthcheck { live, endpoints, clients: clients.bind, opening })
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod precedence;
#[cfg(test)]
mod tests;

//! From arguments, environment and files to what the process is asked to do.

use super::{
    DoctorOptions, LoadedConfig, LogAction, ProgramCommand, command_line,
    command_line::{CliTask, ParsedArguments, ServiceTask},
    several_services::{alone, kind, read_services},
};
use crate::{
    config::{
        ConfigError, DEFAULT_PORT, EnvironmentVariables, ServiceEntry,
        layers::{ReadFile, SettingLayers},
        parse,
        report::SettingsReport,
        service_kind::{ServiceConfigRequest, ServiceKind},
        services_file,
        services_file::{ServiceTable, ServicesFile, SettingTable},
        setting,
    },
    runtime::settings,
    server::{BindAddress, ListenSettings},
};
use std::{collections::BTreeMap, ffi::OsString, io, path::Path, time::Duration};

/// How long numbers are watched for rates, unless it is said.
const WATCHED: Duration = Duration::from_secs(1);
/// And no longer than this.
const WATCHED_AT_MOST: Duration = Duration::from_hours(1);

/// What is around the process, as values and probes.
pub struct LoadInputs<'a, H> {
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
    pub kinds: &'a [ServiceKind<'a, H>],
}

/// Finds out what the process is asked to do.
pub fn load<H>(surroundings: LoadInputs<'_, H>) -> Result<ProgramCommand<H>, ConfigError> {
    let LoadInputs { arguments, environment, dotenv, read, exists, kinds } = surroundings;
    let ParsedArguments { flags, task } = command_line::parse(arguments, kinds)?;
    let unreadable = unreadable(&dotenv);
    let layers = move || -> Result<SettingLayers<'_>, ConfigError> {
        let environment = EnvironmentVariables::new(environment, dotenv.as_deref().ok())?;
        Ok(SettingLayers { flags, environment, table: SettingTable::default(), read })
    };
    match task {
        CliTask::Print(text) => Ok(ProgramCommand::Print(text)),
        CliTask::Demo { play, once } => Ok(ProgramCommand::Demo { play, once }),
        CliTask::Log(action) => log(&daemon_layers(layers()?)?.0, action),
        CliTask::Revoke { user, host } => {
            let endpoints = admin_endpoints(&daemon_layers(layers()?)?.0)?;
            Ok(ProgramCommand::Revoke { user, host, endpoints })
        }
        CliTask::Healthcheck { live } => healthcheck(&daemon_layers(layers()?)?.0, live),
        CliTask::Metrics { over } => {
            let over = over.as_deref().map_or(Ok(WATCHED), parse::duration);
            let over = over.map_err(ConfigError::Usage)?.min(WATCHED_AT_MOST);
            Ok(ProgramCommand::Metrics {
                over,
                endpoints: metrics_endpoints(&daemon_layers(layers()?)?.0)?,
            })
        }
        CliTask::Serve { file, glob, dump } => {
            let location = ConfigLocation { kind: None, file: file.as_deref(), glob, exists };
            let described =
                describe(&location, layers()?, kinds, SettingsReport::warning(unreadable))?;
            Ok(serve(described, dump))
        }
        CliTask::Host { kind, file, what } => {
            let kind = Some(kind);
            let location = ConfigLocation { kind, file: file.as_deref(), glob: false, exists };
            let described = layers().and_then(|layers| {
                describe(&location, layers, kinds, SettingsReport::warning(unreadable))
            });
            Ok(match what {
                ServiceTask::Serve => serve(described?, false),
                ServiceTask::Dump => serve(described?, true),
                ServiceTask::Act(action) => {
                    ProgramCommand::Act { described: Box::new(described?), action }
                }
                ServiceTask::Doctor => {
                    let options = DoctorOptions::default();
                    ProgramCommand::Doctor {
                        described: described.map(Box::new),
                        file: None,
                        options,
                    }
                }
            })
        }
        CliTask::Doctor { file, glob, options } => {
            let location = ConfigLocation { kind: None, file: file.as_deref(), glob, exists };
            let described = layers().and_then(|layers| {
                describe(&location, layers, kinds, SettingsReport::warning(unreadable))
            });
            Ok(ProgramCommand::Doctor { described: described.map(Box::new), file, options })
        }
    }
}

/// The layers of the daemon's own settings, and the hosts, where a file names them.
fn daemon_layers(
    mut layers: SettingLayers<'_>,
) -> Result<(SettingLayers<'_>, Option<Vec<ServiceTable>>), ConfigError> {
    let Some(path) = layers.get(setting::CONFIG, parse::path)? else { return Ok((layers, None)) };
    let path = path.value;
    let text = (layers.read)(&path)
        .map_err(|source| ConfigError::HostsFile { path: path.clone(), source })?;
    let ServicesFile { daemon, hosts } = services_file::parse(&path, &text)?;
    layers.table = daemon;
    Ok((layers, Some(hosts)))
}

fn unreadable(dotenv: &io::Result<String>) -> Option<String> {
    let error = dotenv.as_ref().err().filter(|error| error.kind() != io::ErrorKind::NotFound)?;
    Some(format!("the environment file can't be read and is left out: {error}"))
}

/// Where settings are to be found.
struct ConfigLocation<'a> {
    /// The kind of the only host, where that is said.
    kind: Option<&'static str>,
    file: Option<&'a Path>,
    glob: bool,
    exists: &'a dyn Fn(&Path) -> bool,
}

/// Everything there is to say before something is begun.
fn describe<H>(
    location: &ConfigLocation<'_>,
    layers: SettingLayers<'_>,
    kinds: &[ServiceKind<'_, H>],
    mut report: SettingsReport,
) -> Result<LoadedConfig<H>, ConfigError> {
    let &ConfigLocation { kind: named, file, glob, exists } = location;
    let (layers, hosts) = match named {
        Some(_) => (layers, None),
        None => daemon_layers(layers)?,
    };
    let mut port = DEFAULT_PORT;
    let hosts = match hosts {
        Some(hosts) => {
            alone(file, &layers)?;
            read_services(hosts, &layers, exists, kinds, &mut report)?
        }
        None => {
            let environment = &layers.environment;
            let request = ServiceConfigRequest { file, glob, layers: &layers, environment, exists };
            let kind = kind(kinds, named, None)?;
            port = kind.port;
            vec![ServiceEntry::only((kind.read)(&request, &mut report)?)]
        }
    };
    let settings = settings::settings(&layers, port, &mut report)?;
    Ok(LoadedConfig { settings, hosts, rows: report.rows, warnings: report.warnings })
}

fn serve<H>(described: LoadedConfig<H>, dump: bool) -> ProgramCommand<H> {
    let LoadedConfig { settings, hosts, rows, warnings } = described;
    if dump {
        return ProgramCommand::Print(SettingsReport::of(rows, warnings).text());
    }
    ProgramCommand::Serve { settings: Box::new(settings), hosts, warnings }
}

fn log<H>(layers: &SettingLayers<'_>, action: LogAction) -> Result<ProgramCommand<H>, ConfigError> {
    if let LogAction::Set(filter) = &action {
        parse::filter(filter).map_err(ConfigError::Usage)?;
    }
    Ok(ProgramCommand::Log { action, endpoints: admin_endpoints(layers)? })
}

/// Where a daemon with these settings takes control requests.
fn admin_endpoints(layers: &SettingLayers<'_>) -> Result<Vec<BindAddress>, ConfigError> {
    Ok(binds(settings::admin_listeners(layers)?))
}

/// Where a daemon with these settings serves metrics.
fn metrics_endpoints(layers: &SettingLayers<'_>) -> Result<Vec<BindAddress>, ConfigError> {
    let listeners = settings::operator_listeners(layers)?;
    if listeners.is_empty() { admin_endpoints(layers) } else { Ok(binds(listeners)) }
}

fn binds(listeners: Vec<ListenSettings>) -> Vec<BindAddress> {
    listeners.into_iter().map(|listener| listener.bind).collect()
}

fn healthcheck<H>(
    layers: &SettingLayers<'_>,
    live: bool,
) -> Result<ProgramCommand<H>, ConfigError> {
    let endpoints = binds(settings::operator_listeners(layers)?);
    let clients = settings::clients_listener(layers)?;
    let opening = clients.preamble();
    Ok(ProgramCommand::Healthcheck { live, endpoints, clients: clients.bind, opening })
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod precedence;
#[cfg(test)]
mod service_kinds;
#[cfg(test)]
mod tests;

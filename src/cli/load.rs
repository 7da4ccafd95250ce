//! From arguments, environment and files to the command that the process runs.

use super::{
    LoadedConfig, LogAction, ProgramCommand, command_line,
    command_line::{CliTask, ParsedArguments, ServiceTask},
    several_services::{kind, read_services, reject_single_service_settings},
};
use crate::{
    config::{
        ConfigError, EnvironmentVariables, ServiceEntry, Setting, SettingsReport, SourcedValue,
        SystemProbes,
        layers::SettingLayers,
        parse,
        report::report_text,
        service_kind::{ServiceConfigRequest, ServiceKind},
        services_file,
        services_file::{ServiceTable, ServicesFile, SettingTable},
        setting,
        setting::daemon_settings,
    },
    runtime::settings,
    server::{BindAddress, ListenSettings},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// The default interval over which rates are measured.
const RATE_INTERVAL: Duration = Duration::from_secs(1);
/// The longest such interval.
const MAX_RATE_INTERVAL: Duration = Duration::from_hours(1);
/// The end of the name of a Nextcloud's own file, wherever it is given.
const PHP: &str = "php";

/// The surroundings of the process, as values and probes.
pub struct LoadInputs<'a, S> {
    /// The arguments, the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
    /// Access to files and names.
    pub probes: SystemProbes<'a>,
    /// The kinds of service in this build; the first is the default.
    pub kinds: &'a [ServiceKind<'a, S>],
}

/// Determines the command of the process.
///
/// # Errors
/// [`ConfigError`]: arguments or settings that can't be used.
pub fn load<S>(inputs: LoadInputs<'_, S>) -> Result<ProgramCommand<S>, ConfigError> {
    let LoadInputs { arguments, environment, probes, kinds } = inputs;
    let ParsedArguments { flags, task } = command_line::parse(arguments, kinds)?;
    let layers = move || -> Result<SettingLayers<'_>, ConfigError> {
        let environment = EnvironmentVariables::read(environment, &probes)?;
        Ok(SettingLayers { flags, environment, table: SettingTable::default(), probes })
    };
    match task {
        CliTask::Print(text) => Ok(ProgramCommand::Print(text)),
        CliTask::Demo { kind, once, port } => Ok(ProgramCommand::Demo { kind, once, port }),
        CliTask::Log(action) => log(&daemon_layers(layers()?)?.layers, action),
        CliTask::Revoke { user, service } => {
            let endpoints = admin_endpoints(&daemon_layers(layers()?)?.layers)?;
            Ok(ProgramCommand::Revoke { user, service, endpoints })
        }
        CliTask::Healthcheck { live } => healthcheck(&daemon_layers(layers()?)?.layers, live),
        CliTask::Metrics { over } => metrics(over.as_deref(), layers()?),
        CliTask::Serve { file, glob, dump } => {
            reject_unknown_command(file.as_deref(), &probes, kinds)?;
            let location = ConfigLocation { kind: None, file, glob };
            Ok(serve(read_config(&location, layers()?, kinds)?, dump))
        }
        CliTask::Service { kind, file, task } => {
            let location = ConfigLocation { kind: Some(kind), file, glob: false };
            let config = layers().and_then(|layers| read_config(&location, layers, kinds));
            service_command(config, task)
        }
        CliTask::Doctor { file, glob, options } => {
            let location = ConfigLocation { kind: None, file: file.clone(), glob };
            let config = layers().and_then(|layers| read_config(&location, layers, kinds));
            Ok(ProgramCommand::Doctor { config: config.map(Box::new), file, options })
        }
    }
}

/// An argument that is no file and looks like a command is not taken for a missing config.php.
fn reject_unknown_command<S>(
    file: Option<&Path>,
    probes: &SystemProbes<'_>,
    kinds: &[ServiceKind<'_, S>],
) -> Result<(), ConfigError> {
    let Some(word) = file.and_then(Path::to_str) else { return Ok(()) };
    let letters = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if letters && !(probes.exists)(Path::new(word)) {
        return Err(ConfigError::Usage(command_line::unknown_command(word, kinds)));
    }
    Ok(())
}

fn service_command<S>(
    config: Result<LoadedConfig<S>, ConfigError>,
    task: ServiceTask,
) -> Result<ProgramCommand<S>, ConfigError> {
    Ok(match task {
        ServiceTask::Serve => serve(config?, false),
        ServiceTask::Dump => serve(config?, true),
        ServiceTask::Act(action) => ProgramCommand::Act { config: Box::new(config?), action },
        ServiceTask::Doctor => {
            let config = config.map(Box::new);
            ProgramCommand::Doctor { config, file: None, options: super::DoctorOptions::default() }
        }
    })
}

/// The layers of the daemon's own settings, and what the file of `--config` adds.
struct DaemonLayers<'a> {
    layers: SettingLayers<'a>,
    /// The tables of the services file, if there is one.
    services: Option<Vec<ServiceTable>>,
    /// A config.php that was given with `--config`.
    file: Option<PathBuf>,
}

fn daemon_layers(mut layers: SettingLayers<'_>) -> Result<DaemonLayers<'_>, ConfigError> {
    let Some(SourcedValue { value: path, source }) = layers.get(setting::CONFIG, parse::path)?
    else {
        return Ok(DaemonLayers { layers, services: None, file: None });
    };
    if path.extension().is_some_and(|extension| extension == PHP) {
        return Ok(DaemonLayers { layers, services: None, file: Some(path) });
    }
    let text = layers.read(&path).map_err(|error| {
        ConfigError::unreadable(source.to_string(), &path, error, &layers.probes)
    })?;
    let ServicesFile { daemon, services } = services_file::parse(&path, &text)?;
    layers.table = daemon;
    Ok(DaemonLayers { layers, services: Some(services), file: None })
}

/// Where the settings of a daemon are.
struct ConfigLocation {
    /// The kind of the only service, if the command names it.
    kind: Option<&'static str>,
    file: Option<PathBuf>,
    glob: bool,
}

/// Reads the settings of the daemon and of all services.
fn read_config<S>(
    location: &ConfigLocation,
    layers: SettingLayers<'_>,
    kinds: &[ServiceKind<'_, S>],
) -> Result<LoadedConfig<S>, ConfigError> {
    let named = location.kind;
    let DaemonLayers { layers, services, file } = match named {
        Some(_) => DaemonLayers { layers, services: None, file: None },
        None => daemon_layers(layers)?,
    };
    let file = location.file.as_deref().or(file.as_deref());
    let mut report = SettingsReport::with_warnings(warnings(&layers, kinds));
    let mut port = setting::PORT;
    let services = match services {
        Some(services) => {
            reject_single_service_settings(file, &layers, kinds)?;
            read_services(services, &layers, kinds, &mut report)?
        }
        None => {
            let (environment, exists) = (&layers.environment, layers.probes.exists);
            let glob = location.glob;
            let request = ServiceConfigRequest { file, glob, layers: &layers, environment, exists };
            let kind = kind(kinds, named, None)?;
            port = kind.port;
            report.begin(None);
            let service = (kind.read)(&request, &mut report)?;
            report.complete(kind.settings.iter().copied(), &layers)?;
            vec![ServiceEntry::only(service)]
        }
    };
    report.begin(None);
    let settings = settings::settings(&layers, port, &mut report)?;
    let daemon =
        daemon_settings().map(|setting| if setting.name == port.name { port } else { setting });
    report.complete(daemon, &layers)?;
    let SettingsReport { rows, warnings, .. } = report;
    Ok(LoadedConfig { settings, services, rows, warnings })
}

/// Warnings about the environment and its file.
fn warnings<S>(layers: &SettingLayers<'_>, kinds: &[ServiceKind<'_, S>]) -> Vec<String> {
    let own = kinds.iter().flat_map(|kind| kind.settings.iter().copied());
    let settings: Vec<Setting> = own.chain(daemon_settings()).collect();
    let variables = settings.iter().map(|setting| setting.variable.to_owned());
    let known: Vec<_> =
        variables.chain(settings.iter().filter_map(Setting::file_variable)).collect();
    let mut warnings = layers.environment.warnings.clone();
    warnings.extend(layers.environment.typo_warnings(&known));
    warnings.extend(layers.service_link_warnings(&daemon_settings().collect::<Vec<_>>()));
    warnings
}

fn serve<S>(config: LoadedConfig<S>, dump: bool) -> ProgramCommand<S> {
    match dump {
        true => ProgramCommand::Print(report_text(&config.rows, &config.warnings)),
        false => ProgramCommand::Serve(Box::new(config)),
    }
}

fn log<S>(layers: &SettingLayers<'_>, action: LogAction) -> Result<ProgramCommand<S>, ConfigError> {
    if let LogAction::Set(filter) = &action {
        parse::filter(filter).map_err(ConfigError::Usage)?;
    }
    Ok(ProgramCommand::Log { action, endpoints: admin_endpoints(layers)? })
}

fn metrics<S>(
    over: Option<&str>,
    layers: SettingLayers<'_>,
) -> Result<ProgramCommand<S>, ConfigError> {
    let over = over.map_or(Ok(RATE_INTERVAL), parse::duration);
    let over = over.map_err(|expected| ConfigError::Usage(format!("--over: {expected}")))?;
    let endpoints = metrics_endpoints(&daemon_layers(layers)?.layers)?;
    Ok(ProgramCommand::Metrics { over: over.min(MAX_RATE_INTERVAL), endpoints })
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

fn healthcheck<S>(
    layers: &SettingLayers<'_>,
    live: bool,
) -> Result<ProgramCommand<S>, ConfigError> {
    let endpoints = binds(settings::operator_listeners(layers)?);
    let clients = settings::clients_listener(layers)?;
    let opening = clients.preamble();
    Ok(ProgramCommand::Healthcheck { live, endpoints, clients: clients.bind, opening })
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod precedence;
#[cfg(test)]
mod service_kinds;
#[cfg(test)]
mod tests;

//! Several hosts of one file, each with settings of its own.

use crate::config::{
    ConfigError, EnvironmentVariables, ServiceEntry,
    layers::{FlagValues, SettingLayers},
    report::SettingsReport,
    service_kind::{ServiceConfigRequest, ServiceKind},
    services_file::ServiceTable,
    setting,
};
use std::path::Path;

/// Variables that replace keys of config.php: of which of several, they don't say.
const OVERRIDES: &str = "NC_";

/// Reads every host of the file. What is set for one by flags or variables would be set for all of
/// them, so none of it counts here.
pub(crate) fn read_services<H>(
    hosts: Vec<ServiceTable>,
    daemon: &SettingLayers<'_>,
    exists: &dyn Fn(&Path) -> bool,
    kinds: &[ServiceKind<'_, H>],
    report: &mut SettingsReport,
) -> Result<Vec<ServiceEntry<H>>, ConfigError> {
    let environment = daemon.environment.without(OVERRIDES);
    unused(daemon, kinds, report);
    let mut entries = Vec::new();
    for host in hosts {
        let ServiceTable { name, place, config, glob, .. } = &host;
        let kind = kind(kinds, None, Some(&host))?;
        host.only(kind.settings)?;
        let layers = SettingLayers {
            flags: FlagValues::new(),
            environment: EnvironmentVariables::default(),
            table: host.settings.clone(),
            read: daemon.read,
        };
        let (file, environment) = (config.as_deref(), &environment);
        let request =
            ServiceConfigRequest { file, glob: *glob, layers: &layers, environment, exists };
        report.begin(format!("host {name}"));
        let warned = report.warnings.len();
        let read = (kind.read)(&request, report);
        for warning in report.warnings.iter_mut().skip(warned) {
            *warning = format!("host {name}: {warning}");
        }
        let read = read.map_err(|error| ConfigError::Host(name.clone(), Box::new(error)))?;
        entries.push(ServiceEntry {
            name: Some(name.clone()),
            route: place.clone(),
            service: read,
        });
    }
    report.begin("daemon");
    Ok(entries)
}

/// The kind of this name, else the one that a host says it is of, else the first there is.
pub(crate) fn kind<'k, 'a, H>(
    kinds: &'k [ServiceKind<'a, H>],
    named: Option<&str>,
    host: Option<&ServiceTable>,
) -> Result<&'k ServiceKind<'a, H>, ConfigError> {
    let first = kinds.first().ok_or(ConfigError::Missing {
        what: "this build knows no kind of host",
        remedy: "Build it with one of its features, such as nextcloud",
    })?;
    if let Some(kind) = kinds.iter().find(|kind| Some(kind.name) == named) {
        return Ok(kind);
    }
    let Some(said) = host.and_then(|host| host.kind.as_ref()) else { return Ok(first) };
    kinds.iter().find(|kind| kind.name == said.value).ok_or_else(|| {
        let known: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let problem = format!("this build knows no such kind of host, but {}", known.join(", "));
        ConfigError::invalid(said.source.clone(), problem)
    })
}

/// With a file of hosts neither a config.php nor a host's flags can be given: of which host?
pub(crate) fn alone(file: Option<&Path>, layers: &SettingLayers<'_>) -> Result<(), ConfigError> {
    if file.is_some() {
        return Err(ConfigError::Usage(
            "there are a config.php and a file of hosts. Give one of them; in the file of hosts a \
             Nextcloud is [[host]] with name and config = \"/path/to/config.php\""
                .into(),
        ));
    }
    let given = setting::INSTANCE.iter().find(|setting| layers.flags.contains_key(setting.name));
    given.map_or(Ok(()), |setting| {
        let (name, key) = (setting.name, setting.key());
        Err(ConfigError::Usage(format!(
            "--{name} is said of a host, and there are several. Write {key} = … into its [[host]]"
        )))
    })
}

/// Warns of variables that count for a single host only.
fn unused<H>(
    daemon: &SettingLayers<'_>,
    kinds: &[ServiceKind<'_, H>],
    report: &mut SettingsReport,
) {
    for setting in kinds.iter().flat_map(|kind| kind.settings) {
        for layer in daemon.environment.layers() {
            if layer.get(setting.variable).is_some_and(|value| !value.is_empty()) {
                let (source, key) = (layer.source(setting.variable), setting.key());
                report.warn(format!(
                    "{source}: not used, as there is a file of hosts. Write {key} into [[host]]"
                ));
            }
        }
    }
}

//! Reads the services of a services file, each with settings of its own.

use crate::config::{
    ConfigError, EnvironmentVariables, ServiceEntry, Setting,
    layers::{FlagValues, SettingLayers},
    report::SettingsReport,
    service_kind::{ServiceConfigRequest, ServiceKind},
    services_file::ServiceTable,
};
use std::path::Path;

/// Variables that replace keys of a config.php: with several services it is unclear of which one.
const OVERRIDES: &str = "NC_";

/// Reads every service of the file. Flags and variables would apply to all of them, so those of a
/// service's settings don't count here.
pub(crate) fn read_services<S>(
    tables: Vec<ServiceTable>,
    daemon: &SettingLayers<'_>,
    kinds: &[ServiceKind<'_, S>],
    report: &mut SettingsReport,
) -> Result<Vec<ServiceEntry<S>>, ConfigError> {
    let environment = daemon.environment.without(OVERRIDES);
    warn_unused_variables(daemon, kinds, report);
    let mut entries = Vec::new();
    for table in tables {
        entries.push(read_service(&table, daemon, &environment, kinds, report)?);
    }
    Ok(entries)
}

fn read_service<S>(
    table: &ServiceTable,
    daemon: &SettingLayers<'_>,
    environment: &EnvironmentVariables,
    kinds: &[ServiceKind<'_, S>],
    report: &mut SettingsReport,
) -> Result<ServiceEntry<S>, ConfigError> {
    let ServiceTable { name, route, config, glob, settings, .. } = table;
    let kind = kind(kinds, None, Some(table))?;
    table.only(kind.settings)?;
    let layers = SettingLayers {
        flags: FlagValues::new(),
        environment: EnvironmentVariables::default(),
        table: settings.clone(),
        probes: daemon.probes,
    };
    let (file, exists) = (config.as_deref(), daemon.probes.exists);
    let request = ServiceConfigRequest { file, glob: *glob, layers: &layers, environment, exists };
    report.begin(Some(name.clone()));
    let first_warning = report.warnings.len();
    let read = (kind.read)(&request, report);
    for warning in report.warnings.iter_mut().skip(first_warning) {
        *warning = format!("service {name}: {warning}");
    }
    let service = read.map_err(|error| ConfigError::Service(name.clone(), Box::new(error)))?;
    report.complete(kind.settings.iter().copied(), &layers)?;
    Ok(ServiceEntry { name: Some(name.clone()), route: route.clone(), service })
}

/// The kind of this name, else the kind of a service's table, else the first of the build.
pub(crate) fn kind<'k, 'a, S>(
    kinds: &'k [ServiceKind<'a, S>],
    named: Option<&str>,
    table: Option<&ServiceTable>,
) -> Result<&'k ServiceKind<'a, S>, ConfigError> {
    let first = kinds.first().ok_or(ConfigError::Missing {
        what: "this build has no kind of service",
        remedy: "Build it with one of its features, such as nextcloud",
    })?;
    if let Some(kind) = kinds.iter().find(|kind| Some(kind.name) == named) {
        return Ok(kind);
    }
    let Some(given) = table.and_then(|table| table.kind.as_ref()) else { return Ok(first) };
    kinds.iter().find(|kind| kind.name == given.value).ok_or_else(|| {
        let known: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let hint = crate::config::nearest(&given.value, &known);
        let hint = hint.map(|near| format!("Did you mean {near}? "));
        let problem = format!(
            "there is no kind {} in this build. {}The kinds are {}",
            crate::config::repeated(&given.value),
            hint.unwrap_or_default(),
            known.join(", ")
        );
        ConfigError::invalid(given.source.clone(), problem)
    })
}

/// With a services file neither a config.php nor the flags of one service can be given: it would be
/// unclear for which service.
pub(crate) fn reject_single_service_settings<S>(
    file: Option<&Path>,
    layers: &SettingLayers<'_>,
    kinds: &[ServiceKind<'_, S>],
) -> Result<(), ConfigError> {
    if let Some(file) = file {
        return Err(ConfigError::Usage(format!(
            "both {} and a services file are given. Give one of them; in the services file write a \
             [[service]] with name and config = {:?}",
            file.display(),
            file
        )));
    }
    let mut settings = kinds.iter().flat_map(|kind| kind.settings);
    match settings.find(|setting| layers.flags.contains_key(setting.name)) {
        None => Ok(()),
        Some(setting) => Err(ConfigError::Usage(format!(
            "--{} belongs to one service, and there are several. Write {} = … into its [[service]]",
            setting.name,
            setting.key()
        ))),
    }
}

/// Warns about variables that only count for a single service.
fn warn_unused_variables<S>(
    daemon: &SettingLayers<'_>,
    kinds: &[ServiceKind<'_, S>],
    report: &mut SettingsReport,
) {
    let mut settings: Vec<&Setting> = kinds.iter().flat_map(|kind| kind.settings).collect();
    settings.sort_unstable_by_key(|setting| setting.name);
    settings.dedup_by_key(|setting| setting.name);
    for setting in settings {
        for layer in daemon.environment.layers() {
            if layer.get(setting.variable).is_some_and(|value| !value.is_empty()) {
                let (source, key) = (layer.source(setting.variable), setting.key());
                report.warn(format!(
                    "{source}: not used, since there is a services file. Write {key} into a \
                     [[service]]"
                ));
            }
        }
    }
}

//! A daemon inside the test's own process, so that what comes from outside can be made up.

use notify_push::{
    cli::{LoadInputs, ProgramCommand},
    config::{ServiceKind, SystemProbes},
    lifecycle::ServiceManager,
    runtime::{RuntimeEnvironment, settings::DaemonSettings},
    services::{
        WallClock,
        nextcloud::{NextcloudService, settings::NEXTCLOUD_SETTINGS},
    },
    telemetry::log::{LogFilter, LogFormat, build},
};
use std::{io, path::Path, sync::Arc, time::SystemTime};

/// What these arguments and this environment say, on any port of 127.0.0.1, with logins decided by
/// the database of the one Nextcloud.
pub(crate) fn settings(
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (DaemonSettings, NextcloudService) {
    let arguments = ["notify_push"].iter().chain(arguments);
    let usual = [("PORT", "0"), ("BIND", "127.0.0.1"), ("AUTH", "database")];
    let environment = usual.iter().chain(environment);
    let loaded = notify_push::cli::load(LoadInputs {
        arguments: arguments.map(|&argument| argument.into()).collect(),
        environment: environment.map(|&(name, value)| (name.into(), value.into())).collect(),
        probes: SystemProbes::SYSTEM,
        kinds: &[ServiceKind::new("nextcloud", NEXTCLOUD_SETTINGS, &NextcloudService::read)],
    });
    match loaded {
        Ok(ProgramCommand::Serve(mut config)) => {
            (config.settings, config.services.remove(0).service)
        }
        other => panic!("{other:?}"),
    }
}

/// What surrounds it: this service manager, this time of day, one processor, and nobody reads its log.
pub(crate) fn environment(manager: ServiceManager, clock: WallClock) -> RuntimeEnvironment {
    let (_, log) = build(LogFilter::default(), LogFormat::Json, io::sink);
    RuntimeEnvironment {
        log,
        manager,
        clock,
        rng: fastrand::Rng::with_seed(1),
        cores: 1,
        play: None,
    }
}

/// The same without a service manager.
pub(crate) fn plain_environment() -> RuntimeEnvironment {
    let manager = ServiceManager::from_environment(|_| None, std::process::id()).unwrap();
    environment(manager, Arc::new(|| SystemTime::UNIX_EPOCH))
}

/// The same with a service manager that listens at a socket and wants a watchdog message every 0.4 s.
pub(crate) fn watched_environment(socket: &Path) -> RuntimeEnvironment {
    let variable = |name: &str| match name {
        "NOTIFY_SOCKET" => Some(socket.as_os_str().to_owned()),
        "WATCHDOG_USEC" => Some("400000".into()),
        _ => None,
    };
    let manager = ServiceManager::from_environment(variable, std::process::id()).unwrap();
    environment(manager, Arc::new(|| SystemTime::UNIX_EPOCH))
}

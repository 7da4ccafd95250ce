//! A daemon inside the test's own process, so that what comes from outside can be made up.

use notify_push::{
    cli::{Command, Surroundings},
    config,
    config::Kind,
    lifecycle::ServiceManager,
    runtime::{Rim, settings::Settings},
    services::{Clock, nextcloud::Instance},
    telemetry::log::{Filter, LogFormat, build},
};
use std::io::{self, ErrorKind};

/// What these arguments and this environment say, on any port of 127.0.0.1, with log-ins decided by
/// the database of the one Nextcloud.
pub(crate) fn settings(arguments: &[&str], environment: &[(&str, &str)]) -> (Settings, Instance) {
    let arguments = ["notify_push"].iter().chain(arguments);
    let usual = [("PORT", "0"), ("BIND", "127.0.0.1"), ("AUTH", "database")];
    let environment = usual.iter().chain(environment);
    let loaded = notify_push::cli::load(Surroundings {
        arguments: arguments.map(|&argument| argument.into()).collect(),
        environment: environment.map(|&(name, value)| (name.into(), value.into())).collect(),
        dotenv: Err(ErrorKind::NotFound.into()),
        read: &config::read_text,
        exists: &|path| path.exists(),
        kinds: &[Kind::new("nextcloud", &[], &Instance::read)],
    });
    match loaded {
        Ok(Command::Serve { settings, mut hosts, .. }) => (*settings, hosts.remove(0).host),
        other => panic!("{other:?}"),
    }
}

/// What surrounds it: this service manager, this time of day, one processor, and nobody reads its log.
pub(crate) fn rim(manager: ServiceManager, clock: Clock) -> Rim {
    let (_, log) = build(Filter::default(), LogFormat::Json, io::sink);
    Rim { log, manager, clock, rng: fastrand::Rng::with_seed(1), cores: 1, play: None }
}

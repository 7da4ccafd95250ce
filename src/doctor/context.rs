//! The context of a service's checks, and the checks that every kind of service has.

use super::{CheckRun, DescriptorLimits, descriptors::judge, settings::valid};
use crate::{
    config::{ServiceRoute, SettingRow},
    health::WallClock,
    push::LoginCredentials,
    server::ListenSettings,
};
use std::{path::PathBuf, time::Duration};

/// What the checks know besides the service's own settings.
pub struct DiagnosisContext {
    /// The daemon's shared listener.
    pub listen: ListenSettings,
    /// Which requests to that listener belong to the service.
    pub place: ServiceRoute,
    /// The settings without secrets, each with its source.
    pub rows: Vec<SettingRow>,
    /// Warnings from reading the settings.
    pub warnings: Vec<String>,
    /// The service's own configuration file, if one was named.
    pub file: Option<PathBuf>,
    /// The account to log in with, if one was named.
    pub credentials: Option<LoginCredentials>,
    /// How long the idle check holds a silent connection.
    pub idle_time: Duration,
    /// Reads the time of day.
    pub clock: WallClock,
    /// The source of random numbers.
    pub rng: fastrand::Rng,
}

/// Runs the checks that come first for every kind of service: settings, their warnings, and the limit of
/// open files.
pub fn begin(run: &mut CheckRun<'_>, context: &DiagnosisContext, descriptors: DescriptorLimits) {
    run.record_all(valid(&context.rows, &context.warnings));
    run.record(judge(descriptors));
}

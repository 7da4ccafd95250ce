//! What a host is looked over with, and what is looked at for every kind.

use super::{CheckRun, DescriptorLimits, descriptors::judge, settings::valid};
use crate::{
    config::{ServiceRoute, SettingRow},
    health::WallClock,
    push::LoginCredentials,
    server::ListenSettings,
};
use std::{path::PathBuf, time::Duration};

/// What is known besides the host's own settings.
pub struct DiagnosisContext {
    /// Where the daemon's shared listener is.
    pub listen: ListenSettings,
    /// Which of the requests there are for the host.
    pub place: ServiceRoute,
    /// The settings as they may be shown, and where they come from.
    pub rows: Vec<SettingRow>,
    /// What was noticed while they were read.
    pub warnings: Vec<String>,
    /// The host's own configuration file, if one was named.
    pub file: Option<PathBuf>,
    /// Whom to log in as.
    pub credentials: Option<LoginCredentials>,
    /// How long a silent connection is held.
    pub patience: Duration,
    /// The time of day.
    pub clock: WallClock,
    /// Chance.
    pub rng: fastrand::Rng,
}

/// What comes first for every kind of host: the settings as they may be shown, what was noticed while
/// they were read, and how many files may be open.
pub fn begin(run: &mut CheckRun<'_>, context: &DiagnosisContext, descriptors: DescriptorLimits) {
    run.record_all(valid(&context.rows, &context.warnings));
    run.told(judge(descriptors));
}

//! What a host is looked over with, and what is looked at for every kind.

use super::{Descriptors, Round, descriptors::judge, settings::good};
use crate::{
    config::{Place, Row},
    health::Clock,
    server::ListenSettings,
    services::nextcloud::login::Credentials,
};
use std::{path::PathBuf, time::Duration};

/// What is known besides the host's own settings.
pub struct Visit {
    /// Where the daemon's shared listener is.
    pub listen: ListenSettings,
    /// Which of the requests there are for the host.
    pub place: Place,
    /// The settings as they may be shown, and where they come from.
    pub rows: Vec<Row>,
    /// What was noticed while they were read.
    pub warnings: Vec<String>,
    /// The host's own configuration file, if one was named.
    pub file: Option<PathBuf>,
    /// Whom to log in as.
    pub credentials: Option<Credentials>,
    /// How long a silent connection is held.
    pub patience: Duration,
    /// The time of day.
    pub clock: Clock,
    /// Chance.
    pub rng: fastrand::Rng,
}

/// What comes first for every kind of host: the settings as they may be shown, what was noticed while
/// they were read, and how many files may be open.
pub fn begin(round: &mut Round<'_>, visit: &Visit, descriptors: Descriptors) {
    round.all_told(good(&visit.rows, &visit.warnings));
    round.told(judge(descriptors));
}

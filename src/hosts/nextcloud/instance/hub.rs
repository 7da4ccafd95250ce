//! The hub of one Nextcloud: no other host's clients are in it.

use super::Parts;
use crate::{
    hosts::{StartError, nextcloud::dialect::NextcloudDialect},
    hub::{Hub, HubSettings, Limits},
    session::Pace,
};
use std::{sync::Arc, time::Duration};

/// Sessions of one user (`specs/nextcloud.md` section 3).
const PER_USER: usize = 64;
/// Shards of the hub at most; each is one task.
const MAX_SHARDS: usize = 8;

impl Parts {
    /// Starts the hub.
    pub(super) fn hub(&mut self, dialect: &Arc<NextcloudDialect>) -> Result<Hub, StartError> {
        let delivery = &self.settings.delivery;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let settings = HubSettings {
            dialect: Arc::clone(dialect) as _,
            pace: Pace { max: millis(delivery.max_debounce), enabled: !delivery.debounce_disabled },
            push_rate: delivery.push_rate,
            limits: Limits {
                per_recipient: PER_USER,
                max_connection: delivery.max_connection.map(millis),
            },
            shards: u16::try_from(self.ground.cores.clamp(1, MAX_SHARDS)).unwrap_or(1),
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        Hub::start(settings, &self.ground.groups.sessions, &mut self.ground.rng)
            .map_err(|error| StartError::System("an event queue", error))
    }
}

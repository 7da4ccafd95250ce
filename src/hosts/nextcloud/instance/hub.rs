//! The hub of one Nextcloud: no other host's clients are in it.

use super::{Parts, adopt::terms, probe};
use crate::{
    front::Room,
    hosts::{StartError, nextcloud::dialect::NextcloudDialect},
    hub::{Dealing, Hub, HubSettings},
    telemetry::metrics::SessionRefusal,
};
use std::sync::Arc;

/// Shards of the hub at most; each is one task.
const MAX_SHARDS: usize = 8;

impl Parts {
    /// Starts the hub.
    pub(super) fn hub(&mut self, dialect: &Arc<NextcloudDialect>) -> Result<Hub, StartError> {
        let settings = HubSettings {
            dialect: Arc::clone(dialect) as _,
            terms: terms(&self.settings.delivery),
            push_rate: self.settings.delivery.push_rate,
            shards: u16::try_from(self.ground.cores.clamp(1, MAX_SHARDS)).unwrap_or(1),
            dealing: Dealing::ByRecipient,
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        Hub::start(settings, &self.ground.groups.sessions, &mut self.ground.rng)
            .map_err(|error| StartError::System("an event queue", error))
    }

    /// Room for the hub's clients.
    pub(super) fn room(&self, hub: &Hub) -> Room {
        let (here, counted) = (hub.clone(), Arc::clone(&self.observers.hub));
        let refused = move || counted.refused.inc(SessionRefusal::Full);
        let most = self.settings.delivery.max_connections;
        Room::new(most, probe::NAME.into(), move || here.connections(), refused)
    }
}

//! The hub of one Nextcloud: no other host's clients are in it.

use super::{Parts, adopt::terms, probe};
use crate::{
    push::{
        Room,
        hub::{Dealing, Hub, HubSettings},
    },
    services::{StartError, clients, nextcloud::dialect::NextcloudDialect},
};
use std::sync::Arc;

impl Parts {
    /// Starts the hub.
    pub(super) fn hub(&mut self, dialect: &Arc<NextcloudDialect>) -> Result<Hub, StartError> {
        let settings = HubSettings {
            dialect: Arc::clone(dialect) as _,
            terms: terms(&self.settings.delivery),
            push_rate: self.settings.delivery.push_rate,
            shards: self.ground.shards(),
            dealing: Dealing::ByRecipient,
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        self.ground.start_hub(settings)
    }

    /// Room for the hub's clients.
    pub(super) fn room(&self, hub: &Hub) -> Room {
        clients::room(
            hub,
            self.settings.delivery.max_connections,
            probe::NAME.into(),
            &self.observers.hub,
        )
    }
}

//! Starts the hub of one Nextcloud, which holds the clients of no other service.

use super::{NextcloudBuilder, reload::session_policy, self_probe};
use crate::{
    push::{
        ConnectionLimit,
        hub::{Hub, HubSettings, ShardPolicy},
    },
    services::{ServiceStartError, nextcloud::dialect::NextcloudDialect, sessions},
};
use std::sync::Arc;

impl NextcloudBuilder {
    /// Starts the hub with the settings of delivery.
    pub(super) fn hub(
        &mut self,
        dialect: &Arc<NextcloudDialect>,
    ) -> Result<Hub, ServiceStartError> {
        let settings = HubSettings {
            dialect: Arc::clone(dialect) as _,
            session_policy: session_policy(&self.settings.delivery),
            push_rate: self.settings.delivery.push_rate,
            shards: self.ground.shards(),
            shard_policy: ShardPolicy::ByRecipient,
            grace: self.ground.drain_time,
            observer: Arc::clone(&self.observers.hub) as _,
        };
        self.ground.start_hub(settings)
    }

    /// The connection limit of the hub's clients.
    pub(super) fn room(&self, hub: &Hub) -> ConnectionLimit {
        sessions::connection_limit(
            hub,
            self.settings.delivery.max_connections,
            self_probe::PROBE_USER.into(),
            &self.observers.hub,
        )
    }
}

//! Applies reloaded settings to a running server.

use super::PhorgeService;
use crate::{
    push::{
        ConnectionLimit,
        hub::{Hub, HubLimits, SessionPolicy},
        session::DebouncePolicy,
    },
    services::{
        Service, ServiceReload,
        phorge::{address_limit::AddressLimit, config::PhorgeSettings, dialect::SubscriptionLimit},
    },
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::any::Any;

/// The bytes that all browsers' subscriptions may take: 400 000 of Phorge's ids.
const SUBSCRIPTION_BYTES: usize = 64 * 1024 * 1024;

/// The parts of the server that follow the settings.
pub(super) struct PhorgeReload {
    /// The settings in force.
    settings: PhorgeSettings,
    hub: Hub,
    room: ConnectionLimit,
    subscription_limit: SubscriptionLimit,
    address_limit: AddressLimit,
}

impl PhorgeReload {
    pub(super) fn new(
        settings: PhorgeSettings,
        hub: Hub,
        room: ConnectionLimit,
        subscription_limit: SubscriptionLimit,
        address_limit: AddressLimit,
    ) -> Self {
        Self { settings, hub, room, subscription_limit, address_limit }
    }

    async fn apply_live(&mut self, new: &PhorgeSettings) {
        self.settings.max_subscriptions = new.max_subscriptions;
        self.settings.max_connections = new.max_connections;
        self.settings.max_sessions_per_address = new.max_sessions_per_address;
        self.settings.trusted.clone_from(&new.trusted);
        self.address_limit.apply(new.max_sessions_per_address, &new.trusted);
        self.room.set_maximum(new.max_connections);
        self.subscription_limit.allow(new.max_subscriptions);
        if self
            .hub
            .apply(session_policy(&self.settings, usize::from(self.hub.shards())), 0)
            .await
            .is_err()
        {
            tracing::debug!("the hub stopped before it received the new settings");
        }
    }
}

impl ServiceReload for PhorgeReload {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.trusted
    }

    fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, ()> {
        match (fresh as &dyn Any).downcast_ref::<PhorgeService>() {
            Some(server) => Box::pin(self.apply_live(&server.settings)),
            None => Box::pin(async {}),
        }
    }
}

/// The session policy: an instance may have any number of sessions, and messages are not debounced.
pub(super) fn session_policy(settings: &PhorgeSettings, shards: usize) -> SessionPolicy {
    SessionPolicy {
        debounce: DebouncePolicy { max: 0, enabled: false },
        limits: HubLimits {
            per_recipient: usize::MAX,
            max_connection: None,
            subscriptions: settings.max_subscriptions,
            subscription_bytes: SUBSCRIPTION_BYTES / shards.max(1),
        },
    }
}

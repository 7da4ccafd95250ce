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
        phorge::{config::PhorgeSettings, dialect::SubscriptionLimit},
    },
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::any::Any;

/// The parts of the server that follow the settings.
pub(super) struct PhorgeReload {
    /// The settings in force.
    settings: PhorgeSettings,
    hub: Hub,
    room: ConnectionLimit,
    subscription_limit: SubscriptionLimit,
}

impl PhorgeReload {
    pub(super) fn new(
        settings: PhorgeSettings,
        hub: Hub,
        room: ConnectionLimit,
        subscription_limit: SubscriptionLimit,
    ) -> Self {
        Self { settings, hub, room, subscription_limit }
    }

    async fn apply_live(&mut self, new: &PhorgeSettings) {
        self.settings.max_subscriptions = new.max_subscriptions;
        self.settings.max_connections = new.max_connections;
        self.settings.trusted.clone_from(&new.trusted);
        self.room.set_maximum(new.max_connections);
        self.subscription_limit.allow(new.max_subscriptions);
        if self.hub.apply(session_policy(&self.settings), 0).await.is_err() {
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
pub(super) fn session_policy(settings: &PhorgeSettings) -> SessionPolicy {
    SessionPolicy {
        debounce: DebouncePolicy { max: 0, enabled: false },
        limits: HubLimits {
            per_recipient: usize::MAX,
            max_connection: None,
            subscriptions: settings.max_subscriptions,
        },
    }
}

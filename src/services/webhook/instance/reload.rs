//! Reload of a running webhook service's settings.

use super::{WebhookService, access, session_policy};
use crate::{
    push::{ConnectionLimit, hub::Hub},
    server::client_address::ClientAddressResolver,
    services::{
        Service, ServiceReload,
        webhook::{rest::RestHandler, settings::WebhookSettings},
    },
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::{any::Any, sync::Arc};

/// Applies new settings.
pub(super) struct WebhookReload {
    /// Settings in force.
    settings: WebhookSettings,
    hub: Hub,
    connection_limit: ConnectionLimit,
    addresses: ClientAddressResolver,
    rest_handler: Arc<RestHandler>,
}

impl WebhookReload {
    pub(super) fn new(
        settings: WebhookSettings,
        hub: Hub,
        connection_limit: ConnectionLimit,
        addresses: ClientAddressResolver,
        rest_handler: Arc<RestHandler>,
    ) -> Self {
        Self { settings, hub, connection_limit, addresses, rest_handler }
    }

    async fn apply(&mut self, new: &WebhookSettings) {
        self.settings.token = new.token.clone();
        self.settings.proxies.trusted = new.proxies.trusted.clone();
        self.settings.max_connections = new.max_connections;
        self.settings.max_connection = new.max_connection;
        self.rest_handler.allow(access(&self.settings));
        self.addresses.trust(self.settings.proxies.trusted.clone());
        self.connection_limit.set_maximum(self.settings.max_connections);
        if self.hub.apply(session_policy(&self.settings), 0).await.is_err() {
            tracing::debug!("hub ended before the new settings applied");
        }
    }
}

impl ServiceReload for WebhookReload {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, ()> {
        match (fresh as &dyn Any).downcast_ref::<WebhookService>() {
            Some(webhook) => Box::pin(self.apply(&webhook.settings)),
            None => Box::pin(async {}),
        }
    }
}

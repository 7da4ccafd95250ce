//! Reload of a running webhook service's settings.

use super::{WebhookService, access, session_policy};
use crate::{
    config::{ChangeEffect, SettingChange},
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

/// A part of the settings: its name, and a comparison.
type WebhookSettingComparison = (&'static str, fn(&WebhookSettings, &WebhookSettings) -> bool);

/// Settings that change at once.
const LIVE: &[WebhookSettingComparison] = &[
    ("AUTH_TOKEN", |a, b| a.token == b.token),
    ("TRUSTED_PROXIES", |a, b| a.proxies.trusted == b.proxies.trusted),
    ("MAX_CONNECTIONS", |a, b| a.max_connections == b.max_connections),
    ("MAX_CONNECTION_TIME", |a, b| a.max_connection == b.max_connection),
];

/// Settings that need a restart.
const FIXED: &[WebhookSettingComparison] = &[
    ("REDIS_URL or REDIS_HOST", |a, b| a.redis == b.redis),
    ("PUBLIC_URL", |a, b| a.public_url == b.public_url),
    ("REGISTRATION_TIME, MAX_REGISTRATIONS or REPLAY_TIME", |a, b| a.limits == b.limits),
    ("HOOK_TIME, MAX_HOOK_TIME or HOOK_RATE", |a, b| {
        a.hook_time == b.hook_time && a.hook_rate == b.hook_rate
    }),
    ("FORWARDED_FOR_HEADERS", |a, b| a.proxies.headers == b.proxies.headers),
];

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

    async fn apply(&mut self, new: &WebhookSettings) -> Vec<SettingChange> {
        let changes = changes(&self.settings, new);
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
        changes
    }
}

fn changes(old: &WebhookSettings, new: &WebhookSettings) -> Vec<SettingChange> {
    let of = |parts: &'static [WebhookSettingComparison], effect| {
        let changed = parts.iter().filter(|(_, same)| !same(old, new));
        changed.map(move |(name, _)| SettingChange { name, effect })
    };
    of(LIVE, ChangeEffect::Immediately).chain(of(FIXED, ChangeEffect::AtRestart)).collect()
}

impl ServiceReload for WebhookReload {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, Vec<SettingChange>> {
        match (fresh as &dyn Any).downcast_ref::<WebhookService>() {
            Some(webhook) => Box::pin(self.apply(&webhook.settings)),
            None => Box::pin(async { Vec::new() }),
        }
    }
}

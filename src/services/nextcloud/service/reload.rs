//! Applies changed settings to a running Nextcloud.

use super::{NextcloudService, admission::LoginAdmission};
use crate::{
    push::{
        ConnectionLimit,
        hub::{Hub, HubLimits, SessionPolicy},
        session::DebouncePolicy,
    },
    server::client_address::ClientAddressResolver,
    services::{
        Service, ServiceReload,
        nextcloud::{
            login::LoginGuard,
            settings::{DeliverySettings, NextcloudServiceSettings},
        },
    },
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::{any::Any, time::Duration};

/// Maximum sessions of one user (`specs/nextcloud.md` section 3).
const PER_USER: usize = 64;

/// The parts that follow the settings.
pub(super) struct NextcloudReload {
    /// The settings in force.
    settings: NextcloudServiceSettings,
    hub: Hub,
    room: ConnectionLimit,
    addresses: ClientAddressResolver,
    guard: Option<LoginGuard>,
}

impl NextcloudReload {
    pub(super) fn new(
        settings: NextcloudServiceSettings,
        hub: Hub,
        room: ConnectionLimit,
        authenticated: &LoginAdmission,
    ) -> Self {
        Self {
            settings,
            hub,
            room,
            addresses: authenticated.addresses.clone(),
            guard: authenticated.guard.clone(),
        }
    }

    async fn apply_live(&mut self, new: &NextcloudServiceSettings) {
        self.settings.apply_live(new);
        self.addresses.trust(self.settings.proxies.trusted.clone());
        if let Some(guard) = &self.guard {
            guard.set_max_failures(failures(self.settings.auth.throttle.max_attempts));
        }
        let delivery = &self.settings.delivery;
        self.room.set_maximum(delivery.max_connections);
        if self.hub.apply(session_policy(delivery), delivery.push_rate).await.is_err() {
            tracing::debug!("the hub has ended before it heard of new settings");
        }
    }
}

impl ServiceReload for NextcloudReload {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn apply<'a>(&'a mut self, fresh: &'a dyn Service) -> BoxFuture<'a, ()> {
        match (fresh as &dyn Any).downcast_ref::<NextcloudService>() {
            Some(instance) => Box::pin(self.apply_live(&instance.settings)),
            None => Box::pin(async {}),
        }
    }
}

/// The rules of sessions according to the settings.
pub(super) fn session_policy(delivery: &DeliverySettings) -> SessionPolicy {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    SessionPolicy {
        debounce: DebouncePolicy {
            max: millis(delivery.max_debounce),
            enabled: !delivery.debounce_disabled,
        },
        limits: HubLimits {
            per_recipient: PER_USER,
            subscriptions: 0,
            subscription_bytes: usize::MAX,
            max_connection: delivery.max_connection.map(millis),
        },
    }
}

/// The failures that an address may have.
pub(super) fn failures(max_attempts: u32) -> usize {
    usize::try_from(max_attempts).unwrap_or(usize::MAX)
}

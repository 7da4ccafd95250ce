//! Settings that were read again, as far as one Nextcloud takes them in while it runs.

use super::{Instance, door::Door};
use crate::{
    config::Change,
    push::{
        Room,
        hub::{Hub, Limits, Terms},
        session::Pace,
    },
    server::client_address::Origins,
    services::{
        Adopts, Prepared,
        nextcloud::{
            login::Guard,
            settings::{DeliverySettings, InstanceSettings},
        },
    },
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::{any::Any, time::Duration};

/// Sessions of one user (`specs/nextcloud.md` section 3).
const PER_USER: usize = 64;

/// What follows the settings.
pub(super) struct Adopting {
    /// In force.
    settings: InstanceSettings,
    hub: Hub,
    room: Room,
    origins: Origins,
    guard: Option<Guard>,
}

impl Adopting {
    pub(super) fn new(settings: InstanceSettings, hub: Hub, room: Room, door: &Door) -> Self {
        Self { settings, hub, room, origins: door.origins.clone(), guard: door.guard.clone() }
    }

    async fn take_over(&mut self, new: &InstanceSettings) -> Vec<Change> {
        let changes = self.settings.changes(new);
        self.settings.take_over(new);
        self.origins.trust(self.settings.proxies.trusted.clone());
        if let Some(guard) = &self.guard {
            guard.allow(failures(self.settings.auth.throttle.max_attempts));
        }
        let delivery = &self.settings.delivery;
        self.room.allow(delivery.max_connections);
        if self.hub.adopt(terms(delivery), delivery.push_rate).await.is_err() {
            tracing::debug!("the hub has ended before it heard of new settings");
        }
        changes
    }
}

impl Adopts for Adopting {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.proxies.trusted
    }

    fn adopt<'a>(&'a mut self, fresh: &'a dyn Prepared) -> BoxFuture<'a, Vec<Change>> {
        match (fresh as &dyn Any).downcast_ref::<Instance>() {
            Some(instance) => Box::pin(self.take_over(&instance.settings)),
            None => Box::pin(async { Vec::new() }),
        }
    }
}

/// What the settings mean for sessions.
pub(super) fn terms(delivery: &DeliverySettings) -> Terms {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Terms {
        pace: Pace { max: millis(delivery.max_debounce), enabled: !delivery.debounce_disabled },
        limits: Limits {
            per_recipient: PER_USER,
            subscriptions: 0,
            max_connection: delivery.max_connection.map(millis),
        },
    }
}

/// Failures that an address may have.
pub(super) fn failures(max_attempts: u32) -> usize {
    usize::try_from(max_attempts).unwrap_or(usize::MAX)
}

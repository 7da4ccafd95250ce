//! Settings that were read again, as far as one server takes them in while it runs.

use super::AphlictServer;
use crate::{
    config::{Change, Effect},
    push::{
        Room,
        hub::{Hub, Limits, Terms},
        session::Pace,
    },
    services::{
        Adopts, Prepared,
        phorge::{config::PhorgeSettings, dialect::Most},
    },
};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::any::Any;

/// What differs, and when it takes effect.
type Part = (&'static str, Effect, fn(&PhorgeSettings, &PhorgeSettings) -> bool);

const PARTS: &[Part] = &[
    ("MAX_SUBSCRIPTIONS", Effect::AtOnce, |a, b| a.max_subscriptions == b.max_subscriptions),
    ("MAX_CONNECTIONS", Effect::AtOnce, |a, b| a.max_connections == b.max_connections),
    ("TRUSTED_PROXIES", Effect::AtOnce, |a, b| a.trusted == b.trusted),
    ("where browsers connect (CLIENT_… or servers)", Effect::AtTheNextStart, |a, b| {
        a.clients == b.clients
    }),
    ("where messages are published (PUBLISH_… or servers)", Effect::AtTheNextStart, |a, b| {
        a.admins == b.admins
    }),
    ("the peers (PEERS, PEERS_CA or cluster)", Effect::AtTheNextStart, |a, b| {
        a.peers == b.peers && a.peers_ca == b.peers_ca
    }),
];

/// What follows the settings.
pub(super) struct Adopting {
    /// In force.
    settings: PhorgeSettings,
    hub: Hub,
    room: Room,
    most: Most,
}

impl Adopting {
    pub(super) fn new(settings: PhorgeSettings, hub: Hub, room: Room, most: Most) -> Self {
        Self { settings, hub, room, most }
    }

    async fn take_over(&mut self, new: &PhorgeSettings) -> Vec<Change> {
        let differs = PARTS.iter().filter(|(.., same)| !same(&self.settings, new));
        let changes = differs.map(|&(name, effect, _)| Change { name, effect }).collect();
        self.settings.max_subscriptions = new.max_subscriptions;
        self.settings.max_connections = new.max_connections;
        self.settings.trusted.clone_from(&new.trusted);
        self.room.allow(new.max_connections);
        self.most.allow(new.max_subscriptions);
        if self.hub.adopt(terms(&self.settings), 0).await.is_err() {
            tracing::debug!("the hub has ended before it heard of new settings");
        }
        changes
    }
}

impl Adopts for Adopting {
    fn trusted_proxies(&self) -> &[IpNet] {
        &self.settings.trusted
    }

    fn adopt<'a>(&'a mut self, fresh: &'a dyn Prepared) -> BoxFuture<'a, Vec<Change>> {
        match (fresh as &dyn Any).downcast_ref::<AphlictServer>() {
            Some(server) => Box::pin(self.take_over(&server.settings)),
            None => Box::pin(async { Vec::new() }),
        }
    }
}

/// What the settings mean for sessions: their home is an instance, which may have any number of them,
/// and nothing that they are told waits.
pub(super) fn terms(settings: &PhorgeSettings) -> Terms {
    Terms {
        pace: Pace { max: 0, enabled: false },
        limits: Limits {
            per_recipient: usize::MAX,
            max_connection: None,
            subscriptions: settings.max_subscriptions,
        },
    }
}

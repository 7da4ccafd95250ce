//! The queues of one Nextcloud, as whoever watches sees them.

use super::{EVENT_QUEUE_CAPACITY, database::NextcloudDatabase};
use crate::{
    client::SourceEvent,
    health::QueueGauge,
    push::hub::Hub,
    services::nextcloud::{
        audience, audience::AudienceResolver, http, http::NextcloudAuthenticator, login::hashing,
    },
};
use tokio::sync::mpsc;

/// What waits for the pipeline, and for the hub.
pub(super) fn own(event_sender: &mpsc::Sender<SourceEvent>, hub: &Hub) -> Vec<QueueGauge> {
    let (events, shards) = (event_sender.clone(), hub.clone());
    vec![
        QueueGauge::new("events", EVENT_QUEUE_CAPACITY, move || {
            events.max_capacity() - events.capacity()
        }),
        QueueGauge::new("hub", hub.depths().room, move || shards.depths().commands),
    ]
}

/// What waits for a look-up, for a password's hash, for Nextcloud.
pub(super) fn of(
    resolver: Option<&AudienceResolver>,
    stored: Option<&NextcloudDatabase>,
    remote: Option<&NextcloudAuthenticator>,
) -> impl Iterator<Item = QueueGauge> {
    let resolver = resolver
        .cloned()
        .map(|resolver| QueueGauge::new("recipients", audience::INBOX, move || resolver.waiting()));
    let passwords = stored.map(|stored| stored.hashing.clone()).map(|hashing| {
        QueueGauge::new("passwords", hashing::MAX_WAITING, move || hashing.waiting())
    });
    let remote = remote
        .cloned()
        .map(|remote| QueueGauge::new("nextcloud", http::MAX_WAITING, move || remote.waiting()));
    resolver.into_iter().chain(passwords).chain(remote)
}

//! Gauges of the queues of one Nextcloud.

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

/// The queues of the pipeline and the hub.
pub(super) fn service_queues(
    event_sender: &mpsc::Sender<SourceEvent>,
    hub: &Hub,
) -> Vec<QueueGauge> {
    let (events, shards) = (event_sender.clone(), hub.clone());
    vec![
        QueueGauge::new("events", EVENT_QUEUE_CAPACITY, move || {
            events.max_capacity() - events.capacity()
        }),
        QueueGauge::new("hub", hub.depths().room, move || shards.depths().commands),
    ]
}

/// The queues of audience lookups, password hashes and requests to Nextcloud.
pub(super) fn backend_queues(
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

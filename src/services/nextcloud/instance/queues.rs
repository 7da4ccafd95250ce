//! The queues of one Nextcloud, as whoever watches sees them.

use super::{QUEUE, stored::Stored};
use crate::{
    client::Delivery,
    health::Queue,
    push::hub::Hub,
    services::nextcloud::{
        audience_index, audience_index::Resolver, login::hashing, remote, remote::Remote,
    },
};
use tokio::sync::mpsc;

/// What waits for the pipeline, and for the hub.
pub(super) fn own(inlet: &mpsc::Sender<Delivery>, hub: &Hub) -> Vec<Queue> {
    let (events, shards) = (inlet.clone(), hub.clone());
    vec![
        Queue::new("events", QUEUE, move || events.max_capacity() - events.capacity()),
        Queue::new("hub", hub.depths().room, move || shards.depths().commands),
    ]
}

/// What waits for a look-up, for a password's hash, for Nextcloud.
pub(super) fn of(
    resolver: Option<&Resolver>,
    stored: Option<&Stored>,
    remote: Option<&Remote>,
) -> impl Iterator<Item = Queue> {
    let resolver = resolver.cloned().map(|resolver| {
        Queue::new("recipients", audience_index::INBOX, move || resolver.waiting())
    });
    let passwords = stored
        .map(|stored| stored.hashing.clone())
        .map(|hashing| Queue::new("passwords", hashing::MAX_WAITING, move || hashing.waiting()));
    let remote = remote
        .cloned()
        .map(|remote| Queue::new("nextcloud", remote::MAX_WAITING, move || remote.waiting()));
    resolver.into_iter().chain(passwords).chain(remote)
}

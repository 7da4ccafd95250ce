//! The daemon's probe of itself, through one Nextcloud's event path: log-in with a ticket for nobody,
//! then a message for it.

use crate::{
    client::{
        memory::Memory,
        websocket::{Request, Visitor},
    },
    config::{Place, secret::Secret},
    push::{PROBE, Room, recipient::Recipient},
    services::{Probe, ProbeError, Stream, nextcloud::login::ticket::Tickets},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Whom the probe listens as: no host has a user whose name begins with a control character.
pub(super) const NAME: &str = "\u{1}probe";
/// What is published for it.
const CHANNEL: &str = "notify_custom";

/// Knows the way.
pub(super) struct WayBack {
    tickets: Tickets,
    source: Memory,
    room: Room,
    rng: Mutex<fastrand::Rng>,
}

impl WayBack {
    pub(super) fn new(tickets: Tickets, source: Memory, room: Room, rng: fastrand::Rng) -> Self {
        Self { tickets, source, room, rng: Mutex::new(rng) }
    }

    async fn visit(&self, stream: Box<dyn Stream>, place: &Place) -> Result<(), ProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let (ticket, number) = (format!("{:032x}", rng.u128(..)), rng.u32(..));
        self.tickets.issue(Recipient::from(NAME), &Secret::from(&*ticket), Instant::now());
        let _aside = self.room.aside();
        let name = place.server_names.first().map_or("localhost", String::as_str);
        let path = format!("{}/push/ws?{PROBE}", place.path);
        let request = Request { host: name.to_owned(), path };
        let mut visitor = Visitor::log_in(stream, &request, ("", &ticket), rng).await?;
        let message = serde_json::json!({ "user": NAME, "message": "probe", "body": number });
        self.source.publish(CHANNEL, message.to_string()).await?;
        let expected = format!("probe {number}");
        while visitor.next().await? != expected {}
        Ok(())
    }
}

impl Probe for WayBack {
    fn go<'a>(
        &'a self,
        stream: Box<dyn Stream>,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<(), ProbeError>> {
        self.visit(stream, place).boxed()
    }
}

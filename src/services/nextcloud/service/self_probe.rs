//! The daemon's probe of itself through one Nextcloud's event path: it logs in with a ticket for a
//! user that no Nextcloud has, and receives a message for it.

use crate::{
    client::{
        memory::MemorySource,
        websocket::{UpgradeRequest, WebSocketClient},
    },
    config::{ServiceRoute, secret::Secret},
    push::{ConnectionLimit, recipient::Recipient},
    server::PROBE,
    services::{ByteStream, SelfProbe, SelfProbeError, nextcloud::login::ticket::TicketStore},
};
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use tokio::time::Instant;

/// The user of the probe: no Nextcloud has a user whose name begins with a control character.
pub(super) const PROBE_USER: &str = "\u{1}probe";
/// The channel of its message.
const CHANNEL: &str = "notify_custom";

/// Probes through the ticket store and the event source.
pub(super) struct NextcloudSelfProbe {
    tickets: TicketStore,
    source: MemorySource,
    room: ConnectionLimit,
    rng: Mutex<fastrand::Rng>,
}

impl NextcloudSelfProbe {
    pub(super) fn new(
        tickets: TicketStore,
        source: MemorySource,
        room: ConnectionLimit,
        rng: fastrand::Rng,
    ) -> Self {
        Self { tickets, source, room, rng: Mutex::new(rng) }
    }

    async fn visit(
        &self,
        stream: Box<dyn ByteStream>,
        place: &ServiceRoute,
    ) -> Result<(), SelfProbeError> {
        let mut rng = self.rng.lock().fork();
        let (ticket, number) = (format!("{:032x}", rng.u128(..)), rng.u32(..));
        self.tickets.issue(Recipient::from(PROBE_USER), &Secret::from(&*ticket), Instant::now());
        let _aside = self.room.exempt();
        let name = place.server_names.first().map_or("localhost", String::as_str);
        let path = format!("{}/push/ws?{PROBE}", place.path);
        let request = UpgradeRequest { host: name.to_owned(), path };
        let mut visitor = WebSocketClient::log_in(stream, &request, ("", &ticket), rng).await?;
        let message = serde_json::json!({ "user": PROBE_USER, "message": "probe", "body": number });
        self.source.publish(CHANNEL, message.to_string()).await?;
        let expected = format!("probe {number}");
        while visitor.next().await? != expected {}
        Ok(())
    }
}

impl SelfProbe for NextcloudSelfProbe {
    fn go<'a>(
        &'a self,
        stream: Box<dyn ByteStream>,
        place: &'a ServiceRoute,
    ) -> BoxFuture<'a, Result<(), SelfProbeError>> {
        self.visit(stream, place).boxed()
    }
}

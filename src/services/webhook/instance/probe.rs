//! The daemon's probe of itself, the way of a client: a WebSocket, a message for it. It needs no Redis:
//! a daemon that waits for one is alive.

use crate::{
    client::websocket::{UpgradeRequest, WebSocketClient, WebSocketClientError},
    config::ServiceRoute,
    push::{ConnectionLimit, hub::Hub, notice::Notice},
    services::{
        ByteStream, SelfProbe, SelfProbeError,
        webhook::{
            message_id::MessageId, message_value::MessageValue, registration_key::RegistrationKey,
        },
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// What the probe's name begins with: no back end has a user whose name begins with a control
/// character.
const NAME: &str = "\u{1}probe";

/// Knows the way.
pub(super) struct WebhookSelfProbe {
    hub: Hub,
    room: ConnectionLimit,
    claim: RegistrationKey,
    rng: Mutex<fastrand::Rng>,
}

/// A pair for the probe of one daemon, which nobody can guess: its client always finds a place.
pub(super) fn claim(rng: &mut fastrand::Rng) -> RegistrationKey {
    let random = |rng: &mut fastrand::Rng| format!("{:032x}", rng.u128(..));
    RegistrationKey { user: format!("{NAME} {}", random(rng)), connection: random(rng) }
}

impl WebhookSelfProbe {
    pub(super) fn new(
        hub: Hub,
        room: ConnectionLimit,
        claim: RegistrationKey,
        rng: fastrand::Rng,
    ) -> Self {
        Self { hub, room, claim, rng: Mutex::new(rng) }
    }

    async fn visit(
        &self,
        stream: Box<dyn ByteStream>,
        place: &ServiceRoute,
    ) -> Result<(), SelfProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let message = format!("probe {:016x}", rng.u64(..));
        let _aside = self.room.exempt();
        let host = place.server_names.first().map_or("localhost", String::as_str).to_owned();
        let path = format!("{}/ws?probe", place.path);
        let mut visitor =
            WebSocketClient::upgrade(stream, &UpgradeRequest { host, path }, rng).await?;
        let RegistrationKey { user, connection } = &self.claim;
        let pair = serde_json::json!({ "userId": user, "connectionId": connection });
        visitor.send_text(&serde_json::json!({ "register": pair }).to_string()).await?;
        match visitor.next().await?.as_str() {
            r#"{"registered":true}"# => {}
            other => return Err(WebSocketClientError::Refused(other.to_owned()).into()),
        }
        let notice = Notice::Opaque(MessageValue::text(&message).frame(MessageId::default()));
        self.hub.notify(self.claim.home(), notice, Instant::now()).await?;
        let expected = format!(r#"{{"id":"{}","message":"{message}"}}"#, MessageId::default());
        while visitor.next().await? != expected {}
        Ok(())
    }
}

impl SelfProbe for WebhookSelfProbe {
    fn go<'a>(
        &'a self,
        stream: Box<dyn ByteStream>,
        place: &'a ServiceRoute,
    ) -> BoxFuture<'a, Result<(), SelfProbeError>> {
        self.visit(stream, place).boxed()
    }
}
